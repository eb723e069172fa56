"""What of a source can come along: each piece becomes one partition of a target disk."""

from collections.abc import Sequence
from uuid import NAMESPACE_OID, UUID, uuid5

import msgspec

from smc.base.errors import UserError
from smc.base.units import MIB
from smc.model.disk import Disk, Filesystem, Partition, Role, Table, VolumeKind
from smc.model.formats import FORMATS, smallest_size
from smc.model.places import Place, elsewhere, mounted, places
from smc.model.plan import LeftBehind, TargetPartition
from smc.model.server import Firmware, Server
from smc.model.subvolumes import subvolumes

BIOS_BOOT_BYTES = MIB  # GRUB's core image is about 100 KiB
ESP_BYTES = 256 * MIB
SLACK = 4 * MIB  # what whole MiB and the table's places may take of a size that the source has itself
NEEDED = (
    "/",
    "/boot",
    "/usr",
    "/etc",
    "/var",
    "/home",
    "/opt",
    "/root",
)  # a system without them does not boot as it was
FIXED = (*NEEDED, "/boot/efi", "/efi")  # these stay on the disk that they are on
EXTENDED = ("0x5", "0x05", "0xf", "0x0f", "0x85")  # MBR: only the frame around logical partitions
CONTAINERS = {
    "LVM2_member": "LVM",
    "linux_raid_member": "software RAID",
    "crypto_LUKS": "LUKS encryption",
    "BitLocker": "BitLocker encryption",
}
RESERVED = "e3c9e316-0b5c-4db8-817d-f92df00215ae"  # GPT: on each disk of a Windows, and no files in it


class Want(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes in whole MiB: no less than `floor`; `exact` when no more than `size` either."""

    floor: int
    size: int
    exact: bool = False


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """`target` lacks its number; its size is the source's. `filesystem`: the one whose files are copied."""

    disk: int  # where the source has it
    title: str  # as people see it on the source
    kind: VolumeKind | None = None  # where it lies on a volume there
    encrypted: bool = False  # there
    target: TargetPartition
    filesystem: Filesystem | None = None

    @property
    def key(self) -> str:
        return self.target.source or self.target.role.value

    @property
    def mount_point(self) -> str:
        return self.target.mount_point

    @property
    def is_fixed(self) -> bool:
        """Whether it must be on the disk where the source has it."""
        mounts = {self.mount_point, *(each.mount_point for each in self.target.subvolumes)}
        return not mounts.isdisjoint(FIXED) or (not self.filesystem and self.target.role is not Role.SWAP)


def pieces_of(server: Server, disk: Disk) -> list[Piece]:
    """In their order on the disk. Raises `UserError` (`Source.LayoutUnsupported`)."""
    found = []
    for place in places(server, disk):
        part = place.part
        if mounted(part):
            _check_filesystem(server, place)
        elif not _is_made(server, disk, part):
            continue
        found.append(
            Piece(
                disk=disk.index,
                title=place.title,
                kind=place.kind,
                encrypted=place.encrypted,
                target=_target(server, place),
                filesystem=part.filesystem if mounted(part) else None,
            )
        )
    return found


def missing_pieces(server: Server, found: Sequence[Piece], table: Table) -> list[Piece]:
    """What the system disk needs to start from and the source has not, or elsewhere; to be its first."""
    roles = {piece.target.role for piece in found}
    if server.firmware is Firmware.UEFI:
        return [] if Role.ESP in roles else [_esp(server)]
    return [_bios_boot(server)] if table is Table.GPT and Role.BIOS_BOOT not in roles else []


def unreadable(server: Server, disk: Disk) -> list[LeftBehind]:
    """What is no piece although there may be files on it."""
    return [
        LeftBehind(what=place.title, why=_why_unreadable(part))
        for place in places(server, disk)
        for part in [place.part]
        if not mounted(part) and not _is_made(server, disk, part) and part.role is not Role.BIOS_BOOT
        if part.type_code not in EXTENDED
    ]


def _why_unreadable(part: Partition) -> str:
    if part.type_code == RESERVED:
        return "reserved by Windows: it holds no files"
    return f"{_described(part)}: not mounted, so its files cannot be read"


def why_unusable(server: Server, disk: Disk) -> str:
    if others := elsewhere(server, disk):
        return f"what it has of {', '.join(others)} comes along from another disk"
    within = sorted(
        {_described(part) for part in disk.partitions if part.role is Role.OTHER and part.filesystem}
    )
    return "no filesystem on it is mounted" + (f" (it holds {', '.join(within)})" if within else "")


def _bios_boot(server: Server) -> Piece:
    """Where GRUB's core image has its place on a GPT."""
    target = TargetPartition(
        number=0, size=BIOS_BOOT_BYTES, role=Role.BIOS_BOOT, part_uuid=guid("", server, "0_bios_boot")
    )
    return Piece(disk=0, title="a BIOS boot partition", target=target)


def _esp(server: Server) -> Piece:
    """An empty one: what starts the copy is put there when it is made bootable."""
    target = TargetPartition(
        number=0,
        size=ESP_BYTES,
        role=Role.ESP,
        source="0_esp",
        part_uuid=guid("", server, "0_esp"),
        filesystem="vfat",
        uuid=volume_id(server, "0_esp"),
        mount_point="/boot/efi",
        features=("fat32",),
        copied=False,
    )
    return Piece(disk=0, title="an EFI system partition", target=target)


def _is_made(server: Server, disk: Disk, part: Partition) -> bool:
    """What comes along although no files of it do."""
    if part.role is Role.SWAP:
        return True
    if disk.index != 0:
        return False
    if server.firmware is Firmware.UEFI:
        return part.role is Role.ESP
    return part.role is Role.BIOS_BOOT and disk.table is Table.GPT


def want(piece: Piece, wished: int = 0, slack: int = SLACK) -> Want:
    """`slack`: how much less than the source's own size may be, where that is wished.

    Raises `UserError` (`Part.TooSmall`, `Part.TooLarge`) for a wish in bytes that cannot be."""
    own = piece.target.size
    if piece.filesystem is None or (piece.target.role is Role.ESP and not wished):
        return Want(floor=own, size=own, exact=True)
    least = smallest_size(piece.filesystem)
    wished = in_mib(wished)
    if not wished:
        return Want(floor=least, size=max(own, least))
    if wished == own:
        return Want(floor=max(least, own - slack), size=max(own, least))
    if wished < least:
        raise UserError(
            f"{wished} bytes are too small for {piece.mount_point} ({piece.title}):"
            f" the smallest size that works is {least} bytes",
            code="Part.TooSmall",
            hint=f"Ask for at least {least} bytes.",
        )
    if wished > (most := max(FORMATS[piece.filesystem.type].largest_size(piece.filesystem), least)):
        raise UserError(
            f"{wished} bytes are too large for {piece.mount_point} ({piece.title}):"
            f" a filesystem as the source has it ends at {most} bytes",
            code="Part.TooLarge",
            hint=f"Ask for {least} to {most} bytes.",
        )
    return Want(floor=wished, size=wished, exact=True)


def in_mib(size: int) -> int:
    """Rounded up to whole MiB."""
    return -(-size // MIB) * MIB


def guid(text: str, server: Server, name: str) -> str:
    """The source's where GPT can hold it; an MBR disk has none: then always the same for the same source."""
    try:
        return str(UUID(text))
    except ValueError:
        return str(uuid5(NAMESPACE_OID, f"{server.fingerprint}/{name}"))


def volume_id(server: Server, name: str) -> str:
    """A FAT's serial number as blkid writes it."""
    text = guid("", server, name).upper()
    return f"{text[:4]}-{text[4:8]}"


def _check_filesystem(server: Server, place: Place) -> None:
    part = place.part
    filesystem = part.filesystem
    assert filesystem is not None
    kind = FORMATS.get(filesystem.type)
    if kind is None:
        cure = f"Only {', '.join(FORMATS)} can be laid out yet; unmount it to leave it behind."
    elif part.role not in (Role.FILESYSTEM, Role.ESP):
        cure = "Its partition is not marked as one for filesystems; unmount it to leave it behind."
    else:
        cure = kind.refusal(filesystem)
    if cure:
        raise UserError(
            f"{filesystem.mount_point} on {server.hostname} ({place.title}) is {_described(part)}",
            code="Source.LayoutUnsupported",
            hint=cure,
        )


def _described(part: Partition) -> str:
    kind = part.filesystem.type if part.filesystem else part.role.value
    return CONTAINERS.get(kind, kind or "unknown")


def _target(server: Server, place: Place) -> TargetPartition:
    name, part = place.key, place.part
    common = TargetPartition(
        number=0,
        size=in_mib(part.size),
        role=part.role,
        source=name,
        part_uuid=guid(part.part_uuid, server, name),
        part_label=part.part_label,
        bootable=part.bootable,
    )
    filesystem = part.filesystem
    if part.role is Role.ESP and not mounted(part):
        return _unmounted_esp(server, common, filesystem)
    if filesystem is None or part.role is Role.BIOS_BOOT:
        return msgspec.structs.replace(common, filesystem="swap" if part.role is Role.SWAP else "")
    common = msgspec.structs.replace(
        common, filesystem=filesystem.type, uuid=filesystem.uuid, label=filesystem.label
    )
    if part.role is Role.SWAP:
        return msgspec.structs.replace(common, filesystem="swap")
    kind = FORMATS[filesystem.type]
    return msgspec.structs.replace(
        common,
        mount_point=filesystem.mount_point,
        features=kind.kept_features(filesystem),
        block_size=filesystem.block_size or kind.block_size,
        inode_size=filesystem.inode_size or kind.inode_size,
        subvolumes=subvolumes(name, filesystem),
        storing=filesystem.storing,
    )


def _unmounted_esp(server: Server, common: TargetPartition, found: Filesystem | None) -> TargetPartition:
    """Its files cannot be read, and are not needed: the copy's own boot loader is put there."""
    fat = found if found and found.type == "vfat" else Filesystem(type="vfat", features=("fat32",))
    return msgspec.structs.replace(
        common,
        filesystem="vfat",
        uuid=fat.uuid or volume_id(server, common.source),
        label=fat.label,
        mount_point="/boot/efi",
        features=FORMATS["vfat"].kept_features(fat),
        copied=False,
    )
