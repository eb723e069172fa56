"""Which drivers a kernel has, and which of them its initramfs loads before the root filesystem is there."""

import re
from enum import Enum

import msgspec

from smc.guest.root import Root

MODULE_SUFFIX = re.compile(r"\.ko(\.(gz|xz|zst|bz2))?$")
DISK = ("virtio_pci", "virtio_blk")  # the system disk of the new machine
OTHER_DISKS = ("virtio_scsi", "nvme")  # of other instance types; welcome, not needed
NETWORK = ("virtio_net",)  # loaded later, from the root filesystem
MAPPED = ("dm_mod",)  # where the root filesystem is a logical volume
FILESYSTEMS = {"ext2": ("ext4", "ext2"), "ext3": ("ext4", "ext3")}  # the first that the kernel has reads it


class Where(Enum):
    BUILT_IN = "built into the kernel"
    IN_IMAGE = "in the initramfs"
    IN_KERNEL = "a module of the kernel that is not in the initramfs"
    ABSENT = "not a part of this kernel"


READY = (Where.BUILT_IN, Where.IN_IMAGE)


class Drivers(msgspec.Struct, frozen=True):
    """Of one kernel: built-in drivers, and its modules with all that each depends on."""

    built_in: frozenset[str]
    modules: dict[str, frozenset[str]]

    def has(self, name: str) -> bool:
        return name in self.built_in or name in self.modules

    def reader_of(self, filesystem: str) -> str:
        """The driver for a filesystem; its own name where this kernel has none."""
        return next((name for name in FILESYSTEMS.get(filesystem, ()) if self.has(name)), filesystem)

    def where(self, name: str, image: frozenset[str]) -> Where:
        """`image` has the modules that its initramfs holds."""
        if name in self.built_in:
            return Where.BUILT_IN
        if name not in self.modules:
            return Where.ABSENT
        return Where.IN_IMAGE if {name, *self.modules[name]} <= image | self.built_in else Where.IN_KERNEL


def read_drivers(root: Root, folder: str) -> Drivers:
    """From modules.builtin and modules.dep (kmod); depmod writes there all that a module depends on."""
    built_in = frozenset(map(module_name, (root.read(f"{folder}/modules.builtin") or "").split()))
    modules = {}
    for line in (root.read(f"{folder}/modules.dep") or "").splitlines():
        path, _, needs = line.partition(":")
        modules[module_name(path)] = frozenset(map(module_name, needs.split()))
    return Drivers(built_in, modules)


def module_name(path: str) -> str:
    """kernel/drivers/block/virtio_blk.ko.xz -> virtio_blk; the kernel takes - and _ for the same."""
    return MODULE_SUFFIX.sub("", path.rsplit("/", 1)[-1]).replace("-", "_")


def is_module(path: str) -> bool:
    return MODULE_SUFFIX.search(path) is not None
