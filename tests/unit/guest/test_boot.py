"""GRUB's settings and the decision to make an initramfs anew, with programs that are played."""

from pathlib import Path

import pytest
from tests.unit.guest.fake_guest import IMAGE, KERNEL, NEEDED, VOLUMES, FakeGuest, initramfs, plan

from smc.base.run import Output
from smc.guest import convert as story
from smc.guest import cpio
from smc.guest.drivers import module_name
from smc.guest.settings import parse, replaced
from smc.model.report import Check, Level


def checks(guest: FakeGuest, item: str, volumes: "tuple[object, ...]" = VOLUMES) -> list[Check]:
    result = story.convert(guest.copy, plan(), note=lambda _: None, run=guest.run, journal=guest.journal)
    return [check for check in result.checks if check.item == f"GUESTOS.{item}"]


def test_an_initramfs_with_all_drivers_is_not_made_anew(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    assert [check.level for check in checks(guest, "Virtio")] == [Level.PASSED]
    assert "update-initramfs" not in guest.ran


@pytest.mark.parametrize("lacking", ["virtio_blk", "virtio_pci", "virtio_ring", "ext4", "jbd2"])
def test_an_initramfs_that_lacks_a_driver_or_what_it_needs_is_made_anew(tmp_path: Path, lacking: str) -> None:
    guest = FakeGuest(tmp_path, modules={*NEEDED} - {lacking})
    assert [check.level for check in checks(guest, "Virtio")] == [Level.PASSED]
    assert guest.ran.count("update-initramfs") == 1
    assert f"/{IMAGE}" in {change.path for change in guest.journal.changes}


def test_an_initramfs_that_cannot_be_made_anew_is_critical_and_says_why(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path, modules=("ext4",))
    guest.fails.add("update-initramfs")
    (check,) = checks(guest, "Virtio")
    assert check.level is Level.CRITICAL
    assert "it does not work" in check.finding
    assert check.cure


UDEV = ("sbin/modprobe", "lib/systemd/systemd-udevd")


@pytest.mark.parametrize("tool", ["missing", "failing"])
def test_without_a_program_that_makes_one_drivers_are_put_behind_the_initramfs(
    tmp_path: Path, tool: str
) -> None:
    guest = FakeGuest(tmp_path)
    old = initramfs("ext4", "jbd2", "mbcache", more=UDEV)
    guest.write_bytes(IMAGE, old)
    if tool == "missing":
        (guest.root / "usr/sbin/update-initramfs").unlink()
    guest.fails.add("update-initramfs")
    folder = guest.root / f"usr/lib/modules/{KERNEL}"
    for line in (folder / "modules.dep").read_text().splitlines():
        path = folder / line.partition(":")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(path.name.encode())
    assert [check.level for check in checks(guest, "Virtio")] == [Level.PASSED]
    new = (guest.root / IMAGE).read_bytes()
    assert new.startswith(old) and len(new) % 4 == 0
    with (guest.root / IMAGE).open("rb") as file:
        names = list(cpio.names(file))
    base = f"usr/lib/modules/{KERNEL}"
    assert names.count(f"{base}/modules.dep") == 1
    assert any(name.startswith(base) and name.endswith("/virtio_blk.ko") for name in names)
    assert len(names) == len(set(names)), "no folder is made twice"
    assert [check.level for check in checks(guest, "Virtio")] == [Level.PASSED]
    assert (guest.root / IMAGE).read_bytes() == new, "a second conversion changes nothing"


def test_an_initramfs_without_udev_gets_nothing_put_behind_it(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path, modules=("ext4",))
    (guest.root / "usr/sbin/update-initramfs").unlink()
    before = (guest.root / IMAGE).read_bytes()
    (check,) = checks(guest, "Virtio")
    assert check.level is Level.CRITICAL
    assert "no program that makes one" in check.finding and "it has no udev" in check.finding
    assert (guest.root / IMAGE).read_bytes() == before


def test_a_damaged_initramfs_that_cannot_be_made_anew_is_critical(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    (guest.root / "usr/sbin/update-initramfs").unlink()
    guest.write_bytes(IMAGE, initramfs("ext4", more=UDEV)[:-100])
    (check,) = checks(guest, "Virtio")
    assert check.level is Level.CRITICAL
    assert "ends in the middle" in check.finding


def test_a_module_too_large_to_be_put_behind_an_initramfs_is_told(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    (guest.root / "usr/sbin/update-initramfs").unlink()
    guest.write_bytes(IMAGE, initramfs("ext4", "jbd2", "mbcache", more=UDEV))
    lines = guest.read(f"/usr/lib/modules/{KERNEL}/modules.dep").splitlines()
    path = next(line.partition(":")[0] for line in lines if "virtio_blk.ko:" in line)
    guest.write_bytes(f"/usr/lib/modules/{KERNEL}/{path}", bytes(9 << 20))
    (check,) = checks(guest, "Virtio")
    assert check.level is Level.CRITICAL
    assert "too large" in check.finding


def test_a_kernel_without_virtio_is_critical_with_a_cure(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    guest.write("/usr/lib/modules/6.1.0-9-amd64/modules.dep", "kernel/fs/ext4/ext4.ko:\n")
    (check,) = checks(guest, "Virtio")
    assert check.level is Level.CRITICAL
    assert "has no driver virtio_pci, virtio_blk, virtio_net" in check.finding
    assert "update-initramfs" not in guest.ran


def test_drivers_that_are_built_in_are_enough(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path, modules=())
    guest.write(
        "/usr/lib/modules/6.1.0-9-amd64/modules.builtin",
        "".join(f"kernel/x/{name}.ko\n" for name in (*NEEDED, "virtio_net", "nvme")),
    )
    assert [check.level for check in checks(guest, "Virtio")] == [Level.PASSED]
    assert [check.level for check in checks(guest, "Nvme")] == [Level.PASSED]
    assert "update-initramfs" not in guest.ran


def test_a_packing_that_is_not_known_is_read_by_the_guests_own_tool(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    (guest.root / IMAGE).write_bytes(b"\xfd7zXZ\x00")
    listing = "".join(f"usr/lib/modules/6.1.0-9-amd64/kernel/{name}.ko.xz\n" for name in NEEDED)
    play = guest.run

    def run(*argv: str, timeout: float, **options: str) -> Output:
        return Output(listing, "", 0) if "lsinitramfs" in argv else play(*argv, timeout=timeout)

    result = story.convert(guest.copy, plan(), note=lambda _: None, run=run)  # type: ignore[arg-type]  # played
    assert next(c for c in result.checks if c.item == "GUESTOS.Virtio").level is Level.PASSED
    assert "update-initramfs" not in guest.ran


def test_an_older_kernel_that_cannot_start_is_a_warning_only(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    guest.write("/boot/vmlinuz-5.10.0-28-amd64", "")
    levels = {check.finding.split()[1].rstrip(":"): check.level for check in checks(guest, "Virtio")}
    assert levels == {"6.1.0-9-amd64": Level.PASSED, "5.10.0-28-amd64": Level.WARNING}


def test_grub_gets_a_serial_console_beside_what_the_owner_had_set(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    guest.write(
        "/etc/default/grub",
        'GRUB_CMDLINE_LINUX_DEFAULT="quiet splash"\nGRUB_CMDLINE_LINUX="mitigations=off"\n',
    )
    assert [check.level for check in checks(guest, "Grub")] == [Level.PASSED]
    found = parse(guest.read("/etc/default/grub"))
    assert found["GRUB_CMDLINE_LINUX_DEFAULT"] == "quiet splash"
    assert found["GRUB_CMDLINE_LINUX"] == "mitigations=off console=tty0 console=ttyS0,115200"
    assert found["GRUB_TERMINAL"] == "console serial"


def test_a_setting_is_edited_in_the_file_that_has_the_last_word(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    guest.write(
        "/etc/default/grub.d/50-cloud.cfg", 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX net.ifnames=0"\n'
    )
    checks(guest, "Grub")
    text = guest.read("/etc/default/grub.d/50-cloud.cfg")
    assert (
        text == 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX net.ifnames=0 console=tty0 console=ttyS0,115200"\n'
    )


def test_root_and_resume_by_names_of_old_disks_leave_the_command_line(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    guest.write(
        "/etc/default/grub", 'GRUB_CMDLINE_LINUX="root=/dev/sda1 resume=/dev/sda5 quiet console=ttyS0"\n'
    )
    checks(guest, "Grub")
    assert parse(guest.read("/etc/default/grub"))["GRUB_CMDLINE_LINUX"] == "quiet console=ttyS0"


def test_grub_cfg_that_is_right_already_is_not_made_anew(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    checks(guest, "Grub")
    checks(guest, "Grub")
    assert guest.ran.count("grub-mkconfig") == 1
    assert guest.ran.count("grub-install") == 2


def test_when_grub_cfg_cannot_be_made_the_old_one_and_the_old_settings_stay(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    settings, cfg = guest.read("/etc/default/grub"), guest.read("/boot/grub/grub.cfg")
    guest.fails.add("grub-mkconfig")
    levels = [check.level for check in checks(guest, "Grub")]
    assert levels == [Level.WARNING, Level.PASSED, Level.WARNING]
    assert (guest.read("/etc/default/grub"), guest.read("/boot/grub/grub.cfg")) == (settings, cfg)


def test_grub_that_cannot_be_installed_is_critical(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    guest.fails.add("grub-install")
    assert [check.level for check in checks(guest, "Grub")] == [Level.CRITICAL]


def test_grub_cfg_that_names_what_was_not_copied_is_critical(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    guest.write("/boot/grub/grub.cfg", "linux /vmlinuz root=UUID=left-behind console=ttyS0\n")
    guest.fails.add("grub-mkconfig")
    assert Level.CRITICAL in [check.level for check in checks(guest, "Grub")]


def test_the_next_upgrade_of_grub_installs_it_on_the_new_disk(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    old = guest.read("/var/cache/debconf/config.dat")
    checks(guest, "Grub")
    new = guest.read("/var/cache/debconf/config.dat")
    assert new == old.replace("/dev/disk/by-id/scsi-36000c29aabbccddeeff", "/dev/vda")
    assert not (guest.root / "boot/grub/device.map").exists()


def test_a_swap_area_that_was_not_copied_is_not_waited_for(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    without = tuple(volume for volume in VOLUMES if volume.filesystem != "swap")
    story.convert(guest.copy, plan(volumes=without), note=lambda _: None, run=guest.run)
    assert guest.read("/etc/initramfs-tools/conf.d/resume") == "RESUME=none\n"
    assert "noresume" in parse(guest.read("/etc/default/grub"))["GRUB_CMDLINE_LINUX"].split()


def test_shell_settings_are_read_as_a_shell_would_and_written_as_they_were() -> None:
    text = "# A=0\nA=1\nexport B='two words'\nC=\"x $D\"  # why\nE=`uname -r`\n"
    assert parse(text) == {"A": "1", "B": "two words", "C": "x $D", "E": "`uname -r`"}
    assert replaced(text, "B", 'say "hi"') == text.replace("'two words'", r'"say \"hi\""')


@pytest.mark.parametrize("suffix", [".ko", ".ko.xz", ".ko.zst", ".ko.gz"])
def test_a_module_has_one_name_however_its_file_is_called(suffix: str) -> None:
    assert module_name(f"kernel/net/virtio-net{suffix}") == "virtio_net"
