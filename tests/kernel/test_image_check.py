"""A disk image is checked as a file: what is found is what its tree of files has (kernel ring)."""

import subprocess
from pathlib import Path

import pytest
from tests.kernel.debian_root import sh
from tests.kernel.lvm_disk import LvmDisk
from tests.unit.guest.fake_families import SHAPES, FakeFamily
from tests.unit.guest.fake_guest import ROOT
from tests.unit.guest.fake_lvm import group, member, volume

from smc.base.errors import UserError
from smc.base.run import run
from smc.cli.main import main
from smc.guest.image_check import look
from smc.guest.image_file import open_image, take_out
from smc.guest.image_parts import parts_of
from smc.model.report import Check, Level
from smc.model.server import Firmware

pytestmark = pytest.mark.kernel

MIB = 1 << 20
TABLE = "label: gpt\nstart=1MiB, size=100MiB\n"
ITEMS = {
    *("Platform", "OSVersion", "Architecture", "BootMode", "KernelVersion", "SystemImage", "RtcTimeMode"),
    *("Selinux", "OnlineResizeFS", "CloudInit", "CloudAssistant", "SecurityCenterAgent", "Virtio", "Nvme"),
    *("SupportMocInstanceTypes", "Fstab", "Grub", "Dhcp"),
}


def image_of(tree: Path, image: Path) -> Path:
    """A qcow2 image of one partition with the tree on ext4, made without root."""
    raw = image.with_suffix(".raw")
    with raw.open("wb") as file:
        file.truncate(110 * MIB)
    subprocess.run(["sfdisk", "-q", raw], input=TABLE, text=True, check=True)
    sh("mke2fs", "-q", "-t", "ext4", "-U", ROOT, "-d", tree, "-E", f"offset={MIB}", raw, "100M")
    sh("qemu-img", "convert", "-O", "qcow2", raw, image)
    return image


def image_with_boot_filesystem(tree: Path, boot: Path, image: Path) -> Path:
    with image.open("wb") as file:
        file.truncate(80 * MIB)
    table = "label: gpt\nstart=1MiB, size=30MiB\nstart=40MiB, size=30MiB\n"
    subprocess.run(["sfdisk", "-q", image], input=table, text=True, check=True)
    for folder, start in ((tree, 1), (boot, 40)):
        sh("mke2fs", "-q", "-t", "ext4", "-d", folder, "-E", f"offset={start * MIB}", image, "30M")
    return image


def found(checks: list[Check]) -> list[tuple[str, Level, str]]:
    return [(check.item, check.level, check.finding) for check in checks]


@pytest.mark.parametrize("name", ["almalinux-9", "rhel-8", "ubuntu-22.04"])
def test_an_image_is_seen_as_its_files_are(tmp_path: Path, name: str) -> None:
    guest = FakeFamily(tmp_path, name)
    image = image_of(guest.root, tmp_path / "disk.qcow2")
    folder = tmp_path / "work"
    folder.mkdir()
    opened = open_image(image, folder, run)
    volumes = take_out(opened, folder, run)
    seen = look(folder / "root", volumes, opened.firmware, run)
    assert found(seen) == found(look(guest.root, volumes, opened.firmware, run))
    assert {check.item.removeprefix("GUESTOS.") for check in seen} == ITEMS
    assert SHAPES[name].kernel in {check.item: check.finding for check in seen}["GUESTOS.KernelVersion"]


def test_the_verb_tells_by_its_status_that_an_image_would_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guest = FakeFamily(tmp_path, "rhel-8")
    image = image_of(guest.root, tmp_path / "disk.qcow2")
    monkeypatch.setattr("sys.argv", ["smc", "image", "check", str(image), "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "/dev/mapper/rl-root on /" in capsys.readouterr().out


def test_a_tree_that_is_no_system_is_critical(tmp_path: Path) -> None:
    (check,) = look(tmp_path, (), Firmware.BIOS, run)
    assert (check.item, check.level) == ("GUESTOS.SystemImage", Level.CRITICAL)


def test_an_image_that_cannot_be_read_this_way_is_refused_with_the_other(tmp_path: Path) -> None:
    image = tmp_path / "empty.raw"
    image.write_bytes(bytes(MIB))
    with pytest.raises(UserError, match="root filesystem") as refused:
        take_out(open_image(image, tmp_path, run), tmp_path, run)
    assert "--root" in refused.value.hint


def test_a_link_of_one_filesystem_does_not_lead_a_file_of_another_out_of_the_tree(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("of this machine")
    tree, boot = tmp_path / "tree", tmp_path / "boot"
    for name in ("etc", "usr", "boot"):
        (tree / name).mkdir(parents=True)
    (tree / "boot/config").symlink_to(victim)
    (tree / "boot/grub").write_text("a file where the other filesystem has a folder")
    (boot / "grub").mkdir(parents=True)
    (boot / "config").write_text("of the image")
    (boot / "vmlinuz-1").write_text("a kernel")
    image = image_with_boot_filesystem(tree, boot, tmp_path / "disk.raw")
    folder = tmp_path / "work"
    folder.mkdir()
    take_out(open_image(image, folder, run), folder, run)
    assert victim.read_text() == "of this machine"
    assert (folder / "root/boot/config").read_text() == "of the image"


@pytest.mark.parametrize(
    "words",
    [("-f", "qcow2", "-F", "raw", "-b", "other"), ("-f", "vmdk", "-o", "subformat=monolithicFlat")],
)
def test_an_image_that_names_other_files_for_its_content_is_refused(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "other").write_bytes(bytes(MIB))
    image = tmp_path / "disk.image"
    subprocess.run(["qemu-img", "create", "-q", *words, image, "1M"], check=True, cwd=tmp_path)
    with pytest.raises(UserError, match="not whole by itself"):
        take_out(open_image(image, tmp_path, run), tmp_path, run)


def lvm_image(guest: FakeFamily, folder: Path) -> LvmDisk:
    """`rl/root` in two pieces with the tree, and `rl/swap` between them: as rhel-8's fstab has them."""
    disk = LvmDisk(folder / "lvm.raw", 160, "rl")
    disk.create("root", "-L", "40M")
    disk.create("swap", "-L", "8M")
    disk.extend("root", "64M")
    filesystem = folder / "filesystem"
    sh("mke2fs", "-q", "-t", "ext4", "-U", ROOT, "-d", guest.root, filesystem, "64M")
    disk.put("root", filesystem)
    with filesystem.open("wb") as file:
        file.truncate(8 * MIB)
    sh("mkswap", "-q", filesystem)
    disk.put("swap", filesystem)
    return disk


def test_a_root_on_a_logical_volume_is_read_and_found_by_its_name(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path / "guest", "rhel-8")
    disk = lvm_image(guest, tmp_path)
    folder = tmp_path / "work"
    folder.mkdir()
    opened = open_image(disk.image, folder, run)
    logical = {part.device.name: part for part in opened.parts if not part.number}
    assert {name: part.filesystem for name, part in logical.items()} == {"rl-root": "ext4", "rl-swap": "swap"}
    assert list(logical["rl-root"].spans) == list(disk.places("root"))
    assert len(logical["rl-root"].spans) == 2
    volumes = take_out(opened, folder, run)
    seen = {
        check.item.removeprefix("GUESTOS."): check
        for check in look(folder / "root", volumes, opened.firmware, run)
    }
    assert seen.keys() == ITEMS
    assert "/dev/mapper/rl-root" not in seen["Fstab"].finding
    assert "/dev/mapper/rl-swap" not in seen["Fstab"].finding
    assert SHAPES["rhel-8"].kernel in seen["KernelVersion"].finding
    assert "dm_mod" in seen["Virtio"].finding, "its kernel cannot switch the volume on"


def test_the_volumes_are_where_the_programs_of_lvm_have_them(tmp_path: Path) -> None:
    disk = LvmDisk(tmp_path / "lvm.raw", 200, "vg-with.odd+name")
    for number in range(6):
        disk.create(f"lv-{number}", "-L", f"{4 * (number + 1)}M")
    for number in (4, 1, 4, 0):
        disk.extend(f"lv-{number}", "+8M")
    found = {part.device.name: list(part.spans) for part in parts_of(disk.image, run) if not part.number}
    assert found == {f"vg--with.odd+name-lv--{n}": list(disk.places(f"lv-{n}")) for n in range(6)}


def test_a_root_on_a_volume_of_another_kind_is_refused_with_its_kind(tmp_path: Path) -> None:
    image = tmp_path / "thin.raw"
    image.write_bytes(bytes(5 * MIB))
    subprocess.run(["sfdisk", "-q", image], input="start=1MiB, size=3MiB\n", text=True, check=True)
    with image.open("r+b") as file:  # lvcreate asks device-mapper before it makes a thin one
        file.seek(MIB)
        file.write(member(group(volume("root", 'type = "thin" thin_pool = "pool"'))))
    with pytest.raises(UserError, match="vg-root: thin, of which only plain ones") as refused:
        take_out(open_image(image, tmp_path, run), tmp_path, run)
    assert "--root" in refused.value.hint


def test_damaged_metadata_of_lvm_is_told(tmp_path: Path) -> None:
    disk = LvmDisk(tmp_path / "lvm.raw", 100, "vg0")
    with disk.image.open("r+b") as file:
        at = file.read().find(b"vg0 {")
        file.seek(at)
        file.write(b"vg1")
    with pytest.raises(UserError, match="damaged: the checksum"):
        take_out(open_image(disk.image, tmp_path, run), tmp_path, run)
