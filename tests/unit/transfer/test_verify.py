"""The proof is what its definition says, by plain hashlib, in whatever order things settle."""

import threading
import tracemalloc
from collections.abc import Mapping
from hashlib import sha256
from random import Random
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smc.base.errors import WireError
from smc.transfer import native, verify
from smc.transfer.ledger import Ledger
from smc.transfer.verify import NO_FILES, TreeDigest, hash_bytes, hash_of_pieces, hash_piece, ranges
from smc.wire import messages as m
from smc.wire.messages import PIECE

LEAF = 64 * 1024
SIZES = st.sampled_from([1, 4096, LEAF, LEAF + 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 5])
RUNS = st.lists(st.tuples(st.booleans(), SIZES), max_size=6)
CONTENT = sha256(b"content").digest()
Folders = Mapping[bytes, Mapping[bytes, bytes]]  # path -> name -> content

NAMES = st.binary(min_size=1, max_size=3).filter(lambda name: b"/" not in name and b"\0" not in name)
PATHS = st.lists(NAMES, max_size=3).map(b"/".join)
FILES = st.dictionaries(
    NAMES, st.one_of(st.none(), st.binary(max_size=3)), max_size=6
)  # None: it did not come
TREES = st.dictionaries(PATHS, FILES, min_size=1, max_size=8)


def piece_hash(content: bytes) -> bytes:
    if len(content) <= LEAF:
        return sha256(content).digest()
    leaves = [sha256(content[at : at + LEAF]).digest() for at in range(0, len(content), LEAF)]
    return sha256(b"smc-leaves" + pack("<Q", len(content)) + b"".join(leaves)).digest()


def content_hash(content: bytes) -> bytes:
    if len(content) <= PIECE:
        return piece_hash(content)
    pieces = [content[at : at + PIECE] for at in range(0, len(content), PIECE)]
    head = b"smc-pieces" + pack("<Q", len(content))
    numbered = [(number, piece) for number, piece in enumerate(pieces) if piece.strip(b"\0")]
    return sha256(
        head + b"".join(pack("<Q", number) + piece_hash(piece) for number, piece in numbered)
    ).digest()


def folder_hash(files: Mapping[bytes, bytes]) -> bytes:
    whole = sha256()
    for name in sorted(files):
        whole.update(pack("<I", len(name)) + name + content_hash(files[name]))
    return whole.digest()


def tree_hash(folders: Folders) -> bytes:
    whole = sha256()
    for path in sorted(folders, key=in_the_walk):
        if folders[path]:
            whole.update(pack("<I", len(path)) + path + folder_hash(folders[path]))
    return whole.digest()


def in_the_walk(path: bytes) -> list[bytes]:
    return path.split(b"/") if path else []


def content_of(runs: list[tuple[bool, int]]) -> bytes:
    return b"".join(bytes(size) if hole else b"d" * size for hole, size in runs)


def pieces_of(content: bytes) -> dict[int, bytes]:
    return {at // PIECE: hash_piece(content[at : at + PIECE]) for at in range(0, len(content), PIECE)}


@settings(deadline=None, max_examples=30)
@given(runs=RUNS)
def test_the_hash_of_a_content_is_the_defined_one(runs: list[tuple[bool, int]]) -> None:
    content = content_of(runs)
    assert hash_bytes(content) == hash_bytes(memoryview(content)) == content_hash(content)


def test_up_to_a_leaf_it_is_what_sha256sum_prints() -> None:
    for content in (b"", b"x", bytes(LEAF), b"x" * LEAF):
        assert hash_bytes(content) == sha256(content).digest()
    assert hash_bytes(bytes(LEAF + 1)) != sha256(bytes(LEAF + 1)).digest()


@pytest.mark.parametrize("leaves", range(PIECE // LEAF + 1))
@pytest.mark.parametrize("more", [0, 1, 5000, LEAF - 1])
def test_a_piece_of_any_number_of_leaves_has_the_defined_hash(leaves: int, more: int) -> None:
    """However many this processor hashes side by side."""
    noise = Random(leaves).randbytes(min(leaves * LEAF + more, PIECE))
    assert hash_piece(noise) == piece_hash(noise)
    assert native.hash_contents(noise + noise, [len(noise)] * 2) == [piece_hash(noise)] * 2


def test_no_piece_is_longer_than_a_piece() -> None:
    with pytest.raises(ValueError, match="at most 1 MiB"):
        native.hash_piece(bytes(PIECE + 1))


@settings(deadline=None, max_examples=30)
@given(runs=RUNS)
def test_holes_and_zeros_are_the_same(runs: list[tuple[bool, int]]) -> None:
    content = content_of(runs)
    skipped = {
        number: known
        for number, known in pieces_of(content).items()
        if content[number * PIECE : (number + 1) * PIECE].strip(b"\0")
    }
    assert hash_of_pieces(len(content), skipped) == content_hash(content)


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE, 5 * PIECE + 1])
def test_a_hole_alone_has_the_hash_of_its_zeros(size: int) -> None:
    assert hash_of_pieces(size, {}) == content_hash(bytes(size))


@pytest.mark.parametrize("size", [8 << 30, (1 << 63) - 1])
def test_a_hole_costs_nothing_however_large_it_is(size: int) -> None:
    island = sha256(b"island").digest()
    expected = sha256(b"smc-pieces" + pack("<QQ", size, 4097) + island).digest()
    assert hash_of_pieces(size, {4097: island}) == expected
    assert hash_of_pieces(size, {}) == sha256(b"smc-pieces" + pack("<Q", size)).digest()


def test_other_contents_have_other_hashes() -> None:
    zeros, data = bytes(PIECE), b"d" * PIECE
    contents = [
        b"",
        zeros,
        zeros[:LEAF],
        zeros[: LEAF + 1],
        zeros * 2,
        zeros * 3,
        data,
        zeros + data,
        data + zeros,
        data + zeros * 2,
    ]
    contents += [zeros + data + zeros, zeros + data * 2, zeros + b"x", b"smc-pieces", zeros[:-1]]
    contents += [zeros + zeros[:-1], zeros + b"\0"]
    assert len({hash_bytes(content) for content in contents}) == len(contents)


def listings(tree: Mapping[bytes, Mapping[bytes, bytes | None]], part: int) -> list[m.Listing]:
    """The folders of a tree, in parts of at most `part` files, a listing for each."""
    found: list[m.Listing] = []
    for path in sorted(tree, key=in_the_walk):
        names = sorted(tree[path])
        for at in range(0, len(names), part) or (0,):
            entries = tuple(
                m.Entry(name, m.Kind.FILE, 0o644, 0, 0, 0, len(tree[path][name] or b""))
                for name in names[at : at + part]
            )
            folder = m.Folder(path, entries, first=not at, last=at + part >= len(names))
            found.append(m.Listing(len(found), 0, (folder,)))
    return found


def settle(ledger: Ledger, index: int, content: bytes | None) -> bool:
    if content is None:
        return ledger.settle((), (index,))
    return ledger.settle((m.Sent(index, len(content), content_hash(content)),))


@settings(deadline=None)
@given(tree=TREES, part=st.integers(1, 4), together=st.integers(1, 4), data=st.data())
def test_the_proof_does_not_depend_on_the_order_in_which_files_settle(
    tree: dict[bytes, dict[bytes, bytes | None]], part: int, together: int, data: st.DataObject
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "TOGETHER", together)
        settle_in_any_order(tree, part, data)


def settle_in_any_order(tree: dict[bytes, dict[bytes, bytes | None]], part: int, data: st.DataObject) -> None:
    told: list[bytes] = []
    digest = TreeDigest(lambda path, proof: told.append(path))
    lock = threading.Lock()
    ledgers = [Ledger(listing, 0, digest, lock) for listing in listings(tree, part)]
    for ledger in ledgers:
        ledger.open()
    waiting = [(ledger, index, path, entry) for ledger in ledgers for index, path, entry in ledger.files]
    for ledger, index, path, entry in data.draw(st.permutations(waiting)):
        assert not digest.complete
        settle(ledger, index, tree[path][entry.name])
    came = {path: {n: c for n, c in files.items() if c is not None} for path, files in tree.items()}
    contents = [content for files in came.values() for content in files.values()]
    assert digest.complete
    assert digest.proof() == m.TreeProof(len(contents), sum(map(len, contents)), tree_hash(came))
    assert sorted(told) == sorted(tree)  # each once, as soon as all of it came


def test_files_settled_by_many_threads_give_the_same_proof() -> None:
    tree: dict[bytes, dict[bytes, bytes | None]] = {
        b"%03d" % folder: {b"%03d" % file: b"%d %d" % (folder, file) for file in range(20)}
        for folder in range(40)
    }
    digest, lock = TreeDigest(), threading.Lock()
    ledgers = [Ledger(listing, 0, digest, lock) for listing in listings(tree, 7)]
    turns = [(ledger, *file) for ledger in ledgers for file in ledger.files]

    def settle_mine(mine: list[tuple[Ledger, int, bytes, m.Entry]]) -> None:
        for ledger, index, path, entry in mine:
            settle(ledger, index, tree[path][entry.name])

    threads = [threading.Thread(target=settle_mine, args=(turns[at::4],)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    came = {path: {n: c for n, c in files.items() if c is not None} for path, files in tree.items()}
    assert digest.proof().hash == tree_hash(came)
    assert digest.proof().files == 800


@pytest.mark.parametrize("known", [True, False])
def test_folders_behind_one_that_is_not_settled_take_little_memory(*, known: bool) -> None:
    """One large file, early in the walk, can be on its way while all others are done."""
    count, most = 20_000, 60  # bytes a folder
    paths = [b"srv/some/where/%03d/a-folder-%06d" % (n // 500, n) for n in range(count)]
    proof = m.FolderProof(1, 7, folder_hash({b"a": b"content"}))
    file = 1, 7, pack("<I", 1) + b"a" + content_hash(b"content")
    digest = TreeDigest()
    digest.expect(b"")
    large = digest.begin_part(b"", last=True)
    tracemalloc.start()
    try:
        for path in paths:
            digest.expect(path)
            if known:
                digest.know(path, proof)
            else:
                digest.end_part(digest.begin_part(path, last=True), file)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held / count < most
    digest.end_part(large, NO_FILES)
    assert digest.proof().hash == tree_hash({path: {b"a": b"content"} for path in paths})
    assert digest.proof().files == count


def test_a_folder_that_is_known_counts_as_if_it_had_been_listed() -> None:
    files = {b"a": b"content"}
    proof = m.FolderProof(1, 7, folder_hash(files))
    digest = TreeDigest()
    for path in (b"", b"x", b"y"):
        digest.expect(path)
    digest.know(b"y", proof)
    digest.know(b"", m.FolderProof(0, 0, sha256().digest()))
    assert not digest.complete
    digest.know(b"x", proof)
    assert digest.proof() == m.TreeProof(2, 14, tree_hash({b"x": files, b"y": files}))


@pytest.mark.parametrize("paths", [(b"", b""), (b"a", b""), (b"b", b"a"), (b"a", b"a"), (b"a/b", b"a")])
def test_a_folder_out_of_order_is_a_violation(paths: tuple[bytes, bytes]) -> None:
    digest = TreeDigest()
    digest.expect(paths[0])
    with pytest.raises(WireError):
        digest.expect(paths[1])


def test_names_that_sort_before_a_slash_come_where_the_walk_has_them() -> None:
    """As strings `a-b` is less than `a/b`, in the walk it is what comes after all of `a`."""
    digest = TreeDigest()
    for path in (b"", b"a", b"a/b", b"a-b"):
        digest.expect(path)


def test_a_file_is_settled_once() -> None:
    (listing,) = listings({b"": {b"a": b"1", b"b": b"2"}}, 4)
    ledger = Ledger(listing, 0, TreeDigest(), threading.Lock())
    sent = m.Sent(0, 1, CONTENT)
    for twice in ((sent, sent), ()):
        with pytest.raises(WireError):
            ledger.settle(twice, () if twice else (0, 0))
    assert ledger.awaits((0, 1))
    assert not ledger.settle((sent,))
    assert not ledger.awaits((1, 0))
    for missing in ((), (0,)):
        with pytest.raises(WireError):
            ledger.settle(() if missing else (sent,), missing)
    assert ledger.settle((), (1,))
    assert ledger.complete


def test_the_proof_of_a_tree_tells_paths_names_and_contents_apart() -> None:
    def proof(tree: dict[bytes, dict[bytes, bytes | None]]) -> bytes:
        digest = TreeDigest()
        for listing in listings(tree, 9):
            ledger = Ledger(listing, 0, digest, threading.Lock())
            ledger.open()
            for index, path, entry in ledger.files:
                settle(ledger, index, tree[path][entry.name])
        return digest.proof().hash

    proofs = [
        proof({b"": {b"a": b"1"}}),
        proof({b"": {b"b": b"1"}}),
        proof({b"": {b"a": b"2"}}),
        proof({b"a": {b"a": b"1"}}),
        proof({b"": {b"a": b"1", b"b": b"1"}}),
        proof({b"": {b"a": b"1"}, b"a": {b"b": b"1"}}),
        proof({b"": {}}),
    ]
    assert len(set(proofs)) == len(proofs)
    assert proof({b"": {}, b"empty": {}}) == proof({b"": {}})


@given(numbers=st.sets(st.integers(0, 40)), most=st.integers(1, 40))
def test_ranges_name_what_is_there_and_nothing_else(numbers: set[int], most: int) -> None:
    found = ranges(dict.fromkeys(numbers), most)
    named = [number for first, end in found for number in range(first, end)]
    assert len(found) <= most
    assert named == sorted(numbers)[: len(named)]
    assert len(found) == most or len(named) == len(numbers)
    assert all(end not in numbers for _, end in found)
