"""The whole conversion on planted trees, with programs that are played."""

from pathlib import Path

import pytest
from tests.unit.guest.fake_guest import FakeGuest, plan

from smc.base.errors import Broken, TargetWriteError, UserError
from smc.guest import check
from smc.guest.convert import Converted, convert
from smc.guest.journal import Journal
from smc.model.plan import IpMode
from smc.model.report import Check, Level


def converted(guest: FakeGuest, journal: Journal | None = None, mode: IpMode = IpMode.DHCP) -> Converted:
    return convert(guest.copy, plan(mode), note=lambda _: None, run=guest.run, journal=journal)


def of(result: Converted, item: str) -> list[Check]:
    return [check for check in result.checks if check.item == item]


def test_a_copied_debian_becomes_bootable_and_nothing_is_critical(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path, "ifupdown-static")
    result = converted(guest)
    assert not [check for check in result.checks if check.level is Level.CRITICAL]
    assert {change.path for change in result.changes} == {
        "/boot/grub/device.map",
        "/boot/grub/grub.cfg",
        "/boot/grub/i386-pc",
        "/boot/grub/i386-pc/core.img",
        "/dev",
        "/etc/default/grub",
        "/etc/fstab",
        "/etc/network/interfaces",
        "/etc/systemd/network",
        "/etc/systemd/network/10-smc-network-card.link",
        "/etc/systemd/system/multi-user.target.wants/smc-agent.service",
        "/etc/systemd/system/smc-agent.service",
        "/etc/udev/rules.d/70-persistent-net.rules",
        "/proc",
        "/run",
        "/smc",
        "/sys",
        "/tmp",
        "/var/cache/debconf/config.dat",
        "/var/lib/dhcp/dhclient.ens192.leases",
        "/var/lib/systemd/random-seed",
    }


def test_a_second_conversion_changes_nothing(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path, "ifupdown-static")
    converted(guest)
    assert converted(guest).changes == ()
    assert guest.ran.count("grub-mkconfig") == 1


def test_a_repeated_conversion_with_the_journal_tells_all_changes_from_the_first_before(
    tmp_path: Path,
) -> None:
    guest = FakeGuest(tmp_path, "ifupdown-static")
    first = converted(guest)
    again = converted(guest, Journal(first.changes))
    assert again.changes == first.changes


def test_what_a_failed_conversion_had_changed_is_in_the_journal_and_in_the_next_result(
    tmp_path: Path,
) -> None:
    guest = FakeGuest(tmp_path, "ifupdown-static")
    original = guest.read("/etc/fstab")
    (guest.root / "tmp").symlink_to("/etc")  # programs of the copy cannot be run
    journal = Journal()
    with pytest.raises(Broken, match="/tmp on the copy is not a folder"):
        converted(guest, journal)
    (guest.root / "tmp").unlink()
    result = converted(guest, journal)
    assert next(change for change in result.changes if change.path == "/etc/fstab").before == original


def test_the_agent_its_service_and_its_credentials_are_not_on_the_copy_and_not_in_the_report(
    tmp_path: Path,
) -> None:
    guest = FakeGuest(tmp_path)
    result = converted(guest)
    assert not (guest.root / "smc").exists()
    assert not list(guest.root.rglob("smc-agent*"))
    assert (guest.root / "etc/systemd/system/multi-user.target.wants/ssh.service").is_symlink()
    assert "secret-of-the-agent" not in repr(result)


def test_machine_id_and_users_are_kept(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    converted(guest)
    assert guest.read("/etc/machine-id") == "0123456789abcdef0123456789abcdef\n"


def test_an_unknown_system_is_refused_with_a_cure(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    guest.write("/usr/lib/os-release", "ID=photon\nPRETTY_NAME='Photon OS'\n")
    with pytest.raises(UserError, match="Photon OS") as refused:
        converted(guest)
    assert refused.value.code == "Guest.UnknownSystem"
    assert refused.value.hint


def test_a_derived_distribution_is_converted_as_its_family(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    guest.write("/usr/lib/os-release", 'ID=raspbian\nID_LIKE="debian"\n')
    assert of(converted(guest), "GUESTOS.Platform")[0].finding == "Linux, of the debian family"


@pytest.mark.parametrize(
    ("loader", "name"),
    [
        ("/boot/loader/loader.conf", "systemd-boot"),
        ("/etc/lilo.conf", "LILO"),
        ("/boot/grub/menu.lst", "Legacy"),
    ],
)
def test_a_boot_loader_that_cannot_start_the_copy_is_refused_by_name(
    tmp_path: Path, loader: str, name: str
) -> None:
    guest = FakeGuest(tmp_path)
    (guest.root / "boot/grub/grub.cfg").unlink()
    guest.write(loader, "")
    with pytest.raises(UserError, match=name):
        converted(guest)


def test_a_copy_that_cannot_be_written_is_an_error_of_the_destination(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    guest.disk.unlink()  # the boot disk has gone

    def run(*argv: object, **options: object) -> object:
        raise OSError(5, "Input/output error")

    with pytest.raises(TargetWriteError, match="Input/output error"):
        convert(guest.copy, plan(), note=lambda _: None, run=run)  # type: ignore[arg-type]  # a run that fails


def test_no_file_outside_the_copy_is_touched_by_a_hostile_one(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "fstab").write_text("mine\n")
    (outside / "70-persistent-net.rules").write_text("mine\n")
    guest = FakeGuest(tmp_path)
    for name in ("etc/fstab", "etc/default/grub", "boot/grub/device.map"):
        (guest.root / name).unlink()
        (guest.root / name).symlink_to(outside / "fstab")
    rules = guest.root / "etc/udev/rules.d"
    (rules / "70-persistent-net.rules").unlink()
    rules.rmdir()
    rules.symlink_to("../../../outside")
    with pytest.raises(Broken, match="cannot be written"):
        converted(guest)
    assert (outside / "fstab").read_text() == "mine\n"
    assert (outside / "70-persistent-net.rules").exists()


def test_without_the_image_check_only_what_was_done_is_told(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path, "ifupdown-static")
    result = convert(guest.copy, plan(), note=lambda _: None, run=guest.run, image_check=False)
    assert not of(result, "GUESTOS.Platform")
    assert of(result, "GUESTOS.Fstab")


def test_an_item_that_cannot_be_looked_at_hinders_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_facts: check.Facts) -> Check:
        raise OSError("Input/output error")

    monkeypatch.setattr(check, "ITEMS", (broken, *check.ITEMS))
    result = converted(FakeGuest(tmp_path, "ifupdown-static"))
    (found,) = of(result, "GUESTOS.broken")
    assert (found.level, "Input/output error" in found.finding) == (Level.WARNING, True)
    assert of(result, "GUESTOS.Platform")
