"""openSUSE on btrfs, started from a snapshot: names of the old disk go, places of subvolumes stay."""

from pathlib import Path

import msgspec
from tests.unit.guest.fake_families import FakeFamily
from tests.unit.guest.fake_guest import ROOT, VOLUMES

from smc.guest import fstab
from smc.model.report import Level


def test_each_mounted_subvolume_is_found_by_uuid_and_the_root_stays_the_default_one(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "opensuse-leap-15", "opensuse-snapper")
    places = frozenset({"/", "/var", "/.snapshots", "/boot/grub2/x86_64-efi"})
    root = msgspec.structs.replace(VOLUMES[0], filesystem="btrfs", submounts=places)
    checks = fstab.rewrite(guest.files, (root, *guest.volumes[1:]))
    lines = [line.split() for line in guest.read("/etc/fstab").splitlines()]
    assert [(line[0], line[1], line[3]) for line in lines[:4]] == [
        (f"UUID={ROOT}", "/", "defaults"),
        (f"UUID={ROOT}", "/var", "subvol=/@/var"),
        (f"UUID={ROOT}", "/boot/grub2/x86_64-efi", "subvol=/@/boot/grub2/x86_64-efi"),
        (f"UUID={ROOT}", "/.snapshots", "subvol=/@/.snapshots"),
    ]
    assert not [check for check in checks if check.level is Level.CRITICAL]


def test_paths_of_grub_that_are_relative_to_the_default_subvolume_stay_so(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "opensuse-leap-15", "opensuse-snapper")
    result = guest.convert()
    assert not [check for check in result.checks if check.level is Level.CRITICAL]
    stub = guest.read("/boot/efi/EFI/opensuse/grub.cfg")
    assert stub.startswith('set btrfs_relative_path="yes"\n')
    assert f"--set=root {ROOT}" in stub
    assert 'SUSE_BTRFS_SNAPSHOT_BOOTING="true"' in guest.read("/etc/default/grub")
    assert "console=ttyS0" in guest.read("/etc/default/grub")
