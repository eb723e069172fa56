"""Whether a copy is the server that it was, or another machine that is tried beside it."""

from pathlib import Path

import pytest
from tests.unit.guest.fake_guest import FakeGuest, plan

from smc.guest.convert import Converted, convert
from smc.model.report import Level

KEY, PUBLIC = "/etc/ssh/ssh_host_ed25519_key", "/etc/ssh/ssh_host_ed25519_key.pub"
SECRET = "-----BEGIN OPENSSH PRIVATE KEY-----\nof the source\n"


@pytest.fixture
def guest(tmp_path: Path) -> FakeGuest:
    made = FakeGuest(tmp_path)
    made.write(KEY, SECRET)
    made.write(PUBLIC, "ssh-ed25519 AAAA")
    return made


def tried(guest: FakeGuest) -> Converted:
    return convert(guest.copy, plan(), note=lambda _: None, run=guest.run, journal=guest.journal, fresh=True)


def test_a_copy_that_is_tried_beside_its_source_is_another_machine(guest: FakeGuest) -> None:
    before = guest.read("/etc/machine-id")
    result = tried(guest)
    assert guest.read("/etc/machine-id") != before
    assert int(guest.read("/etc/machine-id"), 16)
    assert len(guest.read("/etc/machine-id")) == len(before)
    assert guest.read(KEY) == "another key"
    assert [call[-2:] for call in guest.calls if call[0] == "sh"] == [["ed25519", KEY]]
    assert {change.path for change in result.changes} >= {"/etc/machine-id", KEY}
    assert "of the source" not in repr([change for change in result.changes if change.path == KEY])


def test_a_repeated_attempt_leaves_it_the_machine_that_it_became(guest: FakeGuest) -> None:
    tried(guest)
    guest.calls.clear()
    became = guest.read("/etc/machine-id")
    tried(guest)
    assert guest.read("/etc/machine-id") == became
    assert not [call for call in guest.calls if call[0] == "sh"]


def test_keys_that_cannot_be_made_stay_and_are_told(guest: FakeGuest) -> None:
    guest.fails.add("sh")
    (found,) = (check for check in tried(guest).checks if check.item == "Identity")
    assert (found.level, KEY in found.finding, guest.read(KEY)) == (Level.WARNING, True, SECRET)


def test_at_a_cutover_the_copy_is_the_server_that_it_was(guest: FakeGuest) -> None:
    before = guest.read("/etc/machine-id")
    convert(guest.copy, plan(), note=lambda _: None, run=guest.run, journal=guest.journal)
    assert (guest.read("/etc/machine-id"), guest.read(KEY)) == (before, SECRET)
