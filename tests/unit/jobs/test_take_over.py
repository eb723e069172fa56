"""The story of a job onto an existing instance, told against the memory cloud and fake ends."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs
from tests.unit.center.servers import server
from tests.unit.center.targets import settle
from tests.unit.jobs.center import Center, until
from tests.unit.jobs.onto_instance import Before, is_as_it_was, is_the_source_now, look, onto
from tests.unit.jobs.test_drills import FACTS, SETTINGS
from tests.unit.jobs.test_story import failing
from tests.unit.jobs.test_verification import Guest, Screen

from smc.base.errors import Transient, UserError
from smc.center.kept import kept_by
from smc.center.store.events import EventFilter, EventKind
from smc.center.store.resources import ROLLBACK, TEMPORARY
from smc.cloud.driver import TAG_JOB, Instance, Kind, Power
from smc.cloud.memory import MemoryCloud, no_hook
from smc.model.drill import DrillStatus
from smc.model.job import JobStatus, RunAim
from smc.model.progress import Failure

MADE = {Kind.DISK: 6, Kind.SNAPSHOT: 4, Kind.IMAGE: 2, Kind.INSTANCE: 1, Kind.SECURITY_GROUP: 2}
CALLS = [  # in the order of the story
    *("instance", "disks", "user_data", "stop", "create_snapshot", "snapshot", "create_image", "image"),
    *("intermediate_image", "set_user_data", "replace_system_disk", "create_security_group", "admit"),
    *("join_group", "create_disk", "attach_disk", "start", "image_named", "detach_disk", "leave_group"),
]


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Center]:
    center = Center(tmp_path, MemoryCloud())
    yield center
    center.close()


def run_to_its_end(center: Center, job: str, before: Before) -> None:
    center.start(job)
    center.ends_as(job, JobStatus.FINISHED)
    is_the_source_now(center.cloud, before)


def held(center: Center, *, net_mode: int = 0) -> tuple[str, Before]:
    """A job that has copied a part and waits."""
    center.ends.hold_at = 300
    job, before = onto(center, net_mode=net_mode)
    center.start(job)
    until(lambda: center.ends.copied == 300)
    return job, before


def stopped(center: Center) -> tuple[str, Before]:
    job, before = held(center)
    center.store.jobs.want_stop(job)
    center.ends_as(job, JobStatus.STOPPED)
    return job, before


def deleted(center: Center, job: str) -> None:
    center.store.jobs.begin_deleting(job)
    center.runner.delete(job)
    until(lambda: center.store.jobs.find(job) is None)


def test_an_instance_becomes_the_source_and_keeps_its_place_in_the_cloud(center: Center) -> None:
    job, before = onto(center)
    run_to_its_end(center, job, before)
    made = center.cloud.made
    assert {kind: made[kind] for kind in MADE} == MADE
    done = center.job(job)
    assert (done.progress, done.transition_instance_id, done.image_id) == (100.0, "", "")
    assert look(center.cloud, before.seen.id).private_address == before.seen.private_address
    assert center.store.receivers.find(job) is None
    report = center.store.runs.report(job, 1)
    assert report
    told = [line for line in report.differs if line.startswith("Disk 1")]
    assert before.disks[1].id in told[0]
    assert "the image" not in told[0]


def test_while_it_copies_only_the_source_reaches_it_by_a_group_of_the_jobs_own(center: Center) -> None:
    job, before = held(center)
    seen = look(center.cloud, before.seen.id)
    (own,) = set(seen.security_groups) - set(before.seen.security_groups)
    assert center.cloud.admitted(own) == ["8703<198.51.100.7/32"]
    (temp,) = [disk for disk in center.cloud.disks(seen.id) if disk.name == "SMC_Temp_Disk"]
    assert temp.size_gib == 20
    assert center.cloud.tags(temp.id)[TAG_JOB] == job
    assert center.cloud.tags(seen.id) == before.seen.tags
    plan = center.job(job).plan
    assert [disk.serial for disk in plan.disks] == [temp.serial, before.disks[1].serial]
    assert center.job(job).transition_instance_id == seen.id
    center.ends.hold_at = 2000
    center.ends_as(job, JobStatus.FINISHED)
    is_the_source_now(center.cloud, before)


def test_an_instance_that_was_stopped_is_started_as_the_copy(center: Center) -> None:
    job, before = onto(center)
    center.cloud.stop(before.seen.id)
    settle(center.cloud, before.seen.id, Power.STOPPED)
    run_to_its_end(center, job, before)


def test_the_private_address_becomes_what_was_asked_for(center: Center) -> None:
    job, before = onto(center, private_ip_address="10.7.1.99")
    run_to_its_end(center, job, before)
    assert look(center.cloud, before.seen.id).private_address == "10.7.1.99"


def test_by_private_network_the_source_is_told_the_private_address(center: Center) -> None:
    job, before = held(center, net_mode=2)
    run = center.store.runs.current(job)
    assert run
    assert run.host == before.seen.private_address != before.seen.public_address
    center.ends.hold_at = 2000
    center.ends_as(job, JobStatus.FINISHED)


def test_a_stopped_job_goes_on_where_it_stopped(center: Center) -> None:
    job, before = stopped(center)
    center.ends.hold_at = 2000
    run_to_its_end(center, job, before)
    assert center.ends.sent == {f"{job}.1": 300, f"{job}.2": 700}
    assert {kind: center.cloud.made[kind] for kind in MADE} == MADE


def fails_at(center: Center, job: str, call: str) -> None:
    center.cloud.hook = failing(call, UserError("out of it", code="QuotaExceeded.Test", hint="Buy more."))
    center.start(job)
    failed = center.ends_as(job, JobStatus.IN_ERROR)
    center.cloud.hook = no_hook
    assert failed.failure, call
    assert failed.failure.code == "QuotaExceeded.Test", call


def test_what_the_cloud_refuses_puts_the_job_in_error_and_start_goes_on(center: Center) -> None:
    job, before = onto(center)
    for call in CALLS:
        fails_at(center, job, call)
    run_to_its_end(center, job, before)


def test_a_job_that_failed_anywhere_is_rolled_back_when_it_is_deleted(center: Center) -> None:
    for call in CALLS:
        job, before = onto(center, name=f"shop-{call}")
        fails_at(center, job, call)
        deleted(center, job)
        is_as_it_was(center.cloud, before)


def test_what_may_work_later_is_repeated(center: Center) -> None:
    left = dict.fromkeys(CALLS, 2)

    def hook(when: str, call: str) -> None:
        if when == "before" and left.get(call):
            left[call] -= 1
            raise Transient("not now", code="Throttling")

    job, before = onto(center)
    center.cloud.hook = hook
    run_to_its_end(center, job, before)
    assert {call for call, times in left.items() if times} == set()
    assert {kind: center.cloud.made[kind] for kind in MADE} == MADE


def test_an_end_that_fails_keeps_the_temporary_disk_and_says_how_to_go_back(center: Center) -> None:
    center.ends.failure = Failure(kind="Broken", code="Target.WriteFailed", message="the disk is full")
    job, before = onto(center)
    center.start(job)
    failed = center.ends_as(job, JobStatus.IN_ERROR)
    assert failed.failure
    assert f"Deleting the job brings {before.seen.id} back to what it was." in failed.failure.hint
    assert [disk.name for disk in center.cloud.disks(before.seen.id)].count("SMC_Temp_Disk") == 1
    center.ends.failure = None
    run_to_its_end(center, job, before)


def test_a_job_that_is_deleted_while_it_is_stopped_is_rolled_back(center: Center) -> None:
    job, before = stopped(center)
    assert center.cloud.content(before.disks[1].id) == "a part"
    deleted(center, job)
    is_as_it_was(center.cloud, before)
    settle(center.cloud, before.seen.id, Power.RUNNING)


def test_a_job_that_never_ran_leaves_its_target_alone(center: Center) -> None:
    job, before = onto(center)
    deleted(center, job)
    is_as_it_was(center.cloud, before)
    assert center.cloud.disks(before.seen.id)[0] == before.disks[0]


def test_a_finished_job_that_is_deleted_leaves_the_copy(center: Center) -> None:
    job, before = onto(center)
    run_to_its_end(center, job, before)
    deleted(center, job)
    is_the_source_now(center.cloud, before)


def test_a_rollback_that_is_refused_keeps_the_job_and_is_tried_again(center: Center) -> None:
    job, before = stopped(center)
    center.cloud.hook = failing("reset_disk", UserError("locked", code="Forbidden.RAM"), times=10_000)
    center.store.jobs.begin_deleting(job)
    center.runner.delete(job)
    until(lambda: "locked" in str(center.store.log.page(job, offset=0, limit=100)))
    assert center.job(job).status is JobStatus.DELETING
    assert center.cloud.made[Kind.SNAPSHOT] == 3
    center.cloud.hook = no_hook

    def gone() -> bool:
        center.runner.delete(job)
        return center.store.jobs.find(job) is None

    until(gone)
    is_as_it_was(center.cloud, before)


def test_an_instance_that_was_brought_back_is_started_again_also_by_a_second_deletion(center: Center) -> None:
    job, before = stopped(center)
    center.cloud.hook = failing("start", UserError("sold out", code="OperationDenied.NoStock"), times=10_000)
    center.store.jobs.begin_deleting(job)
    center.runner.delete(job)
    until(lambda: "sold out" in str(center.store.log.page(job, offset=0, limit=100)))
    assert look(center.cloud, before.seen.id).power is Power.STOPPED
    center.cloud.hook = no_hook

    def gone() -> bool:
        center.runner.delete(job)
        return center.store.jobs.find(job) is None

    until(gone)
    is_as_it_was(center.cloud, before)
    until(lambda: look(center.cloud, before.seen.id).power is Power.RUNNING)


def test_what_the_target_did_between_two_runs_is_what_a_rollback_brings_back(center: Center) -> None:
    job, before = onto(center)
    center.cloud.hook = failing("intermediate_image", UserError("none", code="InvalidImageId.NotFound"))
    center.start(job)
    center.ends_as(job, JobStatus.IN_ERROR)
    center.cloud.hook = no_hook
    center.cloud.write(before.disks[1].id, "written meanwhile")
    center.ends.hold_at = 300
    center.start(job)
    until(lambda: center.ends.copied == 300)
    center.store.jobs.want_stop(job)
    center.ends_as(job, JobStatus.STOPPED)
    deleted(center, job)
    assert center.cloud.content(before.disks[1].id) == "written meanwhile"


def test_an_instance_is_taken_over_by_one_job_at_a_time(center: Center) -> None:
    job, before = stopped(center)
    other = center.import_source(server(fingerprint="f2", hostname="other"))
    second = center.new_job(other, target_type="TargetInstance", instance_id=before.seen.id)
    center.start(second)
    failed = center.ends_as(second, JobStatus.IN_ERROR)
    assert failed.failure
    assert (failed.failure.code, job in failed.failure.message) == ("TargetInstance.InUse", True)
    deleted(center, second)
    deleted(center, job)
    is_as_it_was(center.cloud, before)


def test_a_target_whose_system_was_replaced_before_the_job_took_it_is_taken_as_it_is(
    center: Center,
) -> None:
    job, before = onto(center)
    center.cloud.hook = failing("create_snapshot", UserError("none", code="Quota"))
    center.start(job)
    center.ends_as(job, JobStatus.IN_ERROR)
    center.cloud.hook = no_hook
    center.cloud.alterations.replace_system_disk(before.seen.id, "m-theirs", 40, "theirs")
    center.ends.hold_at = 300
    center.start(job)
    until(lambda: center.ends.copied == 300)
    center.store.jobs.want_stop(job)
    center.ends_as(job, JobStatus.STOPPED)
    deleted(center, job)
    assert center.cloud.system(before.seen.id) == "m-theirs"
    assert center.cloud.disks(before.seen.id)[0].size_gib == 40


def test_a_target_whose_system_was_replaced_while_the_job_had_it_is_not_copied_onto(center: Center) -> None:
    job, before = stopped(center)
    center.cloud.stop(before.seen.id)
    settle(center.cloud, before.seen.id, Power.STOPPED)
    center.cloud.alterations.replace_system_disk(before.seen.id, "m-theirs", 20, "theirs")
    center.start(job)
    failed = center.ends_as(job, JobStatus.IN_ERROR)
    assert failed.failure
    assert failed.failure.code == "TargetInstance.Changed"
    deleted(center, job)
    is_as_it_was(center.cloud, before)


def test_a_data_disk_that_is_gone_is_missed_before_anything_is_done(center: Center) -> None:
    job, before = onto(center)
    center.cloud.stop(before.seen.id)
    settle(center.cloud, before.seen.id, Power.STOPPED)
    center.cloud.alterations.detach_disk(before.disks[1].id)
    center.start(job)
    failed = center.ends_as(job, JobStatus.IN_ERROR)
    assert failed.failure
    assert failed.failure.code == "TargetInstance.DiskMissing"
    assert center.cloud.disks(before.seen.id)[0] == before.disks[0]


def test_an_instance_that_a_cloud_does_not_show_at_once_is_brought_back_all_the_same(center: Center) -> None:
    job, before = stopped(center)
    hidden = 2

    def lag(instance: str) -> Instance | None:
        nonlocal hidden
        if hidden:
            hidden -= 1
            return None
        return seen(instance)

    seen, center.cloud.instance = center.cloud.instance, lag  # type: ignore[method-assign]  # a cloud that lags
    deleted(center, job)
    assert hidden == 0
    is_as_it_was(center.cloud, before)


def test_what_brings_it_back_is_among_what_the_job_keeps(center: Center) -> None:
    job, _ = stopped(center)
    kept = kept_by(center.store, job, center.store.runs.of_job(job))
    assert Counter((made.kind, made.purpose) for made in kept) == {
        (Kind.SNAPSHOT, ROLLBACK): 3,
        (Kind.IMAGE, ROLLBACK): 1,
        (Kind.DISK, TEMPORARY): 1,
        (Kind.SECURITY_GROUP, TEMPORARY): 1,
    }
    deleted(center, job)
    dropped = center.store.events.page(EventFilter(jobs=(job,)), offset=0, limit=50)[1]
    assert EventKind.IMAGE_DROPPED not in [event.kind for event in dropped]


def test_a_migration_test_leaves_the_instance_alone_and_the_real_run_takes_it_over(tmp_path: Path) -> None:
    center = Center(tmp_path, Screen(), settings=SETTINGS, do_probe=Guest())
    try:
        job, before = onto(
            center,
            source=center.import_source(structs.replace(server(), facts=FACTS)),
            execution_method="TestAndMigrate",
        )
        center.start(job)
        done = center.ends_as(job, JobStatus.FINISHED)
        assert done.drill is DrillStatus.PASSED
        assert [run.aim for run in center.store.runs.of_job(job)] == [RunAim.DRILL, RunAim.LAST]
        is_the_source_now(center.cloud, before)
        assert center.cloud.made[Kind.INSTANCE] == 3, "the target, and two of the test"
    finally:
        center.close()


def test_a_target_that_was_released_cannot_be_resumed_and_the_rest_is_cleaned(center: Center) -> None:
    job, before = stopped(center)
    center.cloud.vanish(before.seen.id)
    center.start(job)
    failed = center.ends_as(job, JobStatus.IN_ERROR)
    assert failed.failure
    assert failed.failure.code == "TransitionInstance.NotFound"
    deleted(center, job)
    gone = {before.seen.id, *(disk.id for disk in before.disks)}
    assert {resource.id for resource in center.cloud.left} == before.things - gone


def test_a_target_stopped_from_outside_is_started_again(center: Center) -> None:
    job, before = held(center)
    center.cloud.power_off(before.seen.id)
    center.ends.hold_at = 2000
    center.ends_as(job, JobStatus.FINISHED)
    is_the_source_now(center.cloud, before)


def test_cleaning_that_fails_after_delivery_does_not_stop_the_copy_again(center: Center) -> None:
    job, before = onto(center)
    center.cloud.hook = failing("delete", ZeroDivisionError("surprise"))
    center.start(job)
    failed = center.ends_as(job, JobStatus.IN_ERROR)
    assert failed.failure
    assert "brings" not in failed.failure.hint
    stops: list[str] = []
    center.cloud.hook = lambda when, call: stops.append(call) if call == "stop" else None
    run_to_its_end(center, job, before)
    assert stops == []
