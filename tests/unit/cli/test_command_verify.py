"""The command line verifies images and shows what was found."""

import json
import threading
from pathlib import Path

import pytest
from alibabacloud_smc20190601.client import Client
from tests.conformance.smc_sdk import client_of
from tests.conformance.test_smc_sdk_verifications import job
from tests.unit.center.running import Center
from tests.unit.cli.conftest import Smc
from tests.unit.jobs.center import until

from smc.center.store.verifications import Outcome, VerificationState

__all__ = ["job"]


@pytest.fixture
def sdk(running: Center) -> Client:
    return client_of(running)


def decide(running: Center, outcome: Outcome, state: VerificationState) -> None:
    """What the workflow would find."""
    store, blobs = running.parts.store, running.parts.blobs
    until(store.verifications.running)
    (one,) = store.verifications.running()
    store.verifications.keep(one.id, outcome, console=blobs.keep(b"grub rescue>"), screenshot="")
    store.verifications.end(one.id, state)


def test_a_verification_is_waited_for_listed_and_its_evidence_is_written(
    smc: Smc, running: Center, job: str, tmp_path: Path
) -> None:
    outcome = Outcome(code="Boot.GrubRescue", message="GRUB stopped.", hint="Install it.")
    deciding = threading.Thread(target=decide, args=(running, outcome, VerificationState.NOT_VERIFIED))
    deciding.start()
    status, printed, _ = smc("job", "verify", job, "--wait")
    deciding.join()
    assert status == 1
    assert "Not Verified" in printed
    assert "Boot.GrubRescue" in printed
    assert "Install it." in printed
    assert "Not Verified" in smc("job", "verifications", job)[1]
    answer = json.loads(smc("job", "verifications", job, "--json")[1])
    verification = answer["Verifications"]["Verification"][0]["VerificationId"]
    printed = smc("job", "evidence", verification, "--into", str(tmp_path / "evidence"))[1]
    assert (tmp_path / "evidence" / "console.txt").read_text() == "grub rescue>"
    assert "there is no screen.jpg" in printed


def test_a_good_end_is_exit_status_0(smc: Smc, running: Center, job: str) -> None:
    good = Outcome(message="It answers.", powered_on=True, network_up=True)
    deciding = threading.Thread(target=decide, args=(running, good, VerificationState.VERIFIED))
    deciding.start()
    status, printed, _ = smc("job", "verify", job, "--wait", "--port", "80")
    deciding.join()
    assert (status, "Verified" in printed) == (0, True)
