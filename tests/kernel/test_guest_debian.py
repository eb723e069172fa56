"""A real Debian on a real disk image is converted by its own tools and judged by others' (kernel ring)."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from tests.kernel.debian_root import debian_tar, sh
from tests.kernel.loop_disks import loop_disk, show_partitions
from tests.unit.guest.fake_guest import cpio

from smc.base.errors import CommandFailed
from smc.base.run import run
from smc.guest.convert import Converted, convert
from smc.guest.enter import Guest
from smc.guest.journal import Journal
from smc.guest.root import Root
from smc.guest.volumes import Copy, read_volumes
from smc.model.disk import Role
from smc.model.plan import IpMode, Plan, TargetDisk, TargetPartition
from smc.model.report import Level
from smc.model.server import Architecture, Firmware

pytestmark = pytest.mark.kernel

MIB = 1 << 20
ROOT_UUID, DATA_UUID, SWAP_UUID = (str(uuid4()) for _ in range(3))
NETWORKS = {
    "ifupdown": {
        "/etc/network/interfaces": (
            "auto lo\niface lo inet loopback\n\nallow-hotplug ens192\niface ens192 inet static\n"
            "    address 192.0.2.10/24\n    gateway 192.0.2.1\n    dns-nameservers 192.0.2.53\n"
        )
    },
    "networkd": {
        "/etc/network/interfaces": "auto lo\niface lo inet loopback\n",
        "/etc/systemd/network/10-lan.network": (
            "[Match]\nName=ens192\n\n[Network]\nAddress=192.0.2.10/24\nGateway=192.0.2.1\n"
        ),
    },
}


@pytest.fixture(scope="session")
def debian() -> Path:
    return debian_tar()


@dataclass
class Machine:
    image: Path
    disk: Path
    root: Path
    plan: Plan

    @property
    def copy(self) -> Copy:
        return Copy(
            root=self.root,
            boot_disk=self.disk,
            partitions={f"0_{n}": Path(f"{self.disk}p{n}") for n in (2, 3, 4)},
        )

    def convert(self, journal: Journal | None = None, *, fresh: bool = False) -> Converted:
        return convert(self.copy, self.plan, note=print, journal=journal, fresh=fresh)

    def read(self, path: str) -> str:
        return (self.root / path.lstrip("/")).read_text()


def unmount(folder: Path) -> None:
    if folder.is_mount():
        sh("umount", folder)


def plan(mode: IpMode) -> Plan:
    parts = (
        TargetPartition(number=1, size=MIB, role=Role.BIOS_BOOT),
        TargetPartition(
            number=2, size=1800 * MIB, role=Role.FILESYSTEM, source="0_2", filesystem="ext4",
            uuid=ROOT_UUID, mount_point="/",
        ),
        TargetPartition(number=3, size=64 * MIB, role=Role.SWAP, source="0_3", uuid=SWAP_UUID),
        TargetPartition(
            number=4, size=64 * MIB, role=Role.FILESYSTEM, source="0_4", filesystem="ext4",
            uuid=DATA_UUID, mount_point="/srv/data",
        ),
    )  # fmt: skip
    disk = TargetDisk(index=0, size=2 << 30, partitions=parts)
    return Plan(architecture=Architecture.X86_64, firmware=Firmware.BIOS, disks=(disk,), ip_mode=mode)


def build(image: Path, debian: Path, style: str, mode: IpMode, undo: ExitStack) -> Machine:
    """The disk of a copied server that still believes in its old hardware, mounted as a receiver would."""
    with image.open("wb") as file:
        file.truncate(2 << 30)
    table = (
        "label: gpt\nsize=1MiB, type=21686148-6449-6E6F-744E-656564454649\n"
        "size=1800MiB\nsize=64MiB, type=0657FD6D-A4AB-43C4-84E5-0933C84B4F4F\nsize=64MiB\n"
    )
    subprocess.run(["sfdisk", "-q", image], input=table, text=True, check=True)
    disk = undo.enter_context(loop_disk(image, 2 << 30))
    show_partitions(disk, 4)
    sh("mkfs.ext4", "-q", "-U", ROOT_UUID, f"{disk}p2")
    sh("mkswap", "-q", "-U", SWAP_UUID, f"{disk}p3")
    sh("mkfs.ext4", "-q", "-U", DATA_UUID, f"{disk}p4")
    root = image.with_suffix(".root")
    root.mkdir()
    sh("mount", f"{disk}p2", root)
    undo.callback(unmount, root)
    sh("tar", "-C", root, "--xattrs", "--xattrs-include=*", "--numeric-owner", "-xf", debian)
    for folder in ("srv/data", "mnt/backup", "media/cdrom0"):
        (root / folder).mkdir(parents=True)
    sh("mount", f"{disk}p4", root / "srv/data")
    undo.callback(unmount, root / "srv/data")
    files = NETWORKS[style] | {
        "/etc/hostname": "source-1\n",
        "/etc/fstab": (
            "# <file system> <mount point> <type> <options> <dump> <pass>\n"
            "/dev/sda2\t/\text4\terrors=remount-ro\t0\t1\n"
            f"/dev/sda3  none  swap  sw  0  0\nUUID={DATA_UUID} /srv/data ext4 defaults 0 2\n"
            "/dev/sdb1 /mnt/backup ext4 defaults 0 2\n/dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0\n"
        ),
        "/boot/grub/device.map": "(hd0)\t/dev/disk/by-id/ata-OLD_DISK_1\n",
        "/boot/grub/grub.cfg": "menuentry 'Debian' {\n\tlinux /boot/vmlinuz root=/dev/sda2 ro\n}\n",
        "/etc/udev/rules.d/70-persistent-net.rules": 'SUBSYSTEM=="net", NAME="ens192"\n',
        "/smc/credential": "secret-of-the-agent\n",
        "/etc/systemd/system/smc-agent.service": "[Service]\nExecStart=/smc/smc-agent run\n",
    }
    for path, text in files.items():
        at = root / path.lstrip("/")
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_text(text)
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "smc-agent.service").symlink_to("/etc/systemd/system/smc-agent.service")
    if style == "networkd":
        (wants / "systemd-networkd.service").symlink_to("/lib/systemd/system/systemd-networkd.service")
    debconf = root / "var/cache/debconf/config.dat"
    stanza = "Name: grub-pc/install_devices\nTemplate: grub-pc/install_devices\n"
    debconf.write_text(
        debconf.read_text().replace(stanza, f"{stanza}Value: /dev/disk/by-id/ata-OLD_DISK_1\n", 1)
    )
    return Machine(image, disk, root, plan(mode))


@pytest.fixture
def undo(tmp_path: Path) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack
    assert mounts(tmp_path) == []


@pytest.fixture(params=sorted(NETWORKS))
def machine(request: pytest.FixtureRequest, tmp_path: Path, debian: Path, undo: ExitStack) -> Machine:
    return build(tmp_path / "disk.img", debian, request.param, IpMode.DHCP, undo)


@pytest.fixture
def one(tmp_path: Path, debian: Path, undo: ExitStack) -> Machine:
    return build(tmp_path / "disk.img", debian, "ifupdown", IpMode.DHCP, undo)


def mounts(below: Path) -> list[str]:
    """Where something is mounted below a folder, or from one of ours."""
    table = Path("/proc/self/mountinfo").read_text().splitlines()
    return sorted(line.split()[4] for line in table if str(below) in line or "smc-guest" in line)


def test_a_converted_debian_satisfies_grub_findmnt_and_fsck(machine: Machine, undo: ExitStack) -> None:
    mounted = mounts(machine.root)
    result = machine.convert()
    assert mounts(machine.root) == mounted, "nothing of the conversion stays mounted"
    assert not [check for check in result.checks if check.level is Level.CRITICAL]
    assert not (machine.root / "smc").exists()
    with machine.disk.open("rb") as disk:
        sector = disk.read(512)
    assert b"GRUB" in sector
    assert sector.endswith(b"\x55\xaa")
    sh("chroot", machine.root, "grub-script-check", "/boot/grub/grub.cfg")
    cfg = machine.read("/boot/grub/grub.cfg")
    assert f"root=UUID={ROOT_UUID} ro console=tty0 console=ttyS0,115200" in cfg
    assert "/dev/" not in "".join(line for line in cfg.splitlines() if "linux\t" in line)
    told = inside(machine)("findmnt", "--verify", timeout=60)
    assert "0 parse errors, 0 errors" in told.stdout + told.stderr
    assert "UUID" not in told.stdout, "each UUID is found"
    unmount(machine.root / "srv/data")
    unmount(machine.root)
    sh("e2fsck", "-fn", f"{machine.disk}p2")


def test_a_second_conversion_changes_nothing(machine: Machine) -> None:
    machine.convert()
    assert machine.convert().changes == ()


def test_the_guests_own_next_update_grub_writes_the_same_grub_cfg(one: Machine) -> None:
    one.convert()
    before = one.read("/boot/grub/grub.cfg")
    inside(one)("update-grub", timeout=300)
    assert one.read("/boot/grub/grub.cfg") == before


def test_an_initramfs_without_virtio_is_made_anew_by_the_guests_own_tool(one: Machine) -> None:
    (kernel,) = (path.name.removeprefix("vmlinuz-") for path in (one.root / "boot").glob("vmlinuz-*"))
    image = one.root / f"boot/initrd.img-{kernel}"
    image.write_bytes(cpio("init", f"lib/modules/{kernel}/kernel/drivers/ata/ahci.ko"))
    result = one.convert()
    (check,) = (check for check in result.checks if check.item == "GUESTOS.Virtio")
    assert check.level is Level.PASSED
    assert image.stat().st_size > 4 * MIB
    assert {f"/boot/initrd.img-{kernel}", "/etc/initramfs-tools/modules"} <= {c.path for c in result.changes}


def test_an_immutable_fstab_is_edited_and_stays_immutable_with_owner_and_attributes(one: Machine) -> None:
    fstab = one.root / "etc/fstab"
    os.chown(fstab, 7, 8)
    fstab.chmod(0o640)
    os.setxattr(fstab, "user.note", b"mine")
    sh("chattr", "+i", fstab)
    one.convert()
    assert ROOT_UUID in fstab.read_text()
    found = fstab.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (7, 8, 0o640)
    assert os.getxattr(fstab, "user.note") == b"mine"
    assert "i" in sh("lsattr", fstab).split()[0]


def test_a_program_of_the_guest_sees_its_copy_and_nothing_of_this_machine(one: Machine) -> None:
    look = "cat /proc/mounts; ls /dev /sys/firmware /sys/class/net; cat /proc/[0-9]*/comm; ls /"
    seen = inside(one)("sh", "-c", look, timeout=60).stdout
    assert "vda2" in seen, "the boot disk has the name of the new machine"
    assert str(one.root) not in seen
    assert f"{os.getpid()}" not in seen.split()
    assert "python" not in seen
    assert "eth" not in seen


def test_a_hostile_program_of_the_guest_does_not_get_at_this_machine(one: Machine, tmp_path: Path) -> None:
    """Neither the receiver's state, nor the devices of this machine, nor its processes."""
    state = tmp_path / "state/enrolment.json"
    state.parent.mkdir()
    state.write_text("the credential")
    guest = inside(one)
    assert guest("cat", "/etc/hostname", timeout=60).stdout == "source-1\n"
    for attempt in (
        f"cat {state}",
        f"cat /proc/1/root{state} /proc/*/root{state}",
        f"cat /dev/.smc/../..{state} ../..{state}",
        "mount -t devtmpfs none /mnt",
        "mount -t proc none /mnt",
        "mount -o remount,rw /sys",
        "mount -o remount,dev / && mknod /mnt/disk b 7 0",
        "mknod /mnt/disk b 7 0",
        "unshare --user --map-root-user --mount mount -t devtmpfs none /mnt",
        "nsenter --target 1 --mount --net true && umount /proc",
        "echo 1 >/proc/sys/kernel/panic",
        "ip link add seen type dummy",
    ):
        with pytest.raises(CommandFailed):
            guest("sh", "-c", attempt, timeout=60)


def test_a_program_of_the_guest_that_runs_over_is_ended_with_all_it_started(one: Machine) -> None:
    mark = "31536001"  # a number of seconds that no other program sleeps
    mounted = mounts(one.root)
    with pytest.raises(CommandFailed, match="no end after"):
        inside(one)("sh", "-c", f"setsid sleep {mark} & sleep {mark}", timeout=3)
    wait_until(lambda: not any(mark in line for line in command_lines()))
    assert mounts(one.root) == mounted


def inside(machine: Machine) -> Guest:
    root = Root(machine.root, Journal())
    return Guest(root, machine.copy, read_volumes(machine.copy, machine.plan, run), run)


def command_lines() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


def wait_until(true: Callable[[], bool], limit: float = 20) -> None:
    end = time.monotonic() + limit
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.05)


def test_a_debian_that_is_tried_has_host_keys_of_its_own_made_by_its_own_program(one: Machine) -> None:
    keys = sorted((one.root / "etc/ssh").glob("ssh_host_*_key"))
    assert keys
    old = {key: sh("ssh-keygen", "-lf", key) for key in keys}
    modes = {key: key.stat().st_mode for key in keys}
    result = one.convert(fresh=True)
    assert [check.level for check in result.checks if check.item == "Identity"] == [Level.INFORMATION]
    for key in keys:
        assert sh("ssh-keygen", "-lf", key) != old[key]
        assert sh("ssh-keygen", "-yf", key).split()[1] == key.with_suffix(".pub").read_text().split()[1]
        assert key.stat().st_mode == modes[key]


LACKING = """set -e
cd /tmp
unmkinitramfs /boot/initrd.img-$1 unpacked
tree=unpacked; [ ! -d unpacked/main ] || tree=unpacked/main
mv $tree tree
cd tree
find . -name 'virtio_*.ko*' -delete
find . -name 'nvme*.ko*' -delete
find . | cpio --quiet -o -H newc | zstd -q >/boot/initrd.img-$1
"""
BEHIND = """set -e
cd /tmp/tree
cpio --quiet -idu </tmp/behind
modprobe -d /tmp/tree -S $1 --show-depends virtio:d00000002v00001AF4
"""


def test_without_a_program_that_makes_one_kmod_finds_the_drivers_behind_the_initramfs(one: Machine) -> None:
    (kernel,) = (path.name.removeprefix("vmlinuz-") for path in (one.root / "boot").glob("vmlinuz-*"))
    image = one.root / f"boot/initrd.img-{kernel}"
    sh("chroot", one.root, "sh", "-c", LACKING, "sh", kernel)
    lacking = image.read_bytes()
    (one.root / "usr/sbin/update-initramfs").unlink()
    result = one.convert()
    (check,) = (check for check in result.checks if check.item == "GUESTOS.Virtio")
    assert check.level is Level.PASSED
    assert image.read_bytes().startswith(lacking)
    # As the kernel does: zeros are skipped, a later archive is laid over the earlier ones.
    (one.root / "tmp/behind").write_bytes(image.read_bytes()[len(lacking) :].lstrip(b"\0"))
    found = sh("chroot", one.root, "sh", "-c", BEHIND, "sh", kernel)
    files = [line.split()[1] for line in found.splitlines() if line.startswith("insmod")]
    assert files[-1].rsplit("/", 1)[-1].startswith("virtio_blk.ko")
    assert all((one.root / file.lstrip("/")).exists() for file in files)


def test_a_debian_whose_root_was_on_a_raid_starts_from_its_plain_disk(one: Machine) -> None:
    array = "5e0b7d4c:1f2a3b4c:5d6e7f80:91a2b3c4"
    fstab = one.root / "etc/fstab"
    fstab.write_text(fstab.read_text().replace("/dev/sda2\t", "/dev/md0\t"))
    for path, text in {
        "etc/mdadm/mdadm.conf": f"HOMEHOST <system>\nARRAY /dev/md0 metadata=1.2 UUID={array}\n",
        "etc/default/grub": (
            f'GRUB_CMDLINE_LINUX="rd.md.uuid={array} quiet"\nGRUB_PRELOAD_MODULES="mdraid1x"\n'
        ),
        "boot/grub/grub.cfg": (
            f"menuentry 'Debian' {{\n\tinsmod mdraid1x\n\tset root='mduuid/{array.replace(':', '')}'\n"
            "\tlinux /boot/vmlinuz root=/dev/md0 ro\n}\n"
        ),
        "boot/grub/device.map": "(md0)\t/dev/md0\n",
    }.items():
        (one.root / path).parent.mkdir(exist_ok=True)
        (one.root / path).write_text(text)
    result = one.convert()
    assert not [check for check in result.checks if check.level is Level.CRITICAL]
    cfg = one.read("/boot/grub/grub.cfg")
    assert f"root=UUID={ROOT_UUID} ro" in cfg and "quiet" in cfg
    assert not [word for word in ("mduuid", "/dev/md", "rd.md", array) if word in cfg]
    sh("chroot", one.root, "grub-script-check", "/boot/grub/grub.cfg")
    assert "/dev/md" not in fstab.read_text()
    told = inside(one)("findmnt", "--verify", timeout=60)
    assert "0 parse errors, 0 errors" in told.stdout + told.stderr
    assert one.convert().changes == ()
