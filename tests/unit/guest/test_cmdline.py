"""The kernel's command line on a machine without the old disks."""

from collections.abc import Collection
from pathlib import Path

import msgspec
import pytest
from tests.unit.guest.fake_families import FakeFamily
from tests.unit.guest.fake_guest import ROOT, SWAP, VOLUMES, FakeGuest, plan

from smc.base.run import Arg, Output
from smc.guest import cmdline
from smc.guest.convert import convert
from smc.guest.enter import name_of
from smc.guest.volumes import Volume
from smc.model.report import Level

CONSOLES = "console=tty0 console=ttyS0,115200"
LOGICAL = tuple(
    msgspec.structs.replace(volume, device=Path(f"/dev/mapper/vg0-lv{n}"))
    for n, volume in enumerate(VOLUMES, 1)
)


def adapted(line: str, volumes: tuple[Volume, ...] = VOLUMES, *, resumes: bool = True) -> str:
    new = cmdline.adapted(line.split(), volumes, resumes=resumes)
    assert cmdline.adapted(new, volumes, resumes=resumes) == new, "a second time changes nothing"
    return " ".join(new)


@pytest.mark.parametrize(
    "name",
    [
        *("/dev/sda1", "/dev/nvme0n1p1", "/dev/xvda1", "/dev/cciss/c0d0p1", "/dev/vdb1"),
        *(
            "/dev/mapper/mpatha-part1",
            "/dev/mapper/centos-root",
            "/dev/md0",
            "/dev/disk/by-id/wwn-0x5000c-part1",
        ),
        *("/dev/disk/by-path/pci-0000:00:10.0-scsi-0:0:0:0-part1", "UUID=made-by-another-mkfs", "LABEL=gone"),
    ],
)
def test_root_by_a_name_of_the_old_machine_is_the_uuid_of_the_new_one(name: str) -> None:
    assert adapted(f"root={name} ro quiet") == f"root=UUID={ROOT} ro quiet {CONSOLES}"


@pytest.mark.parametrize("name", [f"UUID={ROOT}", f"/dev/disk/by-uuid/{ROOT}"])
def test_root_by_a_name_that_holds_stays(name: str) -> None:
    assert adapted(f"root={name} ro") == f"root={name} ro {CONSOLES}"


def test_resume_leads_to_the_swap_that_was_made_or_to_none() -> None:
    assert adapted("resume=/dev/sda2") == f"resume=UUID={SWAP} {CONSOLES}"
    without = tuple(volume for volume in VOLUMES if volume.filesystem != "swap")
    assert adapted("resume=/dev/sda2", without, resumes=False) == f"noresume {CONSOLES}"


@pytest.mark.parametrize(
    "word",
    [
        *("rd.lvm.lv=rl/root", "rd.lvm.vg=rl", "rd.luks.uuid=luks-1234", "rd.md.uuid=a:b:c:d"),
        *("cryptdevice=/dev/sda2:root", "rd.luks.name=1234=root"),
    ],
)
def test_a_start_does_not_wait_for_volumes_encryption_or_raid_that_stayed_behind(word: str) -> None:
    assert adapted(f"ro {word}") == f"ro {CONSOLES}"


def test_logical_volumes_that_were_made_are_waited_for() -> None:
    line = "root=/dev/mapper/vg0-lv1 rd.lvm.lv=vg0/lv1 rd.lvm.vg=vg0"
    assert adapted(f"{line} rd.lvm.lv=rl/swap", LOGICAL) == f"{line} {CONSOLES}"


@pytest.mark.parametrize(
    ("device", "name"),
    [
        ("/dev/mapper/vg0-lv1", "mapper/vg0-lv1"),
        ("/dev/vg0/lv1", "mapper/vg0-lv1"),
        ("/dev/my-group/root", "mapper/my--group-root"),
        ("/dev/mapper/my--group-root", "mapper/my--group-root"),
        ("/dev/vdb1", "vdb1"),
    ],
)
def test_a_program_of_the_guest_finds_a_volume_by_the_name_of_its_mount(device: str, name: str) -> None:
    assert name_of(msgspec.structs.replace(VOLUMES[0], device=Path(device))) == name


def test_a_serial_console_that_is_there_is_the_owners() -> None:
    assert adapted("ro console=ttyS0,9600n8") == "ro console=ttyS0,9600n8"


def test_a_root_on_a_logical_volume_needs_the_device_mapper_in_the_initramfs(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "almalinux-9")
    guest.volumes = LOGICAL
    (check,) = (check for check in guest.convert().checks if check.item == "GUESTOS.Virtio")
    assert (check.level, "dm_mod" in check.finding) == (Level.CRITICAL, True)


def test_no_program_of_the_guest_looks_for_other_systems(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    heard: list[list[str]] = []

    def run(*argv: Arg, timeout: float, stdin: str = "", ok: Collection[int] = (0,)) -> Output:
        heard.append([str(word) for word in argv])
        return guest.run(*argv, timeout=timeout, stdin=stdin, ok=ok)

    convert(guest.copy, plan(), note=lambda _: None, run=run)
    programs = [words for words in heard if words[0] == "unshare"]
    assert programs
    assert all("GRUB_DISABLE_OS_PROBER=true" in words for words in programs)
