"""What a source server tells beyond its hardware: what a drill judges before anything is moved."""

import msgspec


class Kernel(msgspec.Struct, frozen=True, kw_only=True):
    """A kernel that is installed: `virtio` names its drivers for disks and network of the new machine."""

    version: str
    image: str = ""  # path below /boot, "" when its file is missing
    initramfs: str = ""
    virtio: tuple[str, ...] = ()
    running: bool = False


class FstabEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of /etc/fstab that names a device or a network filesystem."""

    device: str
    mount_point: str
    type: str
    options: str = ""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """`load` is the average of a minute for each core. Times and sizes are of the moment."""

    load: float = 0.0
    boot_free: int = 0  # bytes left on the filesystem that holds /boot
    kernels: tuple[Kernel, ...] = ()
    fstab: tuple[FstabEntry, ...] = ()
    firewalls: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()  # settings of the system that name one
    databases: tuple[str, ...] = ()  # programs that run and write all the time
    hooks: tuple[str, ...] = ()  # the owner's scripts around the last pass: `before/10-postgresql`
    network_style: tuple[str, ...] = ()  # files of the system that configure network cards
    foreign_mounts: tuple[tuple[str, str], ...] = ()  # mount point and type of what is no local filesystem
    mapped: tuple[str, ...] = ()  # mount points that lie on LVM, RAID or LUKS, with the kind: `/srv lvm`
