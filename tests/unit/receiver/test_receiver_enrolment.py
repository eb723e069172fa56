"""A ticket is traded once; everything after that needs none."""

import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.agent.fake_center import serving
from tests.unit.receiver.fake_center import TICKET, ReceiverCenter

from smc.base.errors import Broken, UserError
from smc.model.report import Proof
from smc.receiver.enrol import enrol
from smc.receiver.home import Home, Kept
from smc.receiver.main import parse, receive


@pytest.fixture
def center(tmp_path: Path) -> Iterator[ReceiverCenter]:
    made = ReceiverCenter()
    with serving(tmp_path, made):
        yield made


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path / "state", memory=tmp_path)
    found.make()
    return found


def trade(center: ReceiverCenter, home: Home, ticket: str = TICKET) -> str:
    made = enrol(center.url, center.authority.fingerprint, ticket, home, threading.Event())
    assert made
    return made.credential


def test_a_ticket_gives_a_credential_that_outlives_the_program(center: ReceiverCenter, home: Home) -> None:
    assert trade(center, home) == "receiver-secret"
    center.failures = [(500, b"")]  # nobody asks again
    assert trade(center, home, ticket="") == "receiver-secret"
    assert center.failures


def test_a_lost_answer_is_asked_for_again_with_the_same_key(center: ReceiverCenter, home: Home) -> None:
    center.failures = [(503, b"")]
    trade(center, home)
    home.keep_enrolment(home.enrolment())  # type: ignore[arg-type]  # it is there
    (home.root / "enrolment.json").unlink()
    assert trade(center, home) == "receiver-secret"


def test_a_wrong_ticket_is_refused_in_the_centers_words(center: ReceiverCenter, home: Home) -> None:
    with pytest.raises(UserError, match="not known") as caught:
        trade(center, home, "stolen")
    assert caught.value.code == "Ticket.Invalid"


def test_another_center_is_refused(center: ReceiverCenter, home: Home) -> None:
    with pytest.raises(UserError, match="fingerprint"):
        enrol(center.url, "00" * 32, TICKET, home, threading.Event())


def test_without_ticket_and_enrolment_there_is_a_sentence(center: ReceiverCenter, home: Home) -> None:
    with pytest.raises(UserError) as caught:
        trade(center, home, "")
    assert caught.value.code == "Ticket.Missing"


def test_secrets_are_for_root_only(center: ReceiverCenter, home: Home) -> None:
    trade(center, home)
    home.keep(Kept(run="j-1.1"))
    for name in ("key.pem", "enrolment.json", "run.json"):
        assert stat.S_IMODE((home.root / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(home.root.stat().st_mode) == 0o700


def test_a_hidden_key_comes_back_and_a_lost_one_is_named(home: Home) -> None:
    key = home.make_key()
    with home.key_hidden():
        with pytest.raises(Broken) as caught:
            home.key()
        assert caught.value.code == "Receiver.KeyLost"
    assert home.key().to_pem() == key.to_pem()


def test_a_key_that_was_hidden_by_a_killed_program_is_there_for_the_next(home: Home) -> None:
    key = home.make_key()
    killed = home.key_hidden()
    killed.__enter__()
    with home.alone():
        assert home.key().to_pem() == key.to_pem()
        with home.key_hidden(), pytest.raises(Broken):
            home.key()
    assert [
        path.name for path in home.memory.iterdir() if path.suffix == ".pem" and "receiver" in path.name
    ] == []


def test_two_receivers_do_not_share_a_folder(home: Home) -> None:
    with home.alone(), pytest.raises(UserError, match="another receiver"), home.alone():
        pass


def test_what_is_kept_belongs_to_its_run(home: Home) -> None:
    home.keep(Kept(run="j-1.1", seconds={"copy": 1.0}))
    assert home.kept("j-1.1").seconds == {"copy": 1.0}
    assert home.kept("j-1.2") == Kept(run="j-1.2")


def test_the_ticket_file_is_gone_when_it_was_used(center: ReceiverCenter, tmp_path: Path) -> None:
    ticket = tmp_path / "ticket"
    ticket.write_text(f"{TICKET}\n")
    stop = threading.Event()
    stop.set()
    words = ["--center", center.url, "--ca-fingerprint", center.authority.fingerprint]
    words += ["--ticket-file", str(ticket), "--state", str(tmp_path / "s"), "--mounts", str(tmp_path / "m")]
    for _ in range(2):  # the second time it needs none
        receive(parse(words), stop)
        assert not ticket.exists()
    assert center.csr


def test_what_a_drill_made_another_machine_is_never_released(home: Home) -> None:
    proof = (Proof(disk=0, partition=1, files=1, bytes=1, sent="a", written="a"),)
    home.keep(Kept(run="j-1.1", proof=proof, fresh=True))
    assert home.carried_over("j-1.2") == Kept(run="j-1.2")
    home.keep(Kept(run="j-1.1", proof=proof))
    assert home.carried_over("j-1.2").proof == proof
