"""The hash of a content depends on the content alone."""

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from smc.transfer.verify import BLOCK, ContentHash, TreeDigest, hash_bytes

SIZES = st.sampled_from([1, 4096, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 5])
RUNS = st.lists(st.tuples(st.booleans(), SIZES), max_size=6)


def test_without_whole_zero_blocks_it_is_what_sha256sum_prints() -> None:
    for content in (b"", b"x", bytes(1000), b"x" * (3 * BLOCK + 7), bytes(BLOCK - 1), b"x" + bytes(BLOCK)):
        assert hash_bytes(content) == hashlib.sha256(content).digest()


@settings(deadline=None, max_examples=30)
@given(runs=RUNS)
def test_holes_and_zeros_are_the_same(runs: list[tuple[bool, int]]) -> None:
    content = b"".join(bytes(size) if hole else b"d" * size for hole, size in runs)
    skipping = ContentHash()
    for offset in range(0, len(content), BLOCK):
        block = content[offset : offset + BLOCK]
        if block.strip(b"\0"):
            skipping.feed(offset, block)
    assert skipping.digest(len(content)) == hash_bytes(content)


@settings(deadline=None, max_examples=30)
@given(runs=RUNS, at=st.integers(0, 10))
def test_a_copy_goes_on_where_the_other_was(runs: list[tuple[bool, int]], at: int) -> None:
    content = b"".join(bytes(size) if hole else b"d" * size for hole, size in runs)
    blocks = [(offset, content[offset : offset + BLOCK]) for offset in range(0, len(content), BLOCK)]
    first = ContentHash()
    for block in blocks[:at]:
        first.feed(*block)
    second = first.copy()
    first.digest(first.position)
    for block in blocks[at:]:
        second.feed(*block)
    assert second.digest(len(content)) == hash_bytes(content)


def test_other_contents_have_other_hashes() -> None:
    zeros, data = bytes(BLOCK), b"d" * BLOCK
    contents = [b"", zeros, zeros * 2, zeros * 3, data, zeros + data, data + zeros, data + zeros * 2]
    contents += [zeros + data + zeros, zeros + data * 2, zeros + b"x", b"smc-sparse", zeros[:-1]]
    contents += [zeros + zeros[:-1], zeros + b"\0"]
    assert len({hash_bytes(content) for content in contents}) == len(contents)


def test_the_proof_of_a_tree_tells_paths_and_contents_apart() -> None:
    def proof(*files: tuple[bytes, bytes]) -> bytes:
        digest = TreeDigest()
        for path, content in files:
            digest.add(path, 1, content)
        return digest.proof().hash

    proofs = [
        proof((b"a", b"1" * 32)),
        proof((b"b", b"1" * 32)),
        proof((b"a", b"2" * 32)),
        proof((b"a", b"1" * 32), (b"b", b"1" * 32)),
        proof((b"b", b"1" * 32), (b"a", b"1" * 32)),
        proof(),
    ]
    assert len(set(proofs)) == len(proofs)
