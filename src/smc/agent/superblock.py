"""What lies on a partition, by its own signature: type, UUID, label, and how an ext filesystem is made."""

import struct
import uuid
from collections.abc import Callable

import msgspec

from smc.model import btrfs, xfs

Read = Callable[[int, int], bytes]  # offset, size -> so many bytes, or fewer at the end

EXT_AT = 1024
EXT_MAGIC = 0xEF53
EXT_COMPAT = {
    0x1: "dir_prealloc",
    0x2: "imagic_inodes",
    0x4: "has_journal",
    0x8: "ext_attr",
    0x10: "resize_inode",
    0x20: "dir_index",
    0x200: "sparse_super2",
    0x400: "fast_commit",
    0x800: "stable_inodes",
    0x1000: "orphan_file",
}
EXT_INCOMPAT = {
    0x1: "compression",
    0x2: "filetype",
    0x4: "needs_recovery",
    0x8: "journal_dev",
    0x10: "meta_bg",
    0x40: "extent",
    0x80: "64bit",
    0x100: "mmp",
    0x200: "flex_bg",
    0x400: "ea_inode",
    0x1000: "dirdata",
    0x2000: "metadata_csum_seed",
    0x4000: "large_dir",
    0x8000: "inline_data",
    0x10000: "encrypt",
    0x20000: "casefold",
}
EXT_RO_COMPAT = {
    0x1: "sparse_super",
    0x2: "large_file",
    0x8: "huge_file",
    0x10: "uninit_bg",
    0x20: "dir_nlink",
    0x40: "extra_isize",
    0x100: "quota",
    0x200: "bigalloc",
    0x400: "metadata_csum",
    0x800: "replica",
    0x1000: "read-only",
    0x2000: "project",
    0x4000: "shared_blocks",
    0x8000: "verity",
    0x10000: "orphan_present",
}
EXT3_INCOMPAT = 0x2 | 0x4 | 0x10  # what the ext3 driver knew (linux/fs/ext3, EXT3_FEATURE_*_SUPP)
EXT3_RO_COMPAT = 0x1 | 0x2
SWAP_PAGES = (4096, 65536, 16384, 8192)
MD_MAGIC = 0xA92B4EFC


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """`type` is the kernel's name of a filesystem, `swap`, or libblkid's name of a container."""

    type: str
    uuid: str = ""
    label: str = ""
    features: tuple[str, ...] = ()
    block_size: int = 0
    inode_size: int = 0


def recognise(read: Read, size: int) -> Found | None:
    """What fills a device of `size` bytes, or None for what is not known.

    Containers first: what was a filesystem before often still shows inside them.
    """
    for look in (_luks, _bitlocker, _lvm, _md, _ext, _swap, _xfs, _btrfs, _ntfs, _fat):
        if found := look(read, size):
            return found
    return None


def _ext(read: Read, _size: int) -> Found | None:
    """linux/fs/ext4/ext4.h, struct ext4_super_block."""
    block = read(EXT_AT, 1024)
    if len(block) < 1024 or struct.unpack_from("<H", block, 0x38)[0] != EXT_MAGIC:
        return None
    (revision,) = struct.unpack_from("<I", block, 0x4C)
    compat, incompat, ro_compat = struct.unpack_from("<III", block, 0x5C) if revision else (0, 0, 0)
    (log_block_size,) = struct.unpack_from("<I", block, 0x18)
    (inode_size,) = struct.unpack_from("<H", block, 0x58) if revision else (128,)
    if incompat & ~EXT3_INCOMPAT or ro_compat & ~EXT3_RO_COMPAT:
        kind = "ext4"
    else:
        kind = "ext3" if compat & 0x4 else "ext2"
    return Found(
        type=kind,
        uuid=_uuid(block[0x68:0x78]),
        label=_text(block[0x78:0x88]),
        features=tuple(
            name
            for bits, names in ((compat, EXT_COMPAT), (incompat, EXT_INCOMPAT), (ro_compat, EXT_RO_COMPAT))
            for bit, name in names.items()
            if bits & bit
        ),
        block_size=1024 << min(log_block_size, 6),
        inode_size=inode_size,
    )


def _ntfs(read: Read, _size: int) -> Found | None:
    """Its boot sector: the name at 3, the serial number at 72 (ntfs-3g, layout.h). The label is a file."""
    block = read(0, 512)
    if block[3:11] != b"NTFS    " or len(block) < 512:
        return None
    return Found(type="ntfs", uuid=f"{int.from_bytes(block[72:80], 'little'):016X}")


def _bitlocker(read: Read, _size: int) -> Found | None:
    """Where NTFS has its name (libblkid, superblocks/bitlocker.c)."""
    return Found(type="BitLocker") if read(3, 8) == b"-FVE-FS-" else None


def _swap(read: Read, _size: int) -> Found | None:
    """linux/include/linux/swap.h, union swap_header: the signature ends the first page."""
    for page in SWAP_PAGES:
        if read(page - 10, 10) == b"SWAPSPACE2":
            head = read(1024, 44)
            return Found(type="swap", uuid=_uuid(head[12:28]), label=_text(head[28:44]), block_size=page)
    return None


def _xfs(read: Read, _size: int) -> Found | None:
    """linux/fs/xfs/libxfs/xfs_format.h, struct xfs_dsb."""
    block = read(0, 512)
    if not block.startswith(b"XFSB") or len(block) < 512:
        return None
    (block_size,) = struct.unpack_from(">I", block, 4)
    version, _, inode_size = struct.unpack_from(">HHH", block, 100)
    flags2, _, _, ro_compat, incompat = struct.unpack_from(">IIIII", block, 200)
    return Found(
        type="xfs",
        uuid=_uuid(block[32:48]),
        label=_text(block[108:120]),
        features=xfs.features(version, flags2, ro_compat, incompat),
        block_size=block_size,
        inode_size=inode_size,
    )


def _btrfs(read: Read, _size: int) -> Found | None:
    """linux/btrfs_tree.h, struct btrfs_super_block."""
    block = read(0x10000, 1024)
    if block[0x40:0x48] != b"_BHRfS_M" or len(block) < 1024:
        return None
    sector_size, node_size = struct.unpack_from("<II", block, 0x90)
    compat_ro, incompat = struct.unpack_from("<QQ", block, 0xB4)
    (checksum,) = struct.unpack_from("<H", block, 0xC4)
    return Found(
        type="btrfs",
        uuid=_uuid(block[0x20:0x30]),
        label=_text(block[0x12B : 0x12B + 256]),
        features=btrfs.features(incompat, compat_ro, checksum),
        block_size=sector_size,
        inode_size=node_size,
    )


def _fat(read: Read, _size: int) -> Found | None:
    block = read(0, 512)
    if len(block) < 512 or block[510:512] != b"\x55\xaa":
        return None
    for at, name, kind in (
        (82, b"FAT32   ", "fat32"),
        (54, b"FAT16   ", "fat16"),
        (54, b"FAT12   ", "fat12"),
    ):
        if block[at : at + 8] == name:
            serial = block[at - 15 : at - 11]
            label = block[at - 11 : at].decode("ascii", "replace").strip()
            volume = f"{int.from_bytes(serial[2:], 'little'):04X}-{int.from_bytes(serial[:2], 'little'):04X}"
            label = "" if label == "NO NAME" else label
            return Found(type="vfat", uuid=volume, label=label, features=(kind,))
    return None


def _luks(read: Read, _size: int) -> Found | None:
    block = read(0, 208)
    if not block.startswith(b"LUKS\xba\xbe"):
        return None
    return Found(type="crypto_LUKS", uuid=_text(block[168:208]))


def _lvm(read: Read, _size: int) -> Found | None:
    for sector in range(4):
        label = read(sector * 512, 64)
        if label.startswith(b"LABELONE") and label[24:32] == b"LVM2 001":
            name = label[32:64].decode("ascii", "replace")
            parts = (name[:6], *(name[at : at + 4] for at in range(6, 26, 4)), name[26:])
            return Found(type="LVM2_member", uuid="-".join(parts))
    return None


def _md(read: Read, size: int) -> Found | None:
    """linux/raid/md_p.h: version 1.1 at the start, 1.2 after 4 KiB, 1.0 and 0.90 at the end."""
    for at in (0, 4096, (size // 512 - 16) // 8 * 8 * 512):
        block = read(at, 32) if at >= 0 else b""
        if len(block) == 32 and struct.unpack_from("<II", block) == (MD_MAGIC, 1):
            return Found(type="linux_raid_member", uuid=_uuid(block[16:32]))
    old = size // 65536 * 65536 - 65536
    if old > 0 and read(old, 8)[:4] in {MD_MAGIC.to_bytes(4, "little"), MD_MAGIC.to_bytes(4, "big")}:
        return Found(type="linux_raid_member")
    return None


def _uuid(data: bytes) -> str:
    return str(uuid.UUID(bytes=data)) if any(data) else ""


def _text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode("utf-8", "replace").strip()
