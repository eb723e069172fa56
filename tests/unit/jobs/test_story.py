"""The story of a job, told against the memory cloud and fake ends."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from dbos import DBOS
from tests.unit.jobs.center import FAST, Center, until

from smc.base.errors import Transient, UserError
from smc.center.store.job_log import WARNING
from smc.center.store.values import Run
from smc.cloud.driver import TAG_IMAGE, TAG_JOB, TAG_PURPOSE, TAG_RUN, Instance, Kind, Snapshot
from smc.cloud.memory import MemoryCloud, no_hook
from smc.model.job import BusinessStatus, JobStatus
from smc.model.progress import Failure
from smc.model.report import Check, Level

MADE_ONCE = {Kind.VPC: 1, Kind.VSWITCH: 1, Kind.SECURITY_GROUP: 1, Kind.INSTANCE: 1, Kind.DISK: 3}
CALLS = ["create_vpc", "create_vswitch", "create_security_group", "admit", "launch"]
PLAIN_CALLS = ["instance", "find", "disks", "image_named"]  # of which nobody but the step waits for an answer
LATE_CALLS = ["stop", "create_snapshot", "snapshot", "create_image", "image", "delete"]


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Center]:
    center = Center(tmp_path, MemoryCloud())
    yield center
    center.close()


def current(center: Center, job: str) -> Run:
    run = center.store.runs.current(job)
    assert run
    return run


def failing(call: str, error: Exception, times: int = 1) -> Callable[[str, str], None]:
    """A hook that raises at the first calls of that name."""
    left = [times]

    def hook(when: str, name: str) -> None:
        if when == "before" and name == call and left[0]:
            left[0] -= 1
            raise error

    return hook


def made_once(center: Center) -> bool:
    return all(center.cloud.made[kind] == count for kind, count in MADE_ONCE.items())


def only_the_image_is_left(center: Center, image_id: str) -> bool:
    image = center.cloud.image(image_id)
    assert image
    return {resource.id for resource in center.cloud.left} == {image.id, *image.snapshots}


def test_a_job_ends_with_an_image_and_nothing_else(center: Center) -> None:
    job = center.new_job()
    center.start(job)
    done = center.ends_as(job, JobStatus.FINISHED)
    assert done.progress == 100.0
    assert done.transition_instance_id == ""
    assert made_once(center)
    assert only_the_image_is_left(center, done.image_id)
    image = center.cloud.image(done.image_id)
    assert image
    assert image.name == "web-image"
    assert len(image.snapshots) == 2
    assert [m.id for m in center.store.resources.kept(job=job, kind=Kind.IMAGE)] == [image.id]
    assert center.store.receivers.find(job) is None
    assert center.cloud.tags(image.snapshots[0])[TAG_IMAGE] == image.id
    assert center.cloud.tags(image.id) == {TAG_JOB: job, TAG_RUN: "1", TAG_PURPOSE: "image"}


def test_a_brought_licence_is_a_tag_and_a_launch_template_is_told_of(center: Center) -> None:
    job = center.new_job(license_type="BYOL", launch_template_id="lt-1")
    center.start(job)
    image = center.ends_as(job, JobStatus.FINISHED).image_id
    assert center.cloud.tags(image)["smc:license"] == "BYOL"
    _, lines = center.store.log.page(job, offset=0, limit=1000)
    assert any("launch template lt-1" in line.message and image in line.message for line in lines)


def test_all_that_is_made_for_a_job_is_in_its_resource_group(center: Center) -> None:
    center.ends.hold_at = 100
    job = center.new_job(resource_group="rg-web")
    center.start(job)
    until(lambda: center.ends.copied)
    grouped = {Kind.VPC, Kind.SECURITY_GROUP, Kind.INSTANCE, Kind.DISK}
    made = {found.kind: found.resource_group for found in center.cloud.find({TAG_JOB: job})}
    assert {kind for kind, group in made.items() if group == "rg-web"} == grouped
    assert made.keys() - grouped == {Kind.VSWITCH}, "which has that of its VPC"
    center.ends.hold_at = 2000
    center.ends_as(job, JobStatus.FINISHED)
    left = {(found.kind, found.resource_group) for found in center.cloud.find({TAG_JOB: job})}
    assert left == {(Kind.IMAGE, "rg-web"), (Kind.SNAPSHOT, "rg-web")}


def test_only_the_source_may_reach_the_receiver(center: Center) -> None:
    center.ends.hold_at = 100
    job = center.new_job()
    center.start(job)
    until(lambda: center.ends.copied)
    (group,) = [r.id for r in center.cloud.left if r.kind is Kind.SECURITY_GROUP]
    assert center.cloud.admitted(group) == ["8703<198.51.100.7/32"]
    center.ends.hold_at = 2000
    center.ends_as(job, JobStatus.FINISHED)


def test_a_given_vswitch_is_used_and_left_alone(center: Center) -> None:
    vpc = center.cloud.create_vpc("mine", "10.0.0.0/8", {}, "vpc")
    until(lambda: center.cloud.vpc_ready(vpc))
    vswitch = center.cloud.create_vswitch(vpc, "memory-a", "mine", "10.0.1.0/24", {}, "vsw")
    job = center.new_job(vswitch_id=vswitch, net_mode=2)
    center.start(job)
    center.ends_as(job, JobStatus.FINISHED)
    assert center.cloud.made[Kind.VPC] == 1
    assert {vpc, vswitch} <= {resource.id for resource in center.cloud.left}


def test_a_stopped_job_goes_on_where_it_stopped(center: Center) -> None:
    center.ends.hold_at = 300
    job = center.new_job()
    center.start(job)
    until(lambda: center.ends.copied == 300)
    assert center.job(job).business_status is BusinessStatus.SYNCING
    center.store.jobs.want_stop(job)
    center.runner.stop(job)
    stopped = center.ends_as(job, JobStatus.STOPPED)
    assert stopped.transition_instance_id
    center.ends.hold_at = 2000
    center.start(job)
    done = center.ends_as(job, JobStatus.FINISHED)
    assert center.ends.sent == {f"{job}.1": 300, f"{job}.2": 700}
    assert made_once(center)
    assert only_the_image_is_left(center, done.image_id)


@pytest.mark.parametrize("call", CALLS + LATE_CALLS)
def test_what_the_cloud_refuses_puts_the_job_in_error_and_start_goes_on(center: Center, call: str) -> None:
    center.cloud.hook = failing(call, UserError("out of it", code="QuotaExceeded.Test", hint="Buy more."))
    job = center.new_job()
    center.start(job)
    if call == "delete":  # asked again while it cleans
        center.ends_as(job, JobStatus.FINISHED)
        return
    failed = center.ends_as(job, JobStatus.IN_ERROR)
    assert failed.failure
    assert (failed.failure.code, failed.failure.message) == ("QuotaExceeded.Test", "out of it")
    assert failed.failure.hint.startswith("Buy more.")
    assert ("is kept" in failed.failure.hint) == bool(failed.transition_instance_id)
    center.start(job)
    done = center.ends_as(job, JobStatus.FINISHED)
    assert made_once(center)
    assert only_the_image_is_left(center, done.image_id)


def test_what_may_work_later_is_repeated(center: Center) -> None:
    left = dict.fromkeys([*CALLS, *LATE_CALLS, *PLAIN_CALLS, "start"], 2)

    def hook(when: str, call: str) -> None:
        if when == "before" and left.get(call):
            left[call] -= 1
            raise Transient("not now", code="Throttling")

    center.cloud.hook = hook
    job = center.new_job()
    center.start(job)
    done = center.ends_as(job, JobStatus.FINISHED)
    assert {call for call, times in left.items() if times} == {"start"}
    assert made_once(center)
    assert only_the_image_is_left(center, done.image_id)


def test_an_error_nobody_thought_of_leaves_the_job_in_error_not_hanging(center: Center) -> None:
    center.cloud.hook = failing("launch", ZeroDivisionError("surprise"))
    job = center.new_job()
    center.start(job)
    failed = center.ends_as(job, JobStatus.IN_ERROR)
    assert failed.failure
    assert failed.failure.code == "InternalError"
    assert "surprise" in failed.failure.message
    center.cloud.hook = no_hook
    center.start(job)
    center.ends_as(job, JobStatus.FINISHED)


@pytest.mark.parametrize("end", ["failure", "agent_failure"])
def test_what_an_end_reports_is_what_the_operator_reads(center: Center, end: str) -> None:
    told = Failure(kind="Broken", code="Target.WriteFailed", message="disk 1 is full", hint="Make it larger.")
    setattr(center.ends, end, told)
    job = center.new_job()
    center.start(job)
    failed = center.ends_as(job, JobStatus.IN_ERROR)
    assert failed.failure
    assert (failed.failure.code, failed.failure.message) == (told.code, told.message)
    assert f"{failed.transition_instance_id} is kept" in failed.failure.hint
    setattr(center.ends, end, None)
    center.start(job)
    center.ends_as(job, JobStatus.FINISHED)
    assert made_once(center)


def test_what_may_pass_at_the_agent_is_tried_again(center: Center) -> None:
    center.ends.agent_failure = Failure(kind="Transient", code="TryAgain", message="the line is cut")
    job = center.new_job()
    center.start(job)
    until(lambda: current(center, job).agent.failure)
    until(lambda: not current(center, job).agent_ordered)
    until(lambda: current(center, job).agent_ordered)
    center.ends.agent_failure = None
    done = center.ends_as(job, JobStatus.FINISHED)
    assert done.run_number == 1


def impatient(folder: Path) -> Center:
    settings = msgspec.structs.replace(
        FAST, patience_seconds=0.3, receiver_seconds=0.3, convert_seconds=0.3, stall_seconds=0.3
    )
    return Center(folder, MemoryCloud(), settings=settings)


def test_what_does_not_pass_at_the_agent_is_what_the_operator_reads(tmp_path: Path) -> None:
    center = impatient(tmp_path)
    try:
        center.ends.agent_failure = Failure(kind="Transient", code="TryAgain", message="the line is cut")
        job = center.new_job()
        center.start(job)
        failed = center.ends_as(job, JobStatus.IN_ERROR)
        assert failed.failure
        assert (failed.failure.kind, failed.failure.message) == ("Broken", "the line is cut")
    finally:
        center.close()


def test_a_critical_finding_fails_no_job_but_is_told(center: Center) -> None:
    center.ends.checks = (
        Check(item="GUESTOS.Virtio", level=Level.CRITICAL, finding="No driver.", cure="Install one."),
        Check(item="GUESTOS.Nvme", level=Level.WARNING, finding="No NVMe."),
    )
    job = center.new_job()
    center.start(job)
    done = center.ends_as(job, JobStatus.FINISHED)
    assert done.note == "The image may not boot or work: GUESTOS.Virtio: No driver. Install one."
    _, lines = center.store.log.page(job, offset=0, limit=100)
    (warning,) = [line for line in lines if line.level == WARNING]
    assert (warning.message, warning.hint) == ("GUESTOS.Virtio: No driver.", "Install one.")


def test_a_snapshot_that_failed_is_not_waited_for_and_the_next_run_takes_another(
    center: Center, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = center.cloud.snapshot

    def failed(snapshot: str) -> Snapshot | None:
        seen = look(snapshot)
        return msgspec.structs.replace(seen, ready=False, failed=True) if seen else None

    job = center.new_job()
    with monkeypatch.context() as patch:
        patch.setattr(center.cloud, "snapshot", failed)
        center.start(job)
        ended = center.ends_as(job, JobStatus.IN_ERROR)
    assert ended.failure
    assert ended.failure.code == "Snapshot.CreateFailed"
    center.start(job)
    done = center.ends_as(job, JobStatus.FINISHED)
    assert only_the_image_is_left(center, done.image_id)


def test_an_instance_that_a_cloud_does_not_show_at_once_is_not_given_up(center: Center) -> None:
    hidden = 2

    def look(instance: str) -> Instance | None:
        nonlocal hidden
        if hidden:
            hidden -= 1
            return None
        return seen(instance)

    seen, center.cloud.instance = center.cloud.instance, look  # type: ignore[method-assign]  # a cloud that lags
    job = center.new_job()
    center.start(job)
    center.ends_as(job, JobStatus.FINISHED)
    assert hidden == 0


def test_the_report_says_what_differs_on_the_copy(center: Center) -> None:
    job = center.new_job()
    center.start(job)
    center.ends_as(job, JobStatus.FINISHED)
    report = center.store.runs.report(job, 1)
    assert report
    assert any("52:54:00:12:34:56" in sentence for sentence in report.differs)
    assert any("/dev/vdb" in sentence for sentence in report.differs)


def test_a_run_that_cannot_be_handed_over_leaves_no_job_that_runs_for_ever(
    center: Center, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise OSError("the journal is full")

    job = center.new_job()
    with monkeypatch.context() as patch:
        patch.setattr(DBOS, "start_workflow", refuse)
        center.start(job)
        failed = center.ends_as(job, JobStatus.IN_ERROR)
    assert failed.failure
    assert "the journal is full" in failed.failure.message
    center.start(job)
    center.ends_as(job, JobStatus.FINISHED)


def test_an_instance_that_was_stopped_from_outside_is_started_again(center: Center) -> None:
    center.ends.hold_at = 300
    job = center.new_job()
    center.start(job)
    until(lambda: center.ends.copied == 300)
    center.cloud.power_off(center.job(job).transition_instance_id)
    center.ends.hold_at = 2000
    center.ends_as(job, JobStatus.FINISHED)
    assert made_once(center)


def test_an_instance_that_was_released_from_outside_cannot_be_resumed(center: Center) -> None:
    center.ends.hold_at = 300
    job = center.new_job()
    center.start(job)
    until(lambda: center.ends.copied == 300)
    center.cloud.vanish(center.job(job).transition_instance_id)
    for _ in range(2):
        failed = center.ends_as(job, JobStatus.IN_ERROR)
        assert failed.failure
        assert failed.failure.code == "TransitionInstance.NotFound"
        assert "Delete the job and create it again." in failed.failure.hint
        center.start(job)
    center.ends_as(job, JobStatus.IN_ERROR)
    assert center.cloud.made[Kind.INSTANCE] == 1
    center.store.jobs.begin_deleting(job)
    center.runner.delete(job)
    until(lambda: center.store.jobs.find(job) is None)
    assert center.cloud.left == []


def test_an_image_name_that_is_taken_gets_the_job_behind_it(center: Center) -> None:
    for expected in ("web-image", "web-image_{}"):
        job = center.new_job()
        center.start(job)
        done = center.ends_as(job, JobStatus.FINISHED)
        image = center.cloud.image(done.image_id)
        assert image
        assert image.name == expected.format(job)


def test_the_journal_holds_neither_tickets_nor_keys(center: Center, tmp_path: Path) -> None:
    job = center.new_job()
    center.start(job)
    center.ends_as(job, JobStatus.FINISHED)
    written = b"".join(file.read_bytes() for file in tmp_path.glob("workflows.db*"))
    assert f"{job}.1".encode() in written
    assert center.work.tickets.ticket(f"{job}.1").reveal().encode() not in written
    assert b"PRIVATE KEY" not in written
