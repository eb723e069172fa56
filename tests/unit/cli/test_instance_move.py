"""The command line moves an instance into another zone."""

import io
import json
import sys

import pytest
from tests.unit.center.running import Center
from tests.unit.cli.conftest import Smc
from tests.unit.jobs.crossing import THERE, traveller, vswitch_there

from smc.center.store.values import Job
from smc.model.job import JobStatus


@pytest.fixture
def words(running: Center) -> tuple[str, ...]:
    instance = traveller(running.cloud)
    vswitch = vswitch_there(running.cloud)
    return ("instance", "move", instance, "--zone", THERE, "--vswitch", vswitch)


def job_of(running: Center, job: str) -> Job:
    found = running.parts.store.jobs.find(job)
    assert found
    return found


def test_it_is_created_and_started_by_one_command(smc: Smc, running: Center, words: tuple[str, ...]) -> None:
    disk = running.cloud.disks(words[2])[0].id
    status, printed, errors = smc(*words, "--yes", "--json", "--disk", f"{disk}=cloud_essd:PL1")
    assert status == 0, errors
    job = json.loads(printed)["JobId"]
    assert running.jobs.calls == [("start", job)]
    made = job_of(running, job)
    assert made.moved_instance == words[2]
    assert made.request.disk_kinds[disk].performance_level == "PL1"
    assert f"{words[2]} becomes another instance in {THERE}" in smc("job", "show", job)[1]
    assert words[2] in smc("job", "list")[1]


def test_created_only_nothing_is_stopped_and_nobody_is_asked(
    smc: Smc, running: Center, words: tuple[str, ...]
) -> None:
    status, printed, errors = smc(*words, "--create-only")
    assert (status, errors) == (0, "")
    assert running.jobs.calls == []
    assert job_of(running, printed.split()[-1]).run_number == 0


def test_without_a_yes_it_asks_and_json_does_not(
    smc: Smc, running: Center, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, _, errors = smc(*words, "--json")
    assert status == 1
    assert "--yes" in errors
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    status, printed, _ = smc(*words)
    assert status == 1
    assert "is stopped" in printed
    assert running.parts.store.jobs.in_status(*JobStatus) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [(("--disk", "1=x"), "DISK_ID=CATEGORY"), (("--wait", "--create-only"), "contradict")],
)
def test_what_is_written_wrong_is_refused(
    smc: Smc, words: tuple[str, ...], options: tuple[str, ...], told: str
) -> None:
    status, _, errors = smc(*words, "--yes", *options)
    assert status == 1
    assert told in errors
