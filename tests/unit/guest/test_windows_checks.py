"""The image check of a Windows: what stands in the way of its start is found, named and has its cure."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.guest.fake_hive import Given, hive
from tests.unit.guest.fake_windows import (
    CLASS,
    CURRENT,
    ENTRY,
    SERVICES,
    SERVICING,
    bcd,
    files,
    windows,
)

from smc.guest.windows.bcd import DEFAULT, MANAGER, PATH
from smc.guest.windows.checks import check
from smc.guest.windows.hive import Hive
from smc.guest.windows.system import CONFIG, BootFiles, Windows
from smc.model.report import Check, Level
from smc.model.server import Firmware

PACKAGE = rf"{SERVICING}\Packages\Package_for_KB5009624~31bf3856ad364e35~amd64~~1.0.0.0"


def item(name: str, found: Windows) -> Check:
    return next(each for each in check(found) if each.item == f"GUESTOS.{name}")


@pytest.mark.parametrize("firmware", list(Firmware))
def test_a_sound_windows_has_every_item_and_none_that_warns(firmware: Firmware) -> None:
    found = check(windows(firmware=firmware))
    assert {each.item.removeprefix("GUESTOS.") for each in found} == {
        *("Platform", "OSVersion", "Architecture", "BootMode", "KernelVersion", "Virtio", "Registry", "BCD"),
        *("BootMgr", "Hotfix", "Disk", "Sysprep", "Update", "Xen", "Server"),
    }
    assert {each.level for each in found} == {Level.PASSED, Level.INFORMATION}


def test_its_name_version_and_architecture_are_told() -> None:
    found = windows()
    assert item("OSVersion", found).finding == "Windows Server 2022 Standard 21H2"
    assert item("KernelVersion", found).finding == "10.0.20348.2340"
    assert item("Architecture", found).finding == "x86_64"


@pytest.mark.parametrize(
    ("name", "level", "says", "system"),
    [
        ("Virtio", Level.CRITICAL, "INACCESSIBLE_BOOT_DEVICE", {rf"{SERVICES}\viostor\Start": 3}),
        (
            "Virtio",
            Level.CRITICAL,
            "without its file",
            {rf"{SERVICES}\viostor\ImagePath": r"gone\viostor.sys"},
        ),
        ("Disk", Level.CRITICAL, "vmstorfl", {rf"{CLASS}\LowerFilters": ("vmstorfl",)}),
        ("Xen", Level.WARNING, "xenvbd", {rf"{SERVICES}\xenvbd\Start": 0}),
        ("Sysprep", Level.WARNING, "first start", {r"Setup\OOBEInProgress": 1}),
        ("Registry", Level.CRITICAL, "ControlSet002", {r"Select\Default": 2}),
    ],
)
def test_what_the_system_hive_tells_against_a_start(
    name: str, level: Level, says: str, system: Mapping[str, Given]
) -> None:
    found = item(name, windows(files(system=system)))
    assert (found.level, bool(found.cure)) == (level, True)
    assert says in found.finding


def test_a_filter_of_another_program_that_has_its_driver_is_told() -> None:
    there = {"Windows/System32/drivers/other.sys": b"MZ"}
    system: Mapping[str, Given] = {
        rf"{SERVICES}\other\Start": 0,
        rf"{CLASS}\UpperFilters": ("partmgr", "other"),
    }
    found = item("Disk", windows(files(system=system, more=there)))
    assert (found.level, found.finding) == (Level.WARNING, "filters of other programs: other of each disk")


@pytest.mark.parametrize(
    ("name", "says", "software"),
    [
        ("Hotfix", "KB5009624", {rf"{PACKAGE}\CurrentState": 112}),
        ("Update", "restart", {rf"{SERVICING}\RebootPending\x": 1}),
        ("Sysprep", "IMAGE_STATE_UNDEPLOYABLE", {
            r"Microsoft\Windows\CurrentVersion\Setup\State\ImageState": "IMAGE_STATE_UNDEPLOYABLE"}),
        ("Server", "DenyUnspecified", {
            r"Policies\Microsoft\Windows\DeviceInstall\Restrictions\DenyUnspecified": 1}),
    ],
)  # fmt: skip
def test_what_the_software_hive_tells_against_a_start(
    name: str, says: str, software: Mapping[str, Given]
) -> None:
    found = item(name, windows(files(software=software)))
    assert (found.level, bool(found.cure)) == (Level.WARNING, True)
    assert says in found.finding


def test_a_windows_of_2009_needs_the_patch_for_newer_signatures() -> None:
    old: Mapping[str, Given] = {
        rf"{CURRENT}\CurrentMajorVersionNumber": "",
        rf"{CURRENT}\CurrentVersion": "6.1",
    }
    assert "KB3033929" in item("Hotfix", windows(files(software=old))).finding


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no BCD"),
        (b"regf", "damaged"),
        (bcd(Firmware.BIOS), "needs winload.efi"),
        (bcd(Firmware.UEFI, {rf"Objects\{MANAGER}\Elements\{DEFAULT}\Element": "{gone}"}), "{gone}"),
        (bcd(Firmware.UEFI, {rf"Objects\{ENTRY}\Elements\{PATH}\Element": r"\windows\winresume.efi"}),
         "winresume"),
        (hive({"Objects": {}}), "no boot manager"),
    ],
)  # fmt: skip
def test_a_boot_configuration_that_leads_nowhere_is_critical(content: bytes | None, says: str) -> None:
    found = item("BCD", windows(boot=BootFiles(content, manager=True, fallback=True)))
    assert (found.level, bool(found.cure)) == (Level.CRITICAL, True)
    assert says in found.finding


def test_firmware_without_entries_needs_the_fallback() -> None:
    found = item("BootMgr", windows(boot=BootFiles(bcd(Firmware.UEFI), manager=True, fallback=False)))
    assert (found.level, "bootx64.efi" in found.finding) == (Level.CRITICAL, True)


def test_a_hive_that_is_lost_or_damaged_is_critical_and_one_in_use_is_told() -> None:
    given = files()
    del given[f"{CONFIG}/SAM"]
    given[f"{CONFIG}/SECURITY"] = b"regf" + bytes(5000)
    found = item("Registry", windows(given))
    assert found.level is Level.CRITICAL
    assert {"SAM: it is not there", "SECURITY: the sum of its first block is wrong"} == {
        *found.finding.split("; ")
    }
    dirty = item("Registry", windows({**files(), f"{CONFIG}/SAM": hive({"a": {}}, dirty=True)}))
    assert (dirty.level, "SAM" in dirty.finding) == (Level.WARNING, True)


WHOLE = hive({"a": {"b": {"name": "text", "n": 5}, "c": {}}, "list": ("x", "y")})


@given(st.integers(4096, len(WHOLE) - 1), st.integers(0, 255))
def test_whatever_a_hive_has_for_a_byte_it_is_read_or_called_damaged(at: int, byte: int) -> None:
    spoilt = bytearray(WHOLE)
    spoilt[at] = byte
    read = Hive(bytes(spoilt))
    for ask in (lambda: read.keys("a"), lambda: read.value(r"a\b", "name"), lambda: read.texts("", "list")):
        try:
            ask()
        except ValueError:
            continue


def test_keys_and_values_are_found_whatever_their_case() -> None:
    read = Hive(WHOLE)
    assert read.keys("A") == ["b", "c"]
    assert (read.text(r"a\B", "NAME"), read.number(r"a\b", "n"), read.texts("", "List")) == (
        "text",
        5,
        ("x", "y"),
    )
    assert (read.value("a", "gone"), read.value("gone", "x"), read.has("a\\b")) == (None, None, True)
