"""Running the guest's own programs on its copy, in namespaces of their own that end with the program.

The program sees the copy as its root and nothing of the intermediate instance: not its filesystems, not its
network, of its devices only the disks of the copy, and no firmware, so that GRUB behaves as on the BIOS
machine it will be. The boot disk has the name there that it will have on the new machine; what GRUB writes
down is then right. Nothing can be mounted there, so that a hostile program does not get at the devices and
files of the intermediate instance; a fault of the kernel would still let it out, and whoever runs this has
given up its keys before.
"""

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from smc.base.errors import Broken
from smc.base.run import Arg, Output, Run
from smc.guest.root import Root
from smc.guest.volumes import SYSTEM_DISK, Copy, Volume, mapped_name

NAMESPACES = ("--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--kill-child")
WITHHELD = (
    "sys_admin,mknod,sys_module,sys_rawio,sys_time,sys_boot,sys_ptrace,syslog,net_admin,net_raw,audit_control"
)
ENVIRONMENT = (
    "TMPDIR=/tmp",
    "DEBIAN_FRONTEND=noninteractive",
    "GRUB_DISABLE_OS_PROBER=true",  # it would write the systems of the intermediate instance into grub.cfg
)
MOUNT_POINTS = {"/dev": 0o755, "/proc": 0o555, "/sys": 0o555, "/run": 0o755, "/tmp": 0o1777}  # noqa: S108
DEVICES = ((1, 3, "null"), (1, 5, "zero"), (1, 7, "full"), (1, 8, "random"), (1, 9, "urandom"), (5, 0, "tty"))

# $1 root, $2 folder for /tmp, $3 device list, $4 capabilities withheld, then the program
MOUNT = """
root=$1 tmp=$2 devices=$3 withheld=$4; shift 4
mount --rbind "$root" "$root"
cd "$root"
mount -t tmpfs -o mode=755,nosuid,size=16m smc-dev dev
mount -t proc -o nosuid,nodev,noexec proc proc
mount --bind proc/sys proc/sys && mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
if [ -d sys/firmware ]; then mount -t tmpfs -o ro,mode=555 smc-none sys/firmware; fi
mount -t tmpfs -o mode=755,nosuid,nodev,size=64m smc-run run
mkdir run/lock
mount --bind "$tmp" tmp
umask 0
printf '%s\\n' "$devices" | while read -r kind name first second; do
    case $kind in
        c) mknod -m 666 "dev/$name" c "$first" "$second" ;;
        b) mkdir -p -m 755 "$(dirname "dev/$name")"; mknod -m 600 "dev/$name" b "$first" "$second" ;;
        l) mkdir -p -m 755 "$(dirname "dev/$name")"; ln -s "$first" "dev/$name" ;;
    esac
done
umask 022
mkdir dev/shm dev/.smc
setpriv=$(command -v setpriv)
cp -L "$setpriv" $(ldd "$setpriv" | grep -o '/[^ ]*') dev/.smc/
for name in usr/bin/os-prober usr/bin/linux-boot-prober; do
    if [ -f "$name" ] && [ ! -L "$name" ]; then mount --bind /bin/true "$name"; fi
done
pivot_root . .
umount -l .
cd /
exec /dev/.smc/ld-linux* --library-path /dev/.smc /dev/.smc/setpriv --bounding-set="$withheld" -- "$@"
"""


@dataclass(frozen=True)
class Guest:
    """The programs of the copied system. Nothing stays mounted and nothing keeps running after a call."""

    root: Root
    copy: Copy
    volumes: tuple[Volume, ...]
    run: Run

    def __call__(self, *argv: Arg, timeout: float) -> Output:
        """Raises `CommandFailed` as `base.run` does; `Broken` when the copy's /dev is no folder."""
        self._prepare_mount_points()
        withheld = ",".join(f"-{name}" for name in WITHHELD.split(","))
        devices = "\n".join(self._devices())
        with tempfile.TemporaryDirectory(prefix="smc-guest-", ignore_cleanup_errors=True) as tmp:
            Path(tmp).chmod(0o1777)
            sandbox = ("sh", "-euc", MOUNT, "sh", self.root.path, tmp, devices, withheld)
            command = ("env", *ENVIRONMENT, *argv)
            return self.run("unshare", *NAMESPACES, *sandbox, *command, timeout=timeout)

    def _prepare_mount_points(self) -> None:
        for path, mode in MOUNT_POINTS.items():
            self.root.make_folder(path, "a system mounts its kernel's filesystems there", mode=mode)
            found = self.root.stat(path, follow=False)
            if not found or not stat.S_ISDIR(found.st_mode):
                raise Broken(
                    f"{path} on the copy is not a folder, so its programs cannot be run",
                    code="Guest.NoMountPoint",
                    hint=f"Make {path} a folder on the source and start the job again.",
                )

    def _devices(self) -> list[str]:
        """Lines of `c NAME MAJOR MINOR`, `b NAME MAJOR MINOR` and `l NAME TARGET`."""
        lines = [f"c {name} {major} {minor}" for major, minor, name in DEVICES]
        lines += ["l fd /proc/self/fd", "l stdin fd/0", "l stdout fd/1", "l stderr fd/2"]
        disk = self.copy.boot_disk
        names = {disk: Path(SYSTEM_DISK).name} | {
            device: f"{Path(SYSTEM_DISK).name}{number}" for number, device in _partitions(disk).items()
        }
        for volume in self.volumes:
            names.setdefault(volume.device, name_of(volume))
        for device, name in names.items():
            found = device.stat() if device.exists() else None
            if not found or not stat.S_ISBLK(found.st_mode):
                continue
            lines.append(f"b {name} {os.major(found.st_rdev)} {os.minor(found.st_rdev)}")
            if device.name != name.rsplit("/", 1)[-1] and device.name not in names.values():
                lines.append(f"l {device.name} {name}")  # the name under which the copy is mounted here
        for volume in self.volumes:
            for logical in volume.logical:
                lines.append(f"l {logical} ../{names[volume.device]}")
            for tag, value in (("uuid", volume.uuid), ("partuuid", volume.part_uuid)):
                if value and "/" not in value and " " not in value:
                    lines.append(f"l disk/by-{tag}/{value} ../../{names[volume.device]}")
        return lines


def name_of(volume: Volume) -> str:
    """Below /dev; a logical volume has the name that mountinfo tells of it, which GRUB looks for."""
    for logical in volume.logical:
        return mapped_name(logical)
    return volume.device.name


def _partitions(disk: Path) -> dict[int, Path]:
    """Device nodes of a disk's partitions by number, as the kernel has them now."""
    found = {}
    for folder in Path("/sys/class/block", disk.name).glob(f"{disk.name}*"):
        number = folder / "partition"
        if number.is_file():
            found[int(number.read_text())] = disk.with_name(folder.name)
    return found
