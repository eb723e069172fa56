"""Every way a job can live, by the official SDK: scheduled, incremental, paused, cut over, expired."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.living import DAY, HOUR, Living, living
from tests.conformance.smc_sdk import call, refused
from tests.unit.jobs.center import until
from tests.unit.jobs.onto_instance import is_as_it_was, onto
from tests.unit.jobs.test_story import failing

from smc.base.errors import UserError
from smc.center.api.words import written
from smc.cloud.driver import Kind, Power
from smc.cloud.memory import no_hook


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Living]:
    with living(tmp_path) as life:
        yield life


def at(life: Living, seconds: float) -> str:
    return written(life.clock.now() + seconds)


def modify(life: Living, job: str, **changes: object) -> None:
    call(life.sdk, "ModifyReplicationJobAttribute", JobId=job, **changes)


def kinds(life: Living) -> set[Kind]:
    return {resource.kind for resource in life.left}


# Scheduled


# Round after round


def test_rounds_begin_when_their_time_has_come(life: Living) -> None:
    job = life.incremental()
    began = life.clock.now()
    life.start(job)
    waiting = life.ends_as(job, "Waiting")
    assert (waiting["Frequency"], waiting["MaxNumberOfImageToKeep"], waiting["RunOnce"]) == (24, 2, False)
    assert (waiting["ImageName"], waiting["Round"]) == ("web_image_CYCLE_1", 1)
    assert waiting["NextStartTime"] == written(began + DAY)
    instance = waiting["TransitionInstanceId"]
    assert life.cloud.state(instance) == Power.RUNNING.value
    life.pass_time(DAY - 1)
    assert life.job(job)["Status"] == "Waiting"
    for number in (2, 3, 4):
        life.pass_time(DAY)
        found = life.ends_as(job, "Waiting")
        assert (found["ImageName"], found["TransitionInstanceId"]) == (f"web_image_CYCLE_{number}", instance)
    runs = found["ReplicationJobRuns"]["ReplicationJobRun"]
    assert [run["Type"] for run in runs] == ["Manual", "Schedule", "Schedule", "Schedule"]
    assert sum(resource.kind is Kind.IMAGE for resource in life.left) == 2


def test_a_round_can_be_begun_by_hand_and_moves_the_next_one(life: Living) -> None:
    job = life.incremental()
    life.start(job)
    life.ends_as(job, "Waiting")
    life.pass_time(20 * HOUR)
    life.start(job)
    found = life.ends_as(job, "Waiting")
    assert found["NextStartTime"] == at(life, DAY)
    life.pass_time(5 * HOUR)
    assert life.job(job)["Round"] == 2


def test_a_paused_job_begins_no_round_before_it_is_started(life: Living) -> None:
    job = life.incremental()
    life.start(job)
    life.ends_as(job, "Waiting")
    life.stop(job)
    found = life.job(job)
    assert (found["Status"], found["NextStartTime"]) == ("Stopped", "")
    with refused("ReplicationJob.InvalidStatus"):
        life.cut_over(job, sync=False)
    life.pass_time(3 * DAY)
    assert life.job(job)["Status"] == "Stopped"
    life.start(job)
    assert life.ends_as(job, "Waiting")["Round"] == 2


def test_how_often_and_how_many_may_change_between_rounds(life: Living) -> None:
    job = life.incremental()
    modify(life, job, Frequency=12)
    life.start(job)
    life.ends_as(job, "Waiting")
    modify(life, job, Frequency=6, MaxNumberOfImageToKeep=1)
    assert life.job(job)["NextStartTime"] == at(life, 6 * HOUR)
    life.pass_time(6 * HOUR)
    found = life.ends_as(job, "Waiting")
    assert (found["Frequency"], found["MaxNumberOfImageToKeep"]) == (6, 1)
    assert sum(resource.kind is Kind.IMAGE for resource in life.left) == 1
    life.stop(job)
    with refused("ReplicationJob.InvalidStatus", match="Waiting"):
        modify(life, job, Frequency=8)
    once = life.create(life.center.import_another())
    with refused("InvalidParameter.Frequency"):
        modify(life, once, Frequency=8)


def test_what_is_left_out_may_change_between_rounds_on_the_same_disks(life: Living) -> None:
    job = life.incremental(Excludes=["/srv/hot/"])
    life.start(job)
    life.ends_as(job, "Waiting")
    before = life.center.job(job).plan
    modify(life, job, Excludes=["!"])
    after = life.center.job(job).plan
    assert (before.excludes, after.excludes) == (("/srv/hot/",), ())
    assert [disk.serial for disk in after.disks] == [disk.serial for disk in before.disks] != ["", ""]
    assert after.disks[0].partitions == before.disks[0].partitions
    with refused("ReplicationJob.InvalidStatus"):
        modify(life, job, SystemDiskSize=60)
    life.start(job)
    assert life.ends_as(job, "Waiting")["Round"] == 2


def test_a_cutover_with_data_is_a_last_round(life: Living) -> None:
    job = life.incremental()
    with refused("ReplicationJob.InvalidStatus", match="only allowed in the following status: Waiting"):
        life.cut_over(job, sync=True)
    life.start(job)
    life.ends_as(job, "Waiting")
    life.cut_over(job, sync=True)
    done = life.ends_as(job, "Finished")
    assert (done["ImageName"], done["TransitionInstanceId"]) == ("web_image_CYCLE_2", "")
    assert done["KeptResources"]["KeptResource"] == []
    assert kinds(life) == {Kind.IMAGE, Kind.SNAPSHOT}
    with refused("ReplicationJob.InvalidStatus"):
        life.cut_over(job, sync=False)


def test_a_cutover_without_data_needs_no_source(life: Living) -> None:
    job = life.incremental()
    life.start(job)
    life.ends_as(job, "Waiting")
    life.pass_time(HOUR, online=False)
    with refused("SourceServerState.Invalid"):
        life.cut_over(job, sync=True)
    life.cut_over(job, sync=False)
    done = life.ends_as(job, "Finished")
    assert done["ImageName"] == "web_image_CYCLE_1"
    assert kinds(life) == {Kind.IMAGE, Kind.SNAPSHOT}


# Expired


@pytest.mark.parametrize("status", ["Ready", "Stopped", "InError", "Waiting"])
def test_a_job_whose_time_is_over_expires_and_is_deleted_a_week_later(life: Living, status: str) -> None:
    job = life.incremental(ValidTime=at(life, 10 * DAY), Frequency=168)
    bring_to(life, job, status)
    life.clock.jump(10 * DAY - 1)
    assert life.job(job)["Status"] == status
    life.pass_time(1)
    found = life.job(job)
    assert (found["Status"], found["NextStartTime"]) == ("Expired", "")
    until(lambda: life.job(job)["KeptResources"]["KeptResource"] == [])
    until(lambda: kinds(life) <= {Kind.IMAGE, Kind.SNAPSHOT})
    until(lambda: life.job(job)["TransitionInstanceId"] == "")
    for call_it in (life.start, life.stop):
        with refused("ReplicationJob.InvalidStatus"):
            call_it(job)
    with refused("ReplicationJob.InvalidStatus"):
        modify(life, job, ValidTime=at(life, 20 * DAY))
    with refused("SourceServerState.Invalid"):
        life.create(found["SourceId"])
    life.pass_time(7 * DAY - 1)
    assert life.job(job)["Status"] == "Expired"
    life.pass_time(1)
    life.is_gone(job)
    assert kinds(life) <= {Kind.IMAGE, Kind.SNAPSHOT}
    assert life.create(found["SourceId"])


def test_what_an_expired_job_kept_is_released_once_and_told(life: Living) -> None:
    job = life.create(ValidTime=at(life, 10 * DAY))
    bring_to(life, job, "InError")
    assert life.left
    life.pass_time(10 * DAY)
    until(lambda: not life.left)
    life.pass_time()
    life.pass_time()
    until(lambda: told(life, job) == ["Job.Expired", "Job.Released"])
    lines = [line.message for line in life.center.store.log.page(job, offset=0, limit=99)[1]]
    assert lines.count("What the expired job kept in the cloud was released.") == 1


def told(life: Living, job: str) -> list[str]:
    """The kinds of its newest two events, the older one first."""
    found = call(life.sdk, "DescribeEvents", JobId=[job], PageSize=2)["Events"]["Event"]
    return [event["Kind"] for event in reversed(found)]


def test_a_center_that_died_before_it_released_what_had_expired_does_so_at_its_next_look(
    life: Living,
) -> None:
    job = life.create(ValidTime=at(life, 10 * DAY))
    bring_to(life, job, "InError")
    life.clock.jump(10 * DAY)
    assert life.center.store.times.expire(job)
    assert life.left
    life.pass_time()
    until(lambda: not life.left)


def test_what_an_expired_job_cannot_release_is_named_and_goes_when_it_is_deleted(life: Living) -> None:
    job = life.create(ValidTime=at(life, 10 * DAY))
    bring_to(life, job, "InError")
    life.cloud.hook = failing("delete", UserError("no", code="Forbidden.RAM"), times=10**6)
    life.pass_time(10 * DAY)

    def is_told() -> bool:
        life.clock.tick(1.0)  # patience ends
        return life.center.store.log.page(job, offset=0, limit=99)[1][-1].code == "Cleaning.Incomplete"

    until(is_told)
    assert life.job(job)["KeptResources"]["KeptResource"]
    life.cloud.hook = no_hook
    life.delete(job)
    life.is_gone(job)
    assert not life.left


def test_an_instance_that_an_expired_job_had_taken_over_is_again_what_it_was(life: Living) -> None:
    job, before = onto(life.center)
    life.center.ends.hold_at = 300
    life.start(job)
    life.center.ends_reach(job, 300)
    life.stop(job)
    life.ends_as(job, "Stopped")
    life.pass_time(2 * DAY)
    until(lambda: "Job.Released" in told(life, job))
    is_as_it_was(life.cloud, before)
    life.delete(job)
    life.is_gone(job)
    is_as_it_was(life.cloud, before)


def test_a_running_job_is_left_alone_until_it_ends(life: Living) -> None:
    job = life.create(ValidTime=at(life, 7 * DAY))
    life.center.ends.hold_at = 300
    life.start(job)
    life.center.ends_reach(job, 300)
    life.pass_time(8 * DAY)
    assert life.job(job)["Status"] == "Running"
    life.stop(job)
    life.ends_as(job, "Stopped")
    life.pass_time()
    assert life.job(job)["Status"] == "Expired"


def test_the_time_of_a_job_may_be_made_longer(life: Living) -> None:
    job = life.create(ValidTime=at(life, 7 * DAY))
    until = at(life, 80 * DAY)
    with refused("InvalidParameter.ValidTime"):
        modify(life, job, ValidTime=at(life, 91 * DAY))
    modify(life, job, ValidTime=until)
    life.pass_time(70 * DAY)
    found = life.job(job)
    assert (found["Status"], found["ValidTime"]) == ("Ready", until)
    with refused("InvalidParameter.ValidTime", match="over already"):
        modify(life, job, ValidTime=at(life, -60 * DAY))


# What a job keeps


def test_a_failed_job_tells_each_thing_that_it_keeps(life: Living) -> None:
    job = life.create()
    bring_to(life, job, "InError")
    kept = life.job(job)["KeptResources"]["KeptResource"]
    assert {one["ResourceId"] for one in kept} == {resource.id for resource in life.left}
    found = [one["Kind"] for one in kept]
    assert {kind: found.count(kind) for kind in set(found)} == {
        "vpc": 1,
        "vswitch": 1,
        "security_group": 1,
        "instance": 1,
        "disk": 3,
        "snapshot": 2,
    }
    (instance,) = (one for one in kept if one["Kind"] == "instance")
    assert instance["Name"] == "No_Delete_SMC_Transition_Instance"
    assert instance["Since"] == written(life.clock.now())
    life.delete(job)
    life.is_gone(job)
    assert life.left == []


def test_what_was_released_by_hand_is_no_trouble(life: Living) -> None:
    job = life.create()
    bring_to(life, job, "InError")
    life.cloud.vanish(life.job(job)["TransitionInstanceId"])
    life.delete(job)
    life.is_gone(job)
    assert life.left == []


def bring_to(life: Living, job: str, status: str) -> None:
    """A job that was just created."""
    match status:
        case "Waiting":
            life.start(job)
        case "Stopped":
            life.center.ends.hold_at = 300
            life.start(job)
            life.center.ends_reach(job, 300)
            life.stop(job)
        case "InError":
            life.cloud.hook = refuse_images
            life.start(job)
    if status != "Ready":
        life.ends_as(job, status)
    life.cloud.hook = no_hook


def refuse_images(when: str, call_name: str) -> None:
    if (when, call_name) == ("before", "create_image"):
        raise UserError("There may be no more images.", code="QuotaExceed.Image", hint="Delete some.")
