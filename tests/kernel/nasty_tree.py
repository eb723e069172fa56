"""A tree with everything that a copy can get wrong, made with calls other than the copy's own."""

import os
import random
import socket
import stat
import struct
import subprocess
from pathlib import Path

ACL_VERSION = 2
USER_OBJ, USER, GROUP_OBJ, MASK, OTHER = 1, 2, 4, 0x10, 0x20
CAP_NET_BIND = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)  # vfs_cap_data v2, effective


def make_nasty_tree(root: Path, seed: int = 1, *, longest_link: int = 4000) -> None:
    chance = random.Random(seed)
    names_and_kinds(root, chance, longest_link)
    owners_and_modes(root)
    sparse(root, chance)
    links(root)
    attributes(root)
    crowd(root, chance)
    times(root)
    locked(root)  # last: nothing can be changed below afterwards


def release(root: Path) -> None:
    """So that it can be removed."""
    subprocess.run(["chattr", "-R", "-f", "-i", "-a", root], check=False, capture_output=True)


def names_and_kinds(root: Path, chance: random.Random, longest_link: int) -> None:
    odd = root / "odd"
    odd.mkdir()
    for name in (
        b"with space", b"new\nline", b"-rf", b"*", b"[a]", b"back\\slash", b"caf\xe9 latin1", b"\xff\xfe",
        "schön".encode(), b"quote'\"", b"." * 3, b"x" * 255, b"\x01\x7f", b"tab\t", b"#hash", b"~",
    ):  # fmt: skip
        (odd / os.fsdecode(name)).write_bytes(name * 3)
    deep = root / "deep"
    deep.mkdir()
    here = os.open(deep, os.O_RDONLY)
    for _ in range(36):  # as long as rsync can follow
        os.mkdir("d" * 100, dir_fd=here)
        below = os.open("d" * 100, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    bottom = os.open("bottom", os.O_CREAT | os.O_WRONLY, dir_fd=here)
    os.write(bottom, b"deep down")
    os.close(bottom)
    os.close(here)
    kinds = root / "kinds"
    kinds.mkdir()
    os.mkfifo(kinds / "fifo", 0o640)
    os.mknod(kinds / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(kinds / "disk", stat.S_IFBLK | 0o660, os.makedev(259, 70000))
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(kinds, os.O_RDONLY)
        listening.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)
    (kinds / "link").symlink_to("nowhere/at all")
    (kinds / "absolute").symlink_to("/etc/passwd")
    (kinds / "long link").symlink_to("l" * longest_link)
    (kinds / "bytes link").symlink_to(os.fsdecode(b"\xff\xfe"))
    (kinds / "empty").touch()
    (kinds / "empty folder").mkdir()
    (kinds / "one byte").write_bytes(b"\0")
    (kinds / "large").write_bytes(chance.randbytes(5_000_000))
    (kinds / "zeros").write_bytes(bytes(3_000_000))
    for exponent in (12, 16, 18, 20):
        for around in (-1, 0, 1):
            size = (1 << exponent) + around
            (kinds / f"size {size}").write_bytes(chance.randbytes(size))


def owners_and_modes(root: Path) -> None:
    modes = root / "modes"
    modes.mkdir()
    for mode in (0o0, 0o400, 0o644, 0o755, 0o4755, 0o2755, 0o6711, 0o1777, 0o7777):
        for uid, gid in ((0, 0), (1000, 1000), (4_000_000_000, 3_999_999_999)):
            path = modes / f"{mode:o} {uid} {gid}"
            path.write_text("#!/bin/sh\n")
            os.chown(path, uid, gid)
            path.chmod(mode)
    for mode in (0o700, 0o1777, 0o2775, 0o0):
        folder = modes / f"folder {mode:o}"
        folder.mkdir()
        (folder / "inside").write_text("x")
        os.chown(folder, 1000, 33)
        folder.chmod(mode)
    (modes / "their link").symlink_to("x")
    os.lchown(modes / "their link", 1000, 1001)


def sparse(root: Path, chance: random.Random) -> None:
    folder = root / "sparse"
    folder.mkdir()
    with (folder / "one hole").open("wb") as file:
        file.truncate(600 << 20)
    with (folder / "islands").open("wb") as file:
        for offset in (0, 4096 * 5, (1 << 20) - 4096, 1 << 20, 70 << 20, (90 << 20) + 123):
            file.seek(offset)
            file.write(chance.randbytes(5000))
        file.truncate(100 << 20)
    with (folder / "tail").open("wb") as file:
        file.seek(10_000_000)
        file.write(b"end")
    with (folder / "small").open("wb") as file:
        file.seek(50_000)
        file.write(b"x")
    with (folder / "allocated").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 3 << 20)
        file.write(b"swap")


def links(root: Path) -> None:
    folder = root / "links"
    (folder / "a").mkdir(parents=True)
    (folder / "z").mkdir()
    (folder / "z" / "first").write_bytes(b"shared" * 100_000)
    for name in ("a/other", "a/third", "z/second", "b"):
        os.link(folder / "z" / "first", folder / name)
    (folder / "symbolic").symlink_to("a")
    os.link(folder / "symbolic", folder / "symbolic too", follow_symlinks=False)
    os.mkfifo(folder / "fifo")
    os.link(folder / "fifo", folder / "a" / "fifo")
    (folder / "alike 1").write_bytes(b"same content, other file")
    (folder / "alike 2").write_bytes(b"same content, other file")


def attributes(root: Path) -> None:
    folder = root / "attributes"
    folder.mkdir()
    plain = folder / "plain"
    plain.write_text("x")
    os.setxattr(plain, "user.note", b"\0binary\xff")
    os.setxattr(plain, "user.empty", b"")
    os.setxattr(plain, "trusted.seen", b"1")
    os.setxattr(plain, "user.long", b"v" * 2000)
    able = folder / "able"
    able.write_text("#!/bin/sh\n")
    able.chmod(0o755)
    os.setxattr(able, "security.capability", CAP_NET_BIND)
    os.setxattr(able, "security.selinux", b"system_u:object_r:bin_t:s0\0")
    (folder / "labelled link").symlink_to("plain")
    os.setxattr(
        folder / "labelled link", "security.selinux", b"system_u:object_r:etc_t:s0\0", follow_symlinks=False
    )
    os.mkfifo(folder / "labelled fifo")
    os.setxattr(folder / "labelled fifo", "trusted.fifo", b"yes")
    for path in (folder / "shared", folder / "shared folder"):
        path.mkdir() if path.name.endswith("folder") else path.write_text("x")
        os.setxattr(path, "system.posix_acl_access", acl((USER, 6, 1000), mask=6))
    os.setxattr(folder / "shared folder", "system.posix_acl_default", acl((USER, 7, 1001), mask=7))
    (folder / "shared folder" / "inherits").write_text("x")
    bare = folder / "shared folder" / "does not inherit"
    bare.write_text("x")
    os.removexattr(bare, "system.posix_acl_access")
    bare.chmod(0o604)
    os.setxattr(root, "user.root", b"of the tree")


def acl(*named: tuple[int, int, int], mask: int) -> bytes:
    """linux/posix_acl_xattr.h: version, then tag, permissions and id of each entry."""
    nobody = 0xFFFFFFFF
    entries = [
        (USER_OBJ, 6, nobody),
        *named,
        (GROUP_OBJ, 4, nobody),
        (MASK, mask, nobody),
        (OTHER, 0, nobody),
    ]
    return struct.pack("<I", ACL_VERSION) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def crowd(root: Path, chance: random.Random) -> None:
    folder = root / "crowd"
    for number in range(1500):
        path = folder / f"{number % 30}" / f"{number % 7}" / f"file {number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(chance.randrange(3000)))
    many = root / "many"
    many.mkdir()
    for number in range(700):  # more than one part of a listing
        (many / f"{number:04}").touch()


def times(root: Path) -> None:
    folder = root / "times"
    folder.mkdir()
    for at in (0, 1, 999_999_999, 1_700_000_000_123_456_789, 4_000_000_000_000_000_001, -1_000_000_001):
        path = folder / f"at {at}"
        path.write_text("x")
        os.utime(path, ns=(at, at))
        link = folder / f"link {at}"
        link.symlink_to("x")
        os.utime(link, ns=(at, at), follow_symlinks=False)
        below = folder / f"folder {at}"
        below.mkdir()
        (below / "inside").write_text("x")
        os.utime(below, ns=(at, at))
    os.utime(root / "kinds" / "fifo", ns=(5, 5))
    os.utime(root, ns=(1_600_000_000_000_000_007,) * 2)


def locked(root: Path) -> None:
    folder = root / "locked"
    folder.mkdir()
    (folder / "immutable").write_text("x")
    os.link(folder / "immutable", folder / "immutable too")
    (folder / "append only").write_text("x")
    (folder / "nodump").write_text("x")
    (folder / "sealed folder").mkdir()
    (folder / "sealed folder" / "inside").write_text("x")
    for flag, name in (("+i", "immutable"), ("+a", "append only"), ("+d", "nodump"), ("+i", "sealed folder")):
        subprocess.run(["chattr", flag, folder / name], check=True)
    os.utime(root, ns=(1_600_000_000_000_000_007,) * 2)
