"""Copies between two ext4 filesystems over TLS, judged by rsync and fsck."""

import os
import shutil
import stat
import subprocess
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest
from tests.kernel.copying import Ends, differences, ext4, tool
from tests.kernel.nasty_tree import make_nasty_tree, release

from smc.base.errors import TargetWriteError
from smc.transfer.memory import Memory
from smc.transfer.tally import WriterProgress
from smc.wire.orders import TransferSettings

pytestmark = pytest.mark.kernel

MIB = 1 << 20
SLOW = TransferSettings(bandwidth_limit_mbit=200)


def flags(root: Path) -> list[str]:
    """What `lsattr` shows of the flags that are kept, by path."""
    found = []
    for line in tool("lsattr", "-R", "-a", root).splitlines():
        kept, _, path = line.partition(" ")
        if path and set(kept) <= set("-abcdeijmsuACDEINPSTVxF"):
            found.append(f"{''.join(c for c in kept if c in 'iadA')} {path.replace(str(root), '')}")
    return sorted(found)


def inodes(root: Path) -> list[list[str]]:
    """The groups of paths that are one inode, beyond those of one."""
    groups: dict[str, list[str]] = {}
    for line in tool("find", root, "!", "-type", "d", "-links", "+1", "-printf", "%i %P\n").splitlines():
        inode, _, path = line.partition(" ")
        groups.setdefault(inode, []).append(path)
    return sorted(sorted(group) for group in groups.values())


def assert_equal(ends: Ends) -> None:
    assert differences(ends.source, ends.target) == ""
    assert flags(ends.source) == flags(ends.target)
    assert inodes(ends.source) == inodes(ends.target)


def test_everything_arrives_as_rsync_sees_it(ends: Ends) -> None:
    make_nasty_tree(ends.source)
    sent, received = ends.copy()
    assert_equal(ends)
    assert all(proof.equal for proof in received.proof)
    assert sent.trees[0].hash == received.proof[0].written
    assert sent.unreadable == ()


def test_holes_stay_holes_and_what_was_allocated_stays_so(ends: Ends) -> None:
    make_nasty_tree(ends.source)
    ends.copy()
    for path in (ends.source / "sparse").iterdir():
        theirs, ours = path.stat(), (ends.target / "sparse" / path.name).stat()
        assert abs(ours.st_blocks - theirs.st_blocks) <= 64, path.name
    used, copied = (shutil.disk_usage(root).used for root in (ends.source, ends.target))
    assert abs(used - copied) < MIB


def test_an_unchanged_tree_is_not_sent_again(ends: Ends) -> None:
    make_nasty_tree(ends.source)
    ends.copy()
    before = ends.memory.wire
    sent, received = ends.copy()
    assert sent.passes == 1
    assert ends.memory.wire - before < 300_000  # names and metadata, compressed
    assert received.proof[0].equal
    assert received.proof[0].files > 2000
    assert_equal(ends)


def test_a_receiver_that_was_started_again_compares_instead_of_receiving(ends: Ends) -> None:
    make_nasty_tree(ends.source)
    (ends.source / "much").write_bytes(os.urandom(30 * MIB))
    _, first = ends.copy()
    ends.memory = Memory()
    sent, again = ends.copy()
    assert ends.memory.wire < 2 * MIB
    assert sent.passes == 1
    assert [proof.written for proof in again.proof] == [proof.written for proof in first.proof]


@pytest.mark.parametrize("remembered", [True, False], ids=["same receiver", "new receiver"])
def test_later_changes_of_every_kind_are_followed(ends: Ends, *, remembered: bool) -> None:
    make_nasty_tree(ends.source)
    ends.copy()
    change_everything(ends.source)
    if not remembered:
        ends.memory = Memory()
    ends.copy()
    assert_equal(ends)


def change_everything(root: Path) -> None:
    crowd, kinds, links = root / "crowd", root / "kinds", root / "links"
    shutil.rmtree(crowd / "3")
    (crowd / "4").rename(crowd / "moved")
    (kinds / "large").rename(kinds / "large renamed")
    (kinds / "size 4096").write_text("shorter")
    with (kinds / "size 65536").open("ab") as file:
        file.write(b"longer")
    (kinds / "empty").unlink()
    (kinds / "empty").mkdir()  # a file becomes a folder
    (kinds / "empty" / "inside").write_text("x")
    shutil.rmtree(crowd / "5")
    (crowd / "5").write_text("a folder becomes a file")
    (kinds / "link").unlink()
    (kinds / "link").write_text("a link becomes a file")
    (kinds / "one byte").unlink()
    (kinds / "one byte").symlink_to("crowd")
    (kinds / "null").unlink()
    os.mkfifo(kinds / "null")
    (kinds / "absolute").unlink()
    (kinds / "absolute").symlink_to("/etc/group")
    (root / "modes" / "644 0 0").chmod(0o600)
    os.chown(root / "modes" / "folder 700", 5, 6)
    for path in (root / "modes" / "folder 1777", crowd / "6"):
        path.chmod(0o711)
    (links / "b").unlink()
    (links / "b").write_bytes(b"shared" * 100_000)  # a link becomes a file of its own
    (links / "alike 2").unlink()
    os.link(links / "alike 1", links / "alike 2")  # and the reverse
    (links / "z" / "first").unlink()
    os.setxattr(root / "attributes" / "plain", "user.note", b"other")
    os.removexattr(root / "attributes" / "able", "security.capability")
    os.setxattr(root / "odd", "user.folder", b"1")
    (root / "attributes" / "shared folder" / "new").write_text("inherits")
    release(root / "locked")
    (root / "locked" / "immutable").write_text("was locked")
    (root / "locked" / "append only").unlink()
    subprocess.run(["chattr", "+i", root / "locked"], check=True)
    with (root / "sparse" / "one hole").open("r+b") as file:
        file.seek(200 * MIB)
        file.write(b"an island")
    same = root / "many" / "0001"
    before = (root / "many" / "0002").stat()
    (root / "many" / "0002").write_bytes(b"")
    os.utime(root / "many" / "0002", ns=(before.st_atime_ns, before.st_mtime_ns))
    os.utime(same, ns=(1, 1))
    for number in range(10, 400):
        (root / "many" / f"{number:04}").unlink()
    os.utime(root / "odd", ns=(7, 7))


@pytest.mark.parametrize("remembered", [True, False], ids=["same receiver", "new receiver"])
@pytest.mark.parametrize("how", ["append", "database", "front", "cut"])
def test_of_a_large_changed_file_only_what_is_new_is_sent(ends: Ends, how: str, *, remembered: bool) -> None:
    path = ends.source / "large"
    content = bytearray(os.urandom(40 * MIB))
    path.write_bytes(content)
    ends.copy()
    match how:
        case "append":
            content += os.urandom(100_000)
        case "database":
            for page in range(0, 40 * MIB, 4 * MIB):
                content[page : page + 8192] = os.urandom(8192)
        case "front":
            content[0:0] = b"inserted"
        case "cut":
            del content[5 * MIB + 7 : 9 * MIB]
    path.write_bytes(content)
    if not remembered:
        ends.memory.close()
        ends.memory = Memory()
    before = ends.memory.wire
    _, received = ends.copy()
    assert ends.memory.wire - before < MIB
    assert received.proof[0].equal
    assert_equal(ends)


def test_a_change_that_hides_its_time_is_found_by_ctime(ends: Ends) -> None:
    path = ends.source / "file"
    path.write_text("before")
    os.utime(path, ns=(10**18, 10**18))
    ends.copy()
    path.write_text("after!")
    os.utime(path, ns=(10**18, 10**18))
    ends.copy()
    assert (ends.target / "file").read_text() == "after!"


def test_checksum_finds_what_size_and_time_hide(ends: Ends) -> None:
    path = ends.source / "file"
    path.write_text("source")
    ends.copy()
    copied = ends.target / "file"
    state = copied.stat()
    copied.write_text("rotten")  # same size
    os.utime(copied, ns=(state.st_mtime_ns, state.st_mtime_ns))
    ends.copy(TransferSettings(checksum=True))
    assert copied.read_text() == "source"


def wait_for(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_file_written_meanwhile_is_equal_or_listed(ends: Ends) -> None:
    for number in range(300):
        (ends.source / f"still {number}").write_bytes(os.urandom(100_000))
    logs = [ends.source / f"log {number}" for number in range(5)]
    ended = threading.Event()

    def write() -> None:
        count = 0
        while not ended.wait(0.003):
            count += 1
            with logs[count % 5].open("a") as log:
                log.write(f"line {count}\n")
            if count % 50 == 0:
                (ends.source / f"appeared {count}").write_text("x")
                (ends.source / f"appeared {count - 50}").unlink(missing_ok=True)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        wait_for(logs[4].exists)
        sent, _ = ends.copy()
    finally:
        ended.set()
        writer.join()
    late = {
        path.name for path in ends.source.iterdir() if path.stat().st_ctime_ns > sent_at(ends)
    }  # after the copy had ended nobody can know
    listed = {moving.path.removeprefix("/srv/") for moving in sent.moving}
    for line in differences(ends.source, ends.target).splitlines():
        name = line.split(" ", 1)[1]
        assert name in listed | late | {"./"} or line.startswith("*deleting"), line
    assert not {name for name in listed if name.startswith("still")}


def sent_at(ends: Ends) -> int:
    return max(path.stat().st_ctime_ns for path in ends.target.iterdir())


def test_a_full_target_is_named_in_a_sentence(tmp_path: Path) -> None:
    with ext4(tmp_path / "s.img") as source, ext4(tmp_path / "t.img", 8 * MIB) as target:
        (source / "large").write_bytes(os.urandom(20 * MIB))
        ends = Ends(source, target)
        with pytest.raises(TargetWriteError, match="full: 'large' on disk 0 partition 1") as raised:
            ends.copy()
        ends.memory.close()
    assert raised.value.code == "Target.Full"
    assert "larger" in raised.value.hint


def test_what_is_mounted_in_the_target_is_never_touched(ends: Ends, tmp_path: Path) -> None:
    (ends.source / "data").mkdir()
    (ends.target / "data").mkdir()
    tool("mount", "-t", "tmpfs", "none", ends.target / "data")
    try:
        (ends.target / "data" / "precious").touch()
        with pytest.raises(TargetWriteError, match="mounted"):
            ends.copy()
        (ends.source / "data").rmdir()
        with pytest.raises(TargetWriteError):
            ends.copy()
        assert (ends.target / "data" / "precious").exists()
    finally:
        tool("umount", ends.target / "data")


def test_what_is_mounted_in_the_source_is_left_out(ends: Ends) -> None:
    (ends.source / "data").mkdir()
    tool("mount", "-t", "tmpfs", "none", ends.source / "data")
    try:
        (ends.source / "data" / "elsewhere").touch()
        ends.copy()
    finally:
        tool("umount", ends.source / "data")
    assert list((ends.target / "data").iterdir()) == []


def test_an_unreadable_file_is_listed_and_the_rest_arrives(tmp_path: Path) -> None:
    image = tmp_path / "s.img"
    with ext4(image, 64 * MIB, "-O", "^metadata_csum") as source:
        (source / "bad").write_bytes(os.urandom(MIB))
        (source / "good").write_bytes(b"good")
    break_extents(image, "bad")
    place = tmp_path / "broken"
    place.mkdir()
    tool("mount", "-o", "loop,errors=continue", image, place)
    try:
        with ext4(tmp_path / "t.img") as target:
            sent, received = Ends(place, target).copy()
            assert [trouble.path for trouble in sent.unreadable] == ["/srv/bad"]
            assert "cannot be read" in sent.unreadable[0].why
            assert (target / "good").read_bytes() == b"good"
            assert not (target / "bad").exists()
            assert received.proof[0].equal
            assert received.proof[0].files == 1
    finally:
        tool("umount", place)


def break_extents(image: Path, name: str) -> None:
    """Let the file's first extent lie outside of the filesystem: struct ext4_extent, ee_start_lo."""
    tool("debugfs", "-w", "-R", f"set_inode_field {name} block[5] 0x0fffffff", image)


def test_a_hole_of_a_terabyte_takes_no_time(ends: Ends) -> None:
    with (ends.source / "huge").open("wb") as file:
        file.seek(1 << 40)
        file.write(b"end")
    began = time.monotonic()
    ends.copy()
    assert time.monotonic() - began < 30
    assert (ends.target / "huge").stat().st_size == (1 << 40) + 3
    with (ends.target / "huge").open("rb") as file:
        file.seek(1 << 40)
        assert file.read() == b"end"


def test_progress_is_true_and_only_grows(ends: Ends) -> None:
    make_nasty_tree(ends.source)
    tool("sync", "--file-system", ends.source)  # blocks are counted when they are written
    ends.copy()
    last = ends.progress[-1]
    states = {state.st_ino: state for state in map(os.lstat, ends.source.rglob("*"))}
    files = [state for state in states.values() if stat.S_ISREG(state.st_mode)]
    stored = sum(min(state.st_size, state.st_blocks * 512) for state in files)
    assert last.disks[0].total == last.disks[0].done == stored
    assert last.files_done == last.files_total
    assert last.files_total == len(files)
    assert_only_grows(ends.progress)


def assert_only_grows(progress: list[WriterProgress]) -> None:
    for one, next_one in pairwise(progress):
        assert one.disks[0].done <= next_one.disks[0].done
        assert (one.files_done, one.wire, one.resent) <= (
            next_one.files_done,
            next_one.wire,
            next_one.resent,
        )


def test_what_is_excluded_neither_comes_nor_goes(ends: Ends) -> None:
    for root in (ends.source, ends.target):
        (root / "var" / "cache").mkdir(parents=True)
        (root / "var" / "cache" / "kept").write_text(str(root))
        (root / "var" / "stray.tmp").write_text(str(root))
    (ends.target / "var" / "stale").touch()
    (ends.source / "var" / "wanted").touch()
    ends.excludes = ("/var/cache/*", "*.tmp")
    ends.copy()
    assert differences(ends.source, ends.target, *ends.excludes) == ""
    assert (ends.target / "var" / "cache" / "kept").read_text() == str(ends.target)
    assert (ends.target / "var" / "stray.tmp").read_text() == str(ends.target)
    assert not (ends.target / "var" / "stale").exists()
    assert (ends.target / "var" / "wanted").exists()
