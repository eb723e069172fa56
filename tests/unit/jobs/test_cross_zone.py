"""The story of a job that moves an instance into another zone, told against the memory cloud."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs
from tests.unit.center.targets import settle, target
from tests.unit.jobs.center import Center, until
from tests.unit.jobs.crossing import (
    MADE,
    THERE,
    TYPE,
    crossing,
    has_moved,
    is_at_home,
    moved,
    traveller,
    vswitch_there,
)
from tests.unit.jobs.onto_instance import look
from tests.unit.jobs.test_story import failing

from smc.base.errors import Transient, UserError
from smc.center.kept import kept_by
from smc.center.store.events import EventFilter, EventKind
from smc.center.target.crossing import Wanted, examine_crossing
from smc.cloud.driver import DiskKind, Power
from smc.cloud.memory import MemoryCloud, no_hook
from smc.model.job import BusinessStatus, JobStatus

CALLS = [  # in the order of the story, up to where the other one runs
    *("instance", "stop", "disks", "create_snapshot", "snapshot", "image", "create_image", "launch"),
]


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Center]:
    center = Center(tmp_path, MemoryCloud())
    yield center
    center.close()


def finished(center: Center, job: str) -> None:
    center.start(job)
    center.ends_as(job, JobStatus.FINISHED)


def failed(center: Center, job: str) -> str:
    """The code."""
    center.start(job)
    failure = center.ends_as(job, JobStatus.IN_ERROR).failure
    assert failure
    return failure.code


def deleted(center: Center, job: str) -> None:
    center.store.jobs.begin_deleting(job)
    center.runner.delete(job)
    until(lambda: center.store.jobs.find(job) is None)


def lines(center: Center, job: str) -> str:
    return "\n".join(line.message for line in center.store.log.page(job, offset=0, limit=100)[1])


def test_its_like_runs_in_the_other_zone_and_nothing_temporary_is_left(center: Center) -> None:
    job, before = crossing(center)
    finished(center, job)
    has_moved(center.cloud, job, before)
    assert {kind: center.cloud.made[kind] for kind in MADE} == MADE
    done = center.job(job)
    assert (done.progress, done.source_id, done.image_id) == (100.0, "", "")
    known = center.store.crossings.find(job)
    assert known
    assert known.moved == moved(center.cloud, before).id
    assert kept_by(center.store, job, center.store.runs.of_job(job)) == []
    assert f"{before.seen.id} is left, stopped" in lines(center, job)


def test_what_is_different_there_is_in_the_report_and_an_event_tells_of_the_move(center: Center) -> None:
    job, before = crossing(center)
    finished(center, job)
    new = moved(center.cloud, before)
    report = center.store.runs.report(job, 1)
    assert report
    told = " ".join(report.differs)
    for word in (new.id, new.mac, new.private_address, *(disk.serial for disk in before.disks)):
        assert word in told
    events = center.store.events.page(EventFilter(jobs=(job,), after=0), offset=0, limit=50)[1]
    assert [event.kind for event in events] == [
        EventKind.JOB_CREATED,
        EventKind.JOB_STARTED,
        EventKind.INSTANCE_MOVED,
        EventKind.JOB_FINISHED,
    ]
    assert {event.source for event in events} == {""}


def test_a_disk_becomes_what_was_asked_for(center: Center) -> None:
    fast = DiskKind(category="cloud_essd", performance_level="PL2")
    instance = traveller(center.cloud)
    disks = {disk.id: fast for disk in center.cloud.disks(instance)}
    job, before = crossing(center, instance, disks=disks)
    finished(center, job)
    has_moved(center.cloud, job, before, fast)


def test_an_instance_that_was_stopped_is_stopped_there_too(center: Center) -> None:
    instance = traveller(center.cloud)
    center.cloud.stop(instance)
    settle(center.cloud, instance, Power.STOPPED)
    job, before = crossing(center, instance)
    finished(center, job)
    has_moved(center.cloud, job, before)


@pytest.mark.parametrize("call", CALLS)
def test_what_the_cloud_refuses_brings_the_old_one_back_and_start_begins_anew(
    center: Center, call: str
) -> None:
    job, before = crossing(center)
    center.cloud.hook = failing(call, UserError("none", code="Quota"))
    assert failed(center, job) == "Quota"
    center.cloud.hook = no_hook
    is_at_home(center.cloud, before)
    finished(center, job)
    has_moved(center.cloud, job, before)


def test_what_was_written_after_it_came_home_goes_along_with_the_next_try(center: Center) -> None:
    job, before = crossing(center)
    center.cloud.hook = failing("launch", UserError("none", code="OperationDenied.NoStock"))
    assert failed(center, job) == "OperationDenied.NoStock"
    center.cloud.hook = no_hook
    center.cloud.write(before.disks[1].id, "written meanwhile")
    finished(center, job)
    new = moved(center.cloud, before)
    assert center.cloud.content(center.cloud.disks(new.id)[1].id) == "written meanwhile"


def test_an_instance_that_never_runs_there_is_given_up_for_the_old_one(center: Center) -> None:
    job, before = crossing(center)

    def falls_over(when: str, call: str) -> None:
        if (when, call) == ("after", "launch"):
            center.cloud.hook = failing("start", UserError("broken", code="Machine.Broken"))
            center.cloud.power_off(moved(center.cloud, before).id)

    center.cloud.hook = falls_over
    assert failed(center, job) == "Machine.Broken"
    is_at_home(center.cloud, before)


def test_what_cannot_be_brought_back_is_told_and_tried_again_when_the_job_is_deleted(center: Center) -> None:
    job, before = crossing(center)

    def refuses(when: str, call: str) -> None:
        if when == "before" and call in ("launch", "start"):
            raise UserError(f"no {call}", code="Forbidden.RAM")

    center.cloud.hook = refuses
    assert failed(center, job) == "Forbidden.RAM"
    assert "Not as before: no start" in lines(center, job)
    assert look(center.cloud, before.seen.id).power is Power.STOPPED
    center.cloud.hook = no_hook
    deleted(center, job)
    is_at_home(center.cloud, before)


def test_stop_while_the_disks_are_saved_brings_it_back(center: Center) -> None:
    job, before = crossing(center)
    center.cloud.hook = failing("snapshot", Transient("busy", code="Throttling"), times=10**6)
    center.start(job)
    until(lambda: center.job(job).business_status is BusinessStatus.SYNCING)
    center.store.jobs.want_stop(job)
    center.cloud.hook = no_hook
    center.ends_as(job, JobStatus.STOPPED)
    is_at_home(center.cloud, before)
    finished(center, job)
    has_moved(center.cloud, job, before)


def test_a_job_that_was_never_started_leaves_the_instance_alone_when_it_is_deleted(center: Center) -> None:
    job, before = crossing(center)
    deleted(center, job)
    is_at_home(center.cloud, before)


def test_deleting_a_finished_job_leaves_both_instances(center: Center) -> None:
    job, before = crossing(center)
    finished(center, job)
    deleted(center, job)
    has_moved(center.cloud, job, before)


def test_cleaning_that_fails_after_it_has_arrived_is_all_that_is_tried_again(center: Center) -> None:
    job, before = crossing(center)
    center.cloud.hook = failing("delete", UserError("none", code="Forbidden.RAM"), times=9999)
    center.work.settings = structs.replace(center.work.settings, patience_seconds=0.5)
    assert failed(center, job) == "Cleaning.Incomplete"
    assert look(center.cloud, before.seen.id).power is Power.STOPPED
    center.cloud.hook = no_hook
    finished(center, job)
    has_moved(center.cloud, job, before)
    assert {kind: center.cloud.made[kind] for kind in MADE} == MADE


def test_an_instance_that_was_released_ends_the_job_in_error(center: Center) -> None:
    job, before = crossing(center)
    center.cloud.vanish(before.seen.id)
    assert failed(center, job) == "InvalidInstanceId.NotFound"
    deleted(center, job)


REFUSED = [
    ({"instance": "i-none"}, "InvalidInstanceId.NotFound"),
    ({"zone": "memory-z"}, "InvalidZoneId.NotFound"),
    ({"zone": "memory-a"}, "CrossZone.SameZone"),
    ({"vswitch": "vsw-none"}, "InvalidVSwitchId.NotFound"),
    ({"instance_type": "mem.none"}, "InvalidInstanceType.NotFound"),
    ({"instance_type": "mem.small"}, "OperationDenied.NoStock"),
    ({"instance_type": "mem.arm"}, "CrossZone.OtherFamily"),
    ({"disks": {"d-none": DiskKind(category="cloud_essd")}}, "InvalidDiskId.NotFound"),
]


@pytest.mark.parametrize(("wish", "code"), REFUSED, ids=[code for _, code in REFUSED])
def test_what_cannot_work_is_refused_with_a_cure(wish: dict[str, object], code: str) -> None:
    cloud = MemoryCloud()
    instance, vswitch = traveller(cloud), vswitch_there(cloud)
    wishes = {"instance": instance, "zone": THERE, "vswitch": vswitch, **wish}
    with pytest.raises(UserError) as refused:
        examine_crossing(cloud, Wanted(**wishes), {})  # type: ignore[arg-type]  # fields by name
    assert refused.value.code == code
    assert refused.value.hint


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (DiskKind(category="cloud_ssd"), "InvalidDiskCategory.ValueNotSupported"),
        (
            DiskKind(category="cloud_essd", performance_level="PL9"),
            "InvalidPerformanceLevel.ValueNotSupported",
        ),
        (DiskKind(performance_level="PL1"), "InvalidPerformanceLevel.ValueNotSupported"),
    ],
)
def test_a_disk_becomes_what_there_is_alone(kind: DiskKind, code: str) -> None:
    cloud = MemoryCloud()
    instance = traveller(cloud)
    disks = {cloud.disks(instance)[0].id: kind}
    wanted = Wanted(instance=instance, zone=THERE, vswitch=vswitch_there(cloud), disks=disks)
    with pytest.raises(UserError) as refused:
        examine_crossing(cloud, wanted, {})
    assert refused.value.code == code


def test_a_vswitch_of_another_vpc_or_zone_or_without_addresses_is_refused() -> None:
    cloud = MemoryCloud()
    instance = traveller(cloud)
    vpc = cloud.create_vpc("other", "10.8.0.0/16", {}, "other")
    until(lambda: cloud.vpc_ready(vpc))
    far = cloud.create_vswitch(vpc, THERE, "far", "10.8.1.0/24", {}, "far")
    home = look(cloud, instance).vswitch
    full = cloud.create_vswitch(look(cloud, instance).vpc, THERE, "full", "10.7.9.0/30", {}, "full")
    for vswitch, code in (
        (far, "VSwitchIdVpcId.Mismatch"),
        (home, "CrossZone.VSwitchMismatch"),
        (full, "InvalidVSwitchId.IpNotEnough"),
    ):
        until(lambda vswitch=vswitch: cloud.vswitch_ready(vswitch))  # type: ignore[misc]  # its value of now
        with pytest.raises(UserError) as refused:
            examine_crossing(cloud, Wanted(instance=instance, zone=THERE, vswitch=vswitch), {})
        assert refused.value.code == code


def test_an_instance_that_a_job_works_with_or_that_stops_just_now_is_refused(tmp_path: Path) -> None:
    cloud = MemoryCloud(tmp_path / "cloud.json")
    instance = traveller(cloud)
    wanted = Wanted(instance=instance, zone=THERE, vswitch=vswitch_there(cloud))
    with pytest.raises(UserError) as refused:
        examine_crossing(cloud, wanted, {instance: "j-1"})
    assert refused.value.code == "CrossZone.InstanceInUse"
    slow = MemoryCloud(tmp_path / "cloud.json", patient=True)
    slow.stop(instance)
    with pytest.raises(UserError) as refused:
        examine_crossing(slow, wanted, {})
    assert refused.value.code == "CrossZone.Unsteady"


def test_an_instance_whose_image_is_gone_is_refused(center: Center) -> None:
    instance = target(center.cloud, image="m-gone", instance_type=TYPE)
    wanted = Wanted(instance=instance, zone=THERE, vswitch=vswitch_there(center.cloud))
    with pytest.raises(UserError) as refused:
        examine_crossing(center.cloud, wanted, {})
    assert refused.value.code == "CrossZone.ImageUnknown"
