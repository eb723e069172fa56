"""A disk image is checked as a file: what is found is what its tree of files has (kernel ring)."""

import subprocess
from pathlib import Path

import pytest
from tests.kernel.debian_root import sh
from tests.unit.guest.fake_families import SHAPES, FakeFamily
from tests.unit.guest.fake_guest import ROOT

from smc.base.errors import UserError
from smc.base.run import run
from smc.cli.main import main
from smc.guest.image_check import look
from smc.guest.image_file import open_image, take_out
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
