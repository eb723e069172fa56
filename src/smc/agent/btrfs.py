"""The subvolumes of a mounted btrfs, asked from the kernel (linux/btrfs.h, btrfs_tree.h)."""

import fcntl
import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

TREE_SEARCH = 0xD0009411  # _IOWR(0x94, 17, 4096 bytes)
INO_LOOKUP = 0xD0009412  # _IOWR(0x94, 18, 4096 bytes)
ARGUMENT = 4096
KEY = struct.Struct("<7Q4I32x")  # btrfs_ioctl_search_key
HEADER = struct.Struct("<3Q2I")  # btrfs_ioctl_search_header
BACKREF = struct.Struct("<QQH")  # btrfs_root_ref
LAST = (1 << 64) - 1
ROOT_TREE = 1
TOP = 5  # the subvolume that holds all others
ROOT_TREE_DIR = 6
FIRST, LAST_ID = 256, LAST - 255
DIR_ITEM, ROOT_ITEM, ROOT_BACKREF = 84, 132, 144
FLAGS_AT = 208  # in btrfs_root_item
PARENT_AT = 263
READ_ONLY = 1


class Listed(NamedTuple):
    """`path` below the top, without a slash before it; "" for the top itself."""

    path: str
    is_default: bool
    is_snapshot: bool  # read-only, of another subvolume
    is_clone: bool  # of another one too, and can be written


def list_subvolumes(mount_point: str) -> list[Listed]:
    """What holds another before it. Raises `OSError`."""
    handle = os.open(mount_point, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        default = _default(handle)
        copies = {number: _copied(item) for number, _, item in _search(handle, ROOT_ITEM, FIRST, LAST_ID)}
        places = {
            number: (parent, *_backref(item))
            for number, parent, item in _search(handle, ROOT_BACKREF, FIRST, LAST_ID)
        }
        found = [Listed("", default == TOP, False, False)]
        for number in places:
            path = _path(handle, number, places)
            found.append(Listed(path, number == default, *copies.get(number, (False, False))))
    finally:
        os.close(handle)
    return sorted(found)


def _default(handle: int) -> int:
    for _, _, item in _search(handle, DIR_ITEM, ROOT_TREE_DIR, ROOT_TREE_DIR):
        (number,) = struct.unpack_from("<Q", item)
        (length,) = struct.unpack_from("<H", item, 27)
        if item[30 : 30 + length] == b"default":
            return int(number)
    return TOP


def _copied(item: bytes) -> tuple[bool, bool]:
    """Whether it is a read-only copy of another, whether one that can be written."""
    if len(item) < PARENT_AT + 16 or not any(item[PARENT_AT : PARENT_AT + 16]):  # short: before Linux 3.6
        return False, False
    (flags,) = struct.unpack_from("<Q", item, FLAGS_AT)
    return bool(flags & READ_ONLY), not flags & READ_ONLY


def _backref(item: bytes) -> tuple[int, bytes]:
    folder, _, length = BACKREF.unpack_from(item)
    return folder, item[BACKREF.size : BACKREF.size + length]


def _path(handle: int, number: int, places: dict[int, tuple[int, int, bytes]]) -> str:
    names: list[bytes] = []
    while number in places:
        parent, folder, name = places[number]
        names.append(_folder(handle, parent, folder) + name)
        number = parent
    return os.fsdecode(b"/".join(reversed(names)))


def _folder(handle: int, tree: int, inode: int) -> bytes:
    """Path of a folder in its subvolume, with a slash behind it; b"" for the root of one."""
    argument = bytearray(struct.pack("<QQ", tree, inode).ljust(ARGUMENT, b"\0"))
    fcntl.ioctl(handle, INO_LOOKUP, argument)
    return bytes(argument[16:]).split(b"\0", 1)[0]


def _search(handle: int, kind: int, first: int, last: int) -> Iterator[tuple[int, int, bytes]]:
    """Object, offset and content of the items of one kind in the tree of trees."""
    offset, least = 0, kind
    while True:
        key = KEY.pack(ROOT_TREE, first, last, offset, LAST, 0, LAST, least, kind, ARGUMENT, 0)
        argument = bytearray(key.ljust(ARGUMENT, b"\0"))
        fcntl.ioctl(handle, TREE_SEARCH, argument)
        count = KEY.unpack_from(argument)[9]
        if not count:
            return
        at = KEY.size
        for _ in range(count):
            _, number, where, found, length = HEADER.unpack_from(argument, at)
            at += HEADER.size
            if found == kind:  # the kernel gives all between the two keys
                yield number, where, bytes(argument[at : at + length])
            at += length
            first, least, offset = number, found, where + 1
