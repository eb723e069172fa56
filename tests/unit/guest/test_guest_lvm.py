"""A copy whose root comes on a logical volume: it is found by its name, and an initramfs can switch it on."""

from collections.abc import Collection
from pathlib import Path

import msgspec
import pytest
from tests.unit.guest.fake_families import FakeFamily
from tests.unit.guest.fake_guest import KERNEL, MADE_CFG, NEEDED, ROOT, VOLUMES, FakeGuest, initramfs, plan

from smc.base.run import Arg, Output
from smc.guest import cmdline, fstab
from smc.guest.convert import Converted, convert
from smc.guest.initramfs_tools import TOOLS, add_lvm, why_unmapped
from smc.guest.volumes import Volume
from smc.model.report import Check, Level

CONSOLES = "console=tty0 console=ttyS0,115200"
LVM = ("dm_mod", *NEEDED)


def on_lvm(*mounts: str) -> tuple[Volume, ...]:
    return tuple(
        msgspec.structs.replace(volume, device=Path(f"/dev/mapper/vg0-lv{n}"))
        if volume.mount_point in mounts
        else volume
        for n, volume in enumerate(VOLUMES, 1)
    )


class LvmGuest(FakeGuest):
    """lvm2 is installed, so what makes an initramfs or grub.cfg takes it in."""

    volumes = on_lvm("/")

    def __init__(self, folder: Path, *, more: Collection[str] = ()) -> None:
        super().__init__(folder)
        needs = "".join(f"kernel/{name}.ko:\n" for name in (*LVM, "virtio_net"))
        self.write(f"/usr/lib/modules/{KERNEL}/modules.dep", needs)
        self.write_bytes(self.image, initramfs(*LVM, more=list(more)))

    def run(self, *argv: Arg, timeout: float, stdin: str = "", ok: Collection[int] = (0,)) -> Output:
        done = super().run(*argv, timeout=timeout, stdin=stdin, ok=ok)
        words = [str(word) for word in argv]
        if "update-initramfs" in words:
            self.write_bytes(self.image, initramfs(*LVM, more=["usr/sbin/lvm"]))
        if "grub-mkconfig" in words:
            by_name = 'GRUB_DISABLE_LINUX_UUID="true"' in self.read("/etc/default/grub").replace(
                "=true", '="true"'
            )
            name = "/dev/mapper/vg0-lv1" if by_name else f"UUID={ROOT}"
            self.write(words[-1], MADE_CFG.replace(f"root=UUID={ROOT}", f"root={name}"))
        return done

    def convert(self) -> Converted:
        return convert(self.copy, plan(volumes=self.volumes), note=lambda _: None, run=self.run)


def check_of(made: Converted, item: str) -> Check:
    (found,) = (check for check in made.checks if check.item == item)
    return found


def test_grub_finds_the_root_by_the_name_of_the_volume(tmp_path: Path) -> None:
    guest = LvmGuest(tmp_path, more=["usr/sbin/lvm"])
    made = guest.convert()
    assert "root=/dev/mapper/vg0-lv1 " in guest.read("/boot/grub/grub.cfg")
    grub = check_of(made, "GUESTOS.Grub")
    assert (grub.level, "/dev/mapper/vg0-lv1" in grub.finding) == (Level.PASSED, True)


def test_a_grub_cfg_that_looks_for_the_content_of_a_volume_is_critical(tmp_path: Path) -> None:
    guest = LvmGuest(tmp_path, more=["usr/sbin/lvm"])
    guest.write("/boot/grub/grub.cfg", MADE_CFG)
    guest.fails = {"grub-mkconfig"}
    grub = [check for check in guest.convert().checks if check.item == "GUESTOS.Grub"][-1]
    assert (grub.level, "which is no logical volume" in grub.finding) == (Level.CRITICAL, True)


def test_an_initramfs_without_lvm_is_made_anew(tmp_path: Path) -> None:
    guest = LvmGuest(tmp_path)
    check = check_of(guest.convert(), "GUESTOS.Virtio")
    assert (check.level, "logical volumes are switched on" in check.finding) == (Level.PASSED, True)
    assert "update-initramfs" in guest.ran


def test_an_initramfs_with_lvm_is_left_alone(tmp_path: Path) -> None:
    guest = LvmGuest(tmp_path, more=["sbin/lvm"])
    guest.convert()
    assert "update-initramfs" not in guest.ran


def test_an_initramfs_that_stays_without_lvm_is_critical(tmp_path: Path) -> None:
    guest = LvmGuest(tmp_path)
    guest.fails = {"update-initramfs"}
    check = check_of(guest.convert(), "GUESTOS.Virtio")
    assert (check.level, "LVM" in check.finding) == (Level.CRITICAL, True)
    assert "Install lvm2" in check.cure


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["usr/sbin/lvm"], ""),
        (["sbin/lvm", "etc/lvm/lvm.conf"], ""),
        (["etc/lvm/lvm.conf"], "it has no program lvm"),
        (["usr/sbin/lvm", "etc/lvm/devices/system.devices"], "admits only what the old machine had"),
        (["usr/sbin/lvm", "etc/cmdline.d/90lvm.conf"], "admits only what the old machine had"),
    ],
)
def test_what_an_image_lacks_to_switch_on_volumes(names: list[str], why: str) -> None:
    assert why in why_unmapped(names)
    assert bool(why_unmapped(names)) == bool(why)


def test_mkinitcpio_gets_the_hook_before_filesystems(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "arch")
    tool = next(tool for tool in TOOLS if tool.name == "mkinitcpio")
    guest.write(tool.settings, "HOOKS=(base udev block filesystems fsck)\n")
    for _ in range(2):
        add_lvm(guest.files, tool)
        assert guest.read(tool.settings) == "HOOKS=(base udev block lvm2 filesystems fsck)\n"


@pytest.mark.parametrize("name", ["/dev/sda1", f"UUID={ROOT}", "LABEL=gone", "/dev/mapper/old-root"])
def test_a_command_line_names_the_volume(name: str) -> None:
    made = cmdline.adapted([f"root={name}", "ro"], on_lvm("/"), resumes=True)
    assert " ".join(made) == f"root=/dev/mapper/vg0-lv1 ro {CONSOLES}"


@pytest.mark.parametrize("name", ["/dev/mapper/vg0-lv1", "/dev/vg0/lv1"])
def test_a_command_line_that_names_the_volume_stays(name: str) -> None:
    assert cmdline.adapted([f"root={name}"], on_lvm("/"), resumes=True)[0] == f"root={name}"


def test_fstab_keeps_uuids_and_names_volumes_where_devices_were_named(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    guest.write("/etc/fstab", f"UUID={ROOT} / ext4 defaults 0 1\n/dev/sdb1 /srv/data ext4 defaults 0 2\n")
    fstab.rewrite(guest.files, on_lvm("/", "/srv/data"))
    first, second = guest.read("/etc/fstab").splitlines()
    assert first == f"UUID={ROOT} / ext4 defaults 0 1"
    assert second == "/dev/mapper/vg0-lv3 /srv/data ext4 defaults 0 2"


def test_usr_on_a_volume_is_named_as_an_initramfs_can_switch_it_on(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    usr = msgspec.structs.replace(on_lvm("/srv/data")[2], mount_point="/usr")
    guest.write("/etc/fstab", f"UUID={usr.uuid} /usr ext4 defaults 0 2\n")
    fstab.rewrite(guest.files, (*on_lvm("/")[:2], usr))
    assert guest.read("/etc/fstab") == "/dev/mapper/vg0-lv3 /usr ext4 defaults 0 2\n"
