"""Systems of every family, on planted trees, become bootable; a second conversion changes nothing."""

from pathlib import Path

import pytest
from tests.unit.guest.fake_families import ESP_UUID, SHAPES, FakeFamily
from tests.unit.guest.fake_guest import DATA, NEEDED, ROOT, SWAP, efi_program

from smc.base.errors import UserError
from smc.guest import cloudinit, loader_entries
from smc.guest.detect import detect
from smc.guest.origins import ITEM
from smc.guest.root import Root
from smc.model.report import Level
from smc.model.server import Firmware


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_a_copy_of_each_family_becomes_bootable_and_a_second_time_changes_nothing(
    tmp_path: Path, name: str
) -> None:
    guest = FakeFamily(tmp_path, name)
    result = guest.convert()
    assert not [check for check in result.checks if check.level is Level.CRITICAL]
    assert {"GUESTOS.Grub", "GUESTOS.Virtio"} <= {c.item for c in result.checks if c.level is Level.PASSED}
    files = contents(guest)
    assert guest.convert().changes == ()
    assert contents(guest) == files


def test_boot_loader_entries_find_root_by_uuid_and_have_a_serial_console(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "almalinux-9")
    guest.convert()
    line = f"root=UUID={ROOT} ro crashkernel=1G-4G:192M resume=UUID={SWAP} console=tty0 console=ttyS0,115200"
    (entry,) = (guest.root / "boot/loader/entries").iterdir()
    assert f"\noptions {line}\ngrub_users $grub_users\n" in entry.read_text()
    assert guest.read("/etc/kernel/cmdline") == f"{line}\n"


def test_the_environment_of_grub_keeps_its_1024_bytes_and_its_other_values(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "rhel-8")
    before = loader_entries.environment(
        {
            "saved_entry": "0123-4.18.0",
            "kernelopts": "root=/dev/mapper/rhel-root ro rd.lvm.lv=rhel/root ",
            "boot_success": "1",
        }
    )
    guest.write("/boot/grub2/grubenv", before)
    guest.convert()
    after = guest.read("/boot/grub2/grubenv")
    assert len(after) == 1024
    assert loader_entries.read_environment(after) == {
        "saved_entry": "0123-4.18.0",
        "kernelopts": f"root=UUID={ROOT} ro console=tty0 console=ttyS0,115200",
        "boot_success": "1",
    }
    (entry,) = (guest.root / "boot/loader/entries").iterdir()
    assert "options $kernelopts $tuned_params\n" in entry.read_text()


def test_an_environment_of_grub_reads_back_as_it_was_written() -> None:
    values = {"a": "back\\slash", "b": "two\nlines", "c": ""}
    assert loader_entries.read_environment(loader_entries.environment(values)) == values


def test_shim_and_the_grub_beside_it_become_what_firmware_without_entries_starts(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "ubuntu-22.04")
    guest.convert()
    for to, source in {
        "BOOT/BOOTX64.EFI": "ubuntu/shimx64.efi",
        "BOOT/grubx64.efi": "ubuntu/grubx64.efi",
        "BOOT/mmx64.efi": "ubuntu/mmx64.efi",
    }.items():
        assert guest.esp(to) == efi_program(source)
        assert guest.esp(source) == efi_program(source), "the signed loader stays where it was"


def test_a_shim_that_finds_its_table_of_entries_is_left_to_it(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "almalinux-9-uefi")
    guest.convert()
    assert guest.esp("BOOT/BOOTX64.EFI") == efi_program("almalinux/shimx64.efi")
    assert guest.esp("BOOT/fbx64.efi")
    assert not (guest.root / "boot/efi/EFI/BOOT/grubx64.efi").exists()


def test_names_in_the_esp_are_found_whatever_their_case_and_a_helper_without_table_goes(
    tmp_path: Path,
) -> None:
    guest = FakeFamily(tmp_path, "opensuse-leap-15")
    guest.convert()
    folder = guest.root / "boot/efi/EFI/boot"
    assert sorted(path.name for path in folder.iterdir()) == ["MokManager.efi", "bootx64.efi", "grub.efi"]
    assert guest.esp("boot/bootx64.efi") == efi_program("opensuse/shim.efi")
    assert f"search --fs-uuid --set=root {ROOT}\n" in guest.read("/boot/efi/EFI/opensuse/grub.cfg")


def test_a_whole_grub_cfg_in_the_esp_is_the_one_that_is_made_anew(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "centos-7")
    guest.convert()
    assert ["grub2-mkconfig", "-o", "/boot/efi/EFI/centos/grub.cfg"] in guest.calls
    assert not any(call[0] == "grub2-install" for call in guest.calls)


def test_amazon_linux_2_starts_without_ec2(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "amazon-2")
    before = guest.read("/etc/default/grub")
    result = guest.convert()
    assert detect(guest.files).family.name == "amazon"
    root, data = guest.read("/etc/fstab").splitlines()[1:]
    assert root.split()[:2] == [f"UUID={ROOT}", "/"]
    assert data.split()[:2] == [f"UUID={DATA}", "/srv/data"]
    assert guest.read("/etc/default/grub") == before, "it has a serial console, and no disk by its old name"
    assert f"root=UUID={ROOT}" in guest.read("/boot/grub2/grub.cfg")
    assert guest.read("/etc/sysconfig/network-scripts/ifcfg-eth0").startswith("DEVICE=eth0\nBOOTPROTO=dhcp\n")
    assert cloudinit.datasources(guest.files)[0] == "AliYun"
    wants = guest.root / "etc/systemd/system/multi-user.target.wants"
    assert not (wants / "amazon-ssm-agent.service").is_symlink()
    (tools,) = [check for check in result.checks if check.item == ITEM]
    assert "AWS" in tools.finding


def test_systemd_boot_finds_its_kernel_and_root_by_uuid(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "arch")
    guest.convert()
    assert f"options root=UUID={ROOT} rw quiet console=tty0 console=ttyS0,115200\n" in guest.read(
        "/boot/loader/entries/arch.conf"
    )
    assert guest.esp("BOOT/BOOTX64.EFI") == efi_program("systemd/systemd-bootx64.efi")


def test_systemd_boot_is_put_into_an_esp_that_came_without_it(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "arch")
    (guest.root / "boot/EFI/systemd/systemd-bootx64.efi").unlink()
    guest.write_bytes("/usr/lib/systemd/boot/efi/systemd-bootx64.efi", efi_program("of the package"))
    assert not [check for check in guest.convert().checks if check.level is Level.CRITICAL]
    assert guest.esp("BOOT/BOOTX64.EFI") == efi_program("of the package")


def test_an_entry_whose_kernel_is_not_there_is_critical_when_no_other_has_one(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "arch")
    guest.write("/boot/loader/entries/arch.conf", "linux /elsewhere\noptions root=/dev/sda2\n")
    (check,) = (check for check in guest.convert().checks if check.item == "GUESTOS.Grub")
    assert (check.level, "no boot loader entry leads to a kernel" in check.finding) == (Level.CRITICAL, True)


def test_systemd_boot_is_not_started_by_bios(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "arch")
    with pytest.raises(UserError, match="UEFI only") as refused:
        guest.convert(firmware=Firmware.BIOS)
    assert refused.value.code == "Guest.FirmwareUnsupported"


def test_a_system_that_started_by_bios_gets_grub_for_uefi_where_its_parts_are_there(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "ubuntu-22.04")
    for loader in guest.shape.loaders:
        (guest.root / "boot/efi/EFI" / loader).unlink()
    (guest.root / "boot/efi/EFI/ubuntu/grub.cfg").unlink()
    guest.convert()
    (call,) = (call for call in guest.calls if call[0] == "grub-install")
    assert call[1:] == ["--target=x86_64-efi", "--efi-directory=/boot/efi", "--no-nvram", "--removable"]


@pytest.mark.parametrize(
    ("name", "firmware", "package"),
    [
        ("almalinux-9-uefi", Firmware.UEFI, "shim-x64"),
        ("centos-7", Firmware.BIOS, "grub2-pc"),
        ("ubuntu-22.04", Firmware.BIOS, "grub-pc-bin"),
    ],
)
def test_firmware_for_which_the_system_has_no_loader_is_refused_before_anything_changes(
    tmp_path: Path, name: str, firmware: Firmware, package: str
) -> None:
    guest = FakeFamily(tmp_path, name)
    for loader in guest.shape.loaders:
        (guest.root / "boot/efi/EFI" / loader).unlink()
    files = contents(guest)
    with pytest.raises(UserError) as refused:
        guest.convert(firmware=firmware)
    assert refused.value.code == "Guest.FirmwareUnsupported"
    assert package in refused.value.hint
    assert contents(guest) == files


def test_uefi_without_an_esp_is_refused_with_a_cure(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "almalinux-9")
    with pytest.raises(UserError, match="no EFI system partition") as refused:
        guest.convert(firmware=Firmware.UEFI)
    assert "/boot/efi" in refused.value.hint


def test_a_loader_of_another_machine_is_critical(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "ubuntu-22.04")
    guest.write_bytes("/boot/efi/EFI/ubuntu/shimx64.efi", efi_program(machine=0xAA64))
    assert Level.CRITICAL in [check.level for check in guest.convert().checks]


def test_the_esp_has_its_line_in_fstab_by_uuid(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "ubuntu-22.04")
    guest.write("/etc/fstab", f"UUID={ROOT} / ext4 defaults 0 1\nUUID={'1' * 8} /old ext4 noauto 0 0\n")
    guest.convert()
    assert f"UUID={ESP_UUID} /boot/efi vfat umask=0077,nofail 0 2\n" in guest.read("/etc/fstab")


@pytest.mark.parametrize(
    ("name", "call", "settings", "line"),
    [
        ("almalinux-9", ["dracut", "--force", "--no-hostonly"], "/etc/dracut.conf.d/90-smc-drivers.conf",
         'add_drivers+=" virtio_blk nvme virtio_scsi "'),
        ("arch", ["mkinitcpio", "--skiphooks", "autodetect"], "/etc/mkinitcpio.conf",
         "MODULES=(virtio_blk virtio_scsi nvme)"),
    ],
)  # fmt: skip
def test_an_initramfs_without_virtio_is_made_anew_by_the_tool_of_the_family(
    tmp_path: Path, name: str, call: list[str], settings: str, line: str
) -> None:
    guest = FakeFamily(tmp_path, name, modules={*NEEDED} - {"virtio_blk"})
    assert not [check for check in guest.convert().checks if check.level is Level.CRITICAL]
    assert [made[:3] for made in guest.calls if made[0] == call[0]] == [call]
    assert set(line.split()) == {word for word in set(line.split()) if word in guest.read(settings)}


@pytest.mark.parametrize(
    "name",
    [
        r"usr/lib/dracut/hooks/initqueue/finished/devexists-\x2fdev\x2fmapper\x2fcentos-root.sh",
        r"etc/systemd/system/initrd.target.wants/dev-mapper-centos\x2droot.device",
    ],
)
def test_an_initramfs_that_waits_for_a_device_of_the_old_machine_is_made_anew(
    tmp_path: Path, name: str
) -> None:
    guest = FakeFamily(tmp_path, "centos-7", more=[name])
    guest.convert()
    assert [call[0] for call in guest.calls].count("dracut") == 1


def test_an_initramfs_that_waits_for_what_was_copied_stays(tmp_path: Path) -> None:
    encoded = rf"\x2fdev\x2fdisk\x2fby-uuid\x2f{ROOT}".replace("-", r"\x2d")
    guest = FakeFamily(
        tmp_path, "almalinux-9", more=[f"lib/dracut/hooks/initqueue/finished/devexists-{encoded}.sh"]
    )
    guest.convert()
    assert "dracut" not in [call[0] for call in guest.calls]


def with_newer_kernel(guest: FakeFamily, version: str, entry: str = "") -> None:
    """One that has no virtio at all, as a custom kernel for the old machine may."""
    guest.write(f"/boot/vmlinuz-{version}", "")
    guest.write(f"/usr/lib/modules/{version}/modules.dep", "kernel/fs/ext4/ext4.ko:\n")
    if entry:
        guest.write(
            entry, f"title newer\nversion {version}\nlinux /boot/vmlinuz-{version}\noptions root=/dev/sda1\n"
        )


def test_where_the_newest_kernel_cannot_start_grub_starts_the_newest_that_can(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "ubuntu-22.04")
    with_newer_kernel(guest, "6.99.0-custom")
    result = guest.convert()
    assert not [check for check in result.checks if check.level is Level.CRITICAL]
    entry = f"gnulinux-advanced-{ROOT}>gnulinux-{guest.kernel}-advanced-{ROOT}"
    assert f'GRUB_DEFAULT="{entry}"' in guest.read("/etc/default/grub")
    assert guest.convert().changes == ()


def test_where_the_newest_kernel_cannot_start_the_environment_names_the_entry_of_another(
    tmp_path: Path,
) -> None:
    guest = FakeFamily(tmp_path, "almalinux-9")
    guest.write("/boot/grub2/grubenv", loader_entries.environment({"saved_entry": "newer"}))
    with_newer_kernel(guest, "6.99.0-custom", "/boot/loader/entries/newer.conf")
    assert not [check for check in guest.convert().checks if check.level is Level.CRITICAL]
    found = loader_entries.read_environment(guest.read("/boot/grub2/grubenv"))
    assert found["saved_entry"].endswith(guest.kernel)
    assert guest.convert().changes == ()


def test_where_no_kernel_can_start_it_is_critical(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "ubuntu-22.04")
    guest.write(f"{guest.modules_folder}/modules.dep", "")
    with_newer_kernel(guest, "6.99.0-custom")
    assert Level.CRITICAL in [c.level for c in guest.convert().checks if c.item == "GUESTOS.Virtio"]


def test_a_boot_folder_without_room_keeps_its_image_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = FakeFamily(tmp_path, "almalinux-9", modules={*NEEDED} - {"virtio_blk"})
    monkeypatch.setattr(Root, "free", lambda _root, _path: 100)
    (check,) = (check for check in guest.convert().checks if check.item == "GUESTOS.Virtio")
    assert (check.level, "/boot has 0 MiB left" in check.finding) == (Level.CRITICAL, True)
    assert "dracut" not in [call[0] for call in guest.calls]


def test_a_module_of_dracut_that_is_not_installed_is_not_asked_for(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "almalinux-9", modules={*NEEDED} - {"virtio_blk"})
    guest.write("/usr/lib/dracut/modules.d/90lvm/module-setup.sh", "")
    guest.write("/etc/dracut.conf.d/50-network-legacy.conf", 'add_dracutmodules+=" network-legacy "\n')
    guest.write("/etc/dracut.conf.d/60-lvm.conf", 'add_dracutmodules+=" lvm "\n')
    guest.convert()
    assert (
        guest.read("/etc/dracut.conf.d/50-network-legacy.conf") == '#add_dracutmodules+=" network-legacy "\n'
    )
    assert guest.read("/etc/dracut.conf.d/60-lvm.conf") == 'add_dracutmodules+=" lvm "\n'


def contents(guest: FakeFamily) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in guest.root.rglob("*") if path.is_file()}
