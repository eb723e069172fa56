"""A loader by grub-install has the place of grub.cfg built in, which the copy may not have."""

from pathlib import Path

import pytest
from tests.unit.guest.fake_families import FakeFamily
from tests.unit.guest.fake_guest import VOLUMES, efi_program

from smc.guest.grub_prefix import leads_elsewhere, place_in
from smc.guest.volumes import Volume
from smc.model.disk import Role
from smc.model.report import Level

ARRAY = "mduuid/498b92e27fa151f1a3a4780ec28f57d7"
LOGICAL = "lvmid/zLXqLz-0Yqw-w2Xs-2dXc-9cZq-8vXf-abcdef/Qd0Yqw-w2Xs-2dXc-9cZq-8vXf-abcd-efghij"
LOCKED = "cryptouuid/17f3d91e2b4254f8ba336cb815c7f67d"
OWN = "ubuntu/grubx64.efi"


def own_grub(place: str) -> bytes:
    return efi_program(f"modules mduuid/ lvmid/ cryptouuid/%s ({place})/boot/grub")


def without_packages_loaders(folder: Path, place: str) -> FakeFamily:
    """GRUB of Debian's grub-efi without what packages have signed, as a source without shim has it."""
    guest = FakeFamily(folder, "ubuntu-22.04")
    for loader in guest.shape.loaders:
        (guest.root / "boot/efi/EFI" / loader).unlink()
    (guest.root / "boot/efi/EFI/ubuntu/grub.cfg").unlink()
    for loader in (OWN, "BOOT/BOOTX64.EFI"):
        guest.write_bytes(f"/boot/efi/EFI/{loader}", own_grub(place))
    return guest


@pytest.mark.parametrize("place", [ARRAY, LOGICAL, LOCKED, ",gpt7"])
def test_a_loader_that_looks_in_what_was_not_copied_is_made_anew(tmp_path: Path, place: str) -> None:
    guest = without_packages_loaders(tmp_path, place)
    checks = guest.convert().checks
    assert guest.esp("BOOT/BOOTX64.EFI") == efi_program("made by grub-install")
    assert not [check for check in checks if check.level is Level.CRITICAL]


def test_what_packages_have_signed_takes_the_place_of_such_a_loader(tmp_path: Path) -> None:
    guest = without_packages_loaders(tmp_path, ARRAY)
    for name in ("shim/shimx64.efi.signed", "grub/x86_64-efi-signed/grubx64.efi.signed"):
        guest.write_bytes(f"/usr/lib/{name}", efi_program(name))
    guest.convert()
    assert guest.esp("BOOT/BOOTX64.EFI") == efi_program("shim/shimx64.efi.signed")
    assert guest.esp("BOOT/grubx64.efi") == efi_program("grub/x86_64-efi-signed/grubx64.efi.signed")
    assert "grub-install" not in guest.ran


def test_a_loader_that_looks_in_the_copied_partition_is_taken_as_it_is(tmp_path: Path) -> None:
    guest = without_packages_loaders(tmp_path, ",gpt1")
    guest.convert()
    assert guest.esp("BOOT/BOOTX64.EFI") == own_grub(",gpt1")
    assert "grub-install" not in guest.ran


def test_a_loader_that_cannot_be_made_anew_is_critical_and_told_what_it_looks_for(tmp_path: Path) -> None:
    guest = without_packages_loaders(tmp_path, ARRAY)
    (guest.root / "usr/lib/grub/x86_64-efi").rename(guest.root / "usr/lib/grub/elsewhere")
    (check,) = (check for check in guest.convert().checks if check.level is Level.CRITICAL)
    assert ARRAY in check.finding


def test_on_a_logical_volume_only_what_is_no_logical_volume_leads_elsewhere() -> None:
    logical = Volume(source="0_1", number=1, device=Path("/dev/mapper/vg0-lv1"), role=Role.FILESYSTEM,
                     filesystem="ext4", mount_point="/", uuid="1")  # fmt: skip
    found = {
        place: leads_elsewhere(own_grub(place), [logical], "/boot/efi") for place in (ARRAY, LOGICAL, ",gpt1")
    }
    assert found == {ARRAY: True, LOGICAL: False, ",gpt1": True}


def test_a_partition_of_another_disk_than_the_loaders_is_elsewhere() -> None:
    moved = Volume(source="0_9", number=9, device=Path("/dev/vdc9"), role=Role.ESP, filesystem="vfat",
                   mount_point="/boot/efi", uuid="ABCD-1234")  # fmt: skip
    assert leads_elsewhere(own_grub(",gpt1"), [*VOLUMES, moved], "/boot/efi")


def test_loaders_of_packages_have_no_place_built_in() -> None:
    assert place_in(efi_program("/EFI/debian mduuid/ lvmid/ (%s)/boot")) == ""
