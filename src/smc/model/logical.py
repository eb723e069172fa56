"""LVM at the target: which disks get a volume group, what is a volume in it, and what it takes for itself.

A disk's group is `vg<disk index>` on one physical volume, a mount point is `lv<n>`. What starts the copy
stays outside, on partitions: no firmware and not every boot loader reads LVM.
"""

from collections.abc import Iterator

from smc.base.errors import UserError
from smc.base.units import MIB
from smc.model.disk import Disk, Role
from smc.model.places import mounts
from smc.model.server import Server
from smc.model.wishes import Wishes

EXTENT = 4 * MIB  # vgcreate's own default, and what the public API rounds to
GROUP_BYTES = EXTENT  # 1 MiB of metadata before the first extent, and less than an extent after the last
OUTSIDE = ("/boot", "/boot/efi", "/efi")
CODE = "UnsupportedParameter.LVM"
OLDEST_KERNEL = 4  # of Debian with XFS (service-facts, Disks)


def disks_with_group(server: Server, wishes: Wishes) -> frozenset[int]:
    """Raises `UserError` for a source that cannot start from LVM."""
    if not wishes.lvm:
        return frozenset()
    if 0 in wishes.lvm and "/boot" not in _mounts(server, server.disks[0]):
        raise UserError(
            f"the system disk of {server.hostname} has no boot partition of its own, so it cannot be on LVM",
            code=CODE,
            hint="Leave LVM out for the system disk, or mount /boot from a partition of its own first.",
        )
    return frozenset() if why_without_effect(server) else wishes.lvm


def why_without_effect(server: Server) -> str:
    """Why the copy could not be on LVM, and gets plain partitions although it was asked for; "" if it can."""
    if "lvm2" not in server.tools:
        return "lvm2 is not installed on the source"
    major = server.kernel.partition(".")[0]
    old = major.isdigit() and int(major) < OLDEST_KERNEL
    if old and server.os.id == "debian" and "xfs" in _types(server):
        return f"Debian with the kernel {server.kernel} cannot have XFS on it"
    return ""


def warnings(server: Server, wishes: Wishes) -> Iterator[str]:
    why = why_without_effect(server) if wishes.lvm else ""
    for disk in server.disks:
        if why and disk.index in wishes.lvm:
            yield f"disk {disk.index} ({disk.path}) gets plain partitions instead of LVM: {why}"


def may_be_volume(role: Role, mount_point: str) -> bool:
    """Of what is on a disk with a group: swap and what starts the copy are partitions beside it."""
    return role is Role.FILESYSTEM and bool(mount_point) and mount_point not in OUTSIDE


def group_name(index: int) -> str:
    return f"vg{index}"


def _mounts(server: Server, disk: Disk) -> set[str]:
    return {place.part.filesystem.mount_point for place in mounts(server, disk) if place.part.filesystem}


def _types(server: Server) -> set[str]:
    return {
        place.part.filesystem.type
        for disk in server.disks
        for place in mounts(server, disk)
        if place.part.filesystem
    }
