"""fstab on the new machine, line by line."""

from pathlib import Path

import pytest
from tests.unit.guest.fake_guest import DATA, ROOT, SWAP, VOLUMES

from smc.guest import fstab
from smc.guest.journal import Journal
from smc.guest.root import Root
from smc.guest.volumes import Volume
from smc.model.disk import Role
from smc.model.report import Level


def rewritten(tmp_path: Path, text: str) -> tuple[str, list[Level]]:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/fstab").write_text(text)
    (tmp_path / "swapfile").write_text("")
    root = Root(tmp_path, Journal())
    checks = fstab.rewrite(root, VOLUMES)
    found = (tmp_path / "etc/fstab").read_text()
    fstab.rewrite(root, VOLUMES)
    assert (tmp_path / "etc/fstab").read_text() == found, "a second time changes nothing"
    return found, [check.level for check in checks]


BASE = f"UUID={ROOT} / ext4 defaults 0 1\nUUID={DATA} /srv/data ext4 defaults 0 2\n"
PLAIN = {
    f"UUID={SWAP} none swap sw 0 0",
    "LABEL=root\\040fs /old ext4 noauto 0 0",
    "PARTUUID=aaaa-bbbb /mnt ext4 defaults 0 0",
    f"/dev/disk/by-uuid/{DATA} /mnt ext4 defaults 0 0",
    "/swapfile none swap sw 0 0",
    "tmpfs /tmp tmpfs size=1g 0 0",
    "/dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0",
    "/srv/data/x /srv/y none bind 0 0",
    "# /dev/sda1 a comment",
    "",
}


@pytest.mark.parametrize("line", sorted(PLAIN))
def test_a_line_that_holds_on_the_new_machine_stays(tmp_path: Path, line: str) -> None:
    assert rewritten(tmp_path, f"{BASE}{line}\n") == (f"{BASE}{line}\n", [Level.PASSED])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/dev/sda1\t/\text4 ro 0 1", f"UUID={ROOT}\t/\text4 ro 0 1"),
        ("/dev/nvme0n1p1 / ext4 ro 0 1", f"UUID={ROOT} / ext4 ro 0 1"),
        ("/dev/disk/by-id/wwn-0x5000c-part1 / ext4 ro 0 1", f"UUID={ROOT} / ext4 ro 0 1"),
        ("/dev/mapper/vg0-root / ext4 ro 0 1", f"UUID={ROOT} / ext4 ro 0 1"),
        ("PARTUUID=of-the-old-table / ext4 ro 0 1", f"UUID={ROOT} / ext4 ro 0 1"),
        ('UUID="made-by-another-mkfs" / ext4 ro 0 1', f"UUID={ROOT} / ext4 ro 0 1"),
    ],
)
def test_a_line_by_device_name_gets_the_uuid_of_what_was_there(tmp_path: Path, old: str, new: str) -> None:
    data = f"UUID={DATA} /srv/data ext4 defaults 0 2\n"
    assert rewritten(tmp_path, f"{old}\n{data}")[0] == f"{new}\n{data}"


def test_swap_by_device_name_is_told_by_its_disk_and_number(tmp_path: Path) -> None:
    text = (
        "/dev/sda1 / ext4 defaults 0 1\n/dev/sdb1 /srv/data ext4 defaults 0 2\n/dev/sda5 none swap sw 0 0\n"
    )
    assert f"UUID={SWAP} none swap sw 0 0\n" in rewritten(tmp_path, text)[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/dev/sdc1 /backup ext4 defaults 0 2", "/dev/sdc1 /backup ext4 defaults,nofail 0 2"),
        ("UUID=left-behind /backup ext4 defaults 0 2", "UUID=left-behind /backup ext4 defaults,nofail 0 2"),
        ("LABEL=usb /media/usb vfat rw,user 0 0", "LABEL=usb /media/usb vfat rw,user,nofail 0 0"),
        ("/dev/sdc1 /backup ext4", "/dev/sdc1 /backup ext4 defaults,nofail"),
        ("/other-swapfile none swap sw 0 0", "/other-swapfile none swap sw,nofail 0 0"),
    ],
)
def test_a_start_does_not_wait_for_what_was_not_copied(tmp_path: Path, old: str, new: str) -> None:
    text, levels = rewritten(tmp_path, f"{BASE}{old}\n")
    assert text == f"{BASE}{new}\n"
    assert levels == [Level.PASSED, Level.INFORMATION]


def test_a_boot_partition_that_was_not_copied_is_critical(tmp_path: Path) -> None:
    assert Level.CRITICAL in rewritten(tmp_path, f"{BASE}UUID=left-behind /boot ext4 defaults 0 2\n")[1]


def test_a_disk_that_was_mounted_by_hand_on_the_source_is_mounted_on_the_new_machine(tmp_path: Path) -> None:
    text, _ = rewritten(tmp_path, f"UUID={ROOT} / ext4 defaults 0 1\n")
    assert f"UUID={DATA} /srv/data ext4 defaults,nofail 0 2\n" in text


def test_a_disk_that_a_mount_unit_mounts_gets_no_line(tmp_path: Path) -> None:
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    (tmp_path / "etc/systemd/system/srv-data.mount").write_text("[Mount]\n")
    (tmp_path / "etc/fstab").write_text(f"UUID={ROOT} / ext4 defaults 0 1\n")
    root = Root(tmp_path, Journal())
    fstab.rewrite(root, VOLUMES)
    assert root.journal.changes == ()


def test_a_network_filesystem_is_warned_of_and_left_alone(tmp_path: Path) -> None:
    line = "nas:/export /mnt/nas nfs defaults 0 0\n"
    text, levels = rewritten(tmp_path, BASE + line)
    assert (text, levels) == (BASE + line, [Level.PASSED, Level.WARNING])


def test_what_lay_on_volumes_is_named_by_its_uuid(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    lines = ("/dev/mapper/vg0-root / xfs defaults 0 0", "/dev/vg0/swap--1 none swap sw 0 0")
    other = "/dev/mapper/vg0-swap--2 none swap sw 0 0"
    (tmp_path / "etc/fstab").write_text("\n".join((*lines, other)) + "\n")
    root, first, second = (
        Volume(
            source=f"0_lvm.vg0-{name}",
            number=1,
            device=Path("/dev/vda1"),
            role=role,
            mount_point=at,
            uuid=uuid,
        )
        for name, role, at, uuid in (
            ("root", Role.FILESYSTEM, "/", ROOT),
            ("swap----1", Role.SWAP, "", SWAP),
            ("swap--2", Role.SWAP, "", DATA),
        )
    )
    fstab.rewrite(Root(tmp_path, Journal()), (root, first, second))
    assert (tmp_path / "etc/fstab").read_text() == (
        f"UUID={ROOT} / xfs defaults 0 0\nUUID={SWAP} none swap sw 0 0\nUUID={DATA} none swap sw 0 0\n"
    )
