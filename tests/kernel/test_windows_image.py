"""A Windows in an image, on a real NTFS made by its tools; its hives judged by hivex (kernel ring)."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.kernel.debian_root import sh
from tests.kernel.loop_disks import loop_disk, tool
from tests.unit.guest.fake_windows import CURRENT, SERVICES, bcd, files

from smc.agent.superblock import recognise
from smc.cli.main import main
from smc.guest.windows.hive import Hive
from smc.guest.windows.ntfs import Damaged, Ntfs
from smc.guest.windows.system import CONFIG
from smc.model.server import Firmware

pytestmark = pytest.mark.kernel

MIB = 1 << 20
NTFS_MIB = 60
ESP_AT, MSR_AT, NTFS_AT = 1, 41, 57  # in MiB
GPT = (
    f"label: gpt\nstart={ESP_AT}MiB, size=40MiB, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B\n"
    f"start={MSR_AT}MiB, size=16MiB, type=E3C9E316-0B5C-4DB8-817D-F92DF00215AE\n"
    f"start={NTFS_AT}MiB, size={NTFS_MIB}MiB, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7\n"
)
MBR = f"label: dos\nstart={NTFS_AT}MiB, size={NTFS_MIB}MiB, type=7, bootable\n"


@contextmanager
def mounted(ntfs: Path, folder: Path) -> Iterator[Path]:
    folder.mkdir(exist_ok=True)
    with loop_disk(ntfs, ntfs.stat().st_size if ntfs.exists() else NTFS_MIB * MIB) as device:
        if ntfs.read_bytes()[3:7] != b"NTFS":
            sh("mkntfs", "-Q", "-F", "-q", "-c", "4096", device)
        tool("ntfs-3g", device, folder)
        try:
            yield folder
        finally:
            tool("umount", folder)


def ntfs_of(given_files: Mapping[str, bytes], folder: Path) -> Path:
    """Files beside hundreds of others, so that folders have blocks of their own."""
    ntfs = folder / "ntfs.raw"
    with mounted(ntfs, folder / "mounted") as top:
        for path, content in given_files.items():
            (top / path).parent.mkdir(parents=True, exist_ok=True)
            (top / path).write_bytes(content)
        for number in range(600):
            (top / CONFIG / f"a file with a long name {number}.evtx").write_bytes(b"x")
        for number in range(0, 600, 3):  # what is gone is not to be found, though its block still names it
            (top / CONFIG / f"a file with a long name {number}.evtx").unlink()
    return ntfs


def image_of(ntfs: Path, image: Path, firmware: Firmware, esp_files: Mapping[str, bytes]) -> Path:
    raw = image.with_suffix(".raw")
    with raw.open("wb") as file:
        file.truncate((NTFS_AT + NTFS_MIB + 2) * MIB)
        file.seek(NTFS_AT * MIB)
        file.write(ntfs.read_bytes())
    uefi = firmware is Firmware.UEFI
    subprocess.run(["sfdisk", "-q", raw], input=GPT if uefi else MBR, text=True, check=True)
    if uefi:
        sh("mkfs.vfat", "-F", "32", "-S", "512", "--offset", str(ESP_AT * 2048), raw, str(40 * 1024))
        place = f"{raw}@@{ESP_AT * MIB}"
        for path, content in esp_files.items():
            steps = path.split("/")[:-1]
            for depth in range(1, len(steps) + 1):
                folder = "/".join(steps[:depth])
                subprocess.run(
                    ["mmd", "-D", "s", "-i", place, f"::{folder}"], capture_output=True, check=False
                )
            source = image.with_name("esp-file")
            source.write_bytes(content)
            sh("mcopy", "-o", "-i", place, source, f"::{path}")
    sh("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, image)
    return image


def checked(
    image: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, dict[str, tuple[str, str]]]:
    """The status of the verb, and level and finding of each item."""
    monkeypatch.setattr("sys.argv", ["smc", "image", "check", str(image), "--json"])
    status = 0
    try:
        main()
    except SystemExit as ended:
        status = int(ended.code or 0)
    rows = json.loads(capsys.readouterr().out)["Items"]
    return status, {row["Name"].removeprefix("GUESTOS."): (row["Level"], row["Finding"]) for row in rows}


ESP = {
    "EFI/Microsoft/Boot/BCD": bcd(Firmware.UEFI),
    "EFI/Microsoft/Boot/bootmgfw.efi": b"MZ",
    "EFI/Boot/bootx64.efi": b"MZ",
}
ROOT = {"Boot/BCD": bcd(Firmware.BIOS), "bootmgr": b"MZ"}


@pytest.mark.parametrize("firmware", list(Firmware))
def test_a_sound_windows_in_an_image_passes_each_item(
    tmp_path: Path, firmware: Firmware, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ntfs = ntfs_of(files(more=ROOT if firmware is Firmware.BIOS else {}), tmp_path)
    image = image_of(ntfs, tmp_path / "disk.qcow2", firmware, ESP)
    status, found = checked(image, monkeypatch, capsys)
    assert {level for level, _ in found.values()} == {"passed", "information"}, found
    assert status == 0
    assert found["OSVersion"][1] == "Windows Server 2022 Standard 21H2"
    assert found["BootMode"][1] == firmware.value


def test_an_image_without_drivers_or_fallback_would_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ntfs = ntfs_of(files(system={rf"{SERVICES}\viostor\Start": 4}), tmp_path)
    esp = {path: content for path, content in ESP.items() if "bootx64" not in path}
    image = image_of(ntfs, tmp_path / "disk.qcow2", Firmware.UEFI, esp)
    status, found = checked(image, monkeypatch, capsys)
    assert status == 2
    assert {item for item, (level, _) in found.items() if level == "critical"} == {"Virtio", "BootMgr"}


def test_every_file_of_an_ntfs_is_read_as_its_driver_has_it(tmp_path: Path) -> None:
    ntfs = tmp_path / "ntfs.raw"
    with mounted(ntfs, tmp_path / "mounted") as top:
        whole: dict[str, bytes] = {"small": b"in its record", "empty": b"", "Été/Ünïcode": b"named"}
        whole["large"] = os.urandom(3 * MIB + 17)
        for path, content in whole.items():
            (top / path).parent.mkdir(exist_ok=True)
            (top / path).write_bytes(content)
        pieces: list[list[bytes]] = [[], []]
        with (top / "one").open("wb") as one, (top / "other").open("wb") as other:
            for _ in range(400):  # by turns: both in many pieces, told in records of their own
                for file, kept in ((one, pieces[0]), (other, pieces[1])):
                    kept.append(os.urandom(4096))
                    file.write(kept[-1])
                    os.fsync(file.fileno())
        with (top / "holes").open("wb") as file:
            file.seek(2 * MIB)
            file.write(b"behind a hole")
        whole |= {"one": b"".join(pieces[0]), "other": b"".join(pieces[1])}
        whole["holes"] = bytes(2 * MIB) + b"behind a hole"
        names = sorted(path.name for path in top.iterdir())
    with ntfs.open("rb") as disk:
        read = Ntfs(disk, 0)
        for path, content in whole.items():
            assert read.read(path.upper()) == content, path
        assert read.read("gone") is None
        assert [name for name in sorted(read.names("")) if not name.startswith("$")] == [
            name for name in names if not name.startswith("$")
        ]


def test_whatever_an_ntfs_has_for_a_byte_it_is_read_or_called_damaged(tmp_path: Path) -> None:
    ntfs = ntfs_of(files(), tmp_path)
    sound = ntfs.read_bytes()
    at_mft = int.from_bytes(sound[48:56], "little") * 4096

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.integers(11, 80) | st.integers(at_mft, at_mft + 80 * 1024), st.integers(0, 255))
    def spoil(at: int, byte: int) -> None:
        with ntfs.open("r+b") as file:
            file.seek(at)
            file.write(bytes([byte]))
        try:
            with ntfs.open("rb") as disk:
                Ntfs(disk, 0).read(f"{CONFIG}/SYSTEM")
        except Damaged:
            pass
        finally:
            with ntfs.open("r+b") as file:
                file.seek(at)
                file.write(sound[at : at + 1])

    spoil()


def test_the_agent_tells_an_ntfs_as_libblkid_does(tmp_path: Path) -> None:
    ntfs = tmp_path / "ntfs.raw"
    with mounted(ntfs, tmp_path / "mounted"):
        pass
    with ntfs.open("rb") as disk:
        found = recognise(lambda at, size: os.pread(disk.fileno(), size, at), NTFS_MIB * MIB)
    assert found
    told = dict(line.split("=", 1) for line in sh("blkid", "-p", "-o", "export", ntfs).splitlines())
    assert (found.type, found.uuid) == (told["TYPE"], told["UUID"])


def test_a_hive_reads_as_hivex_has_it_and_as_hivex_changes_it(tmp_path: Path) -> None:
    place = tmp_path / "SOFTWARE"
    place.write_bytes(files()[f"{CONFIG}/SOFTWARE"])
    told = sh("hivexget", place, CURRENT, "ProductName").strip()
    assert told == Hive(place.read_bytes()).text(CURRENT, "ProductName")
    words = "".join(f"cd \\\nadd Added{number}\n" for number in range(300))
    many = "hex:7:61,00,00,00,62,00,00,00,00,00"
    values = f"cd \\Added7\nsetval 3\nText\nstring:of hivex\nNumber\ndword:0x1f\nMany\n{many}\n"
    subprocess.run(["hivexsh", "-w", place], input=f"{words}{values}commit\n", text=True, check=True)
    read = Hive(place.read_bytes())
    assert {f"Added{number}" for number in range(300)} <= {*read.keys("")}
    assert (read.text("added7", "text"), read.number("Added7", "Number")) == ("of hivex", 31)
    assert read.texts("Added7", "Many") == ("a", "b")
    assert read.text(CURRENT, "ProductName") == told
