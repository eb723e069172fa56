"""An incremental job: an image a round, the intermediate instance kept, and the cutover that ends it."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.unit.jobs.center import FAST, Center, until
from tests.unit.jobs.test_story import failing, made_once

from smc.base.errors import UserError
from smc.center.store.resources import IMAGE
from smc.center.store.values import Job
from smc.cloud.driver import TAG_JOB, TAG_PURPOSE, InstanceSpec, Kind, Power
from smc.cloud.memory import MemoryCloud, no_hook
from smc.model.job import JobStatus, RunAim


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Center]:
    center = Center(tmp_path, MemoryCloud())
    yield center
    center.close()


def new_job(center: Center, keep: int = 2) -> str:
    return center.new_job(run_once=False, frequency_hours=24, images_to_keep=keep)


def a_round(center: Center, job: str) -> Job:
    center.start(job)
    return center.ends_as(job, JobStatus.WAITING)


def images(center: Center) -> list[str]:
    """Names, in the order in which they were made."""
    found = [resource for resource in center.cloud.left if resource.kind is Kind.IMAGE]
    return [image.name for image in sorted(found, key=lambda image: int(image.id.rsplit("-", 1)[1]))]


def snapshots(center: Center) -> int:
    return sum(resource.kind is Kind.SNAPSHOT for resource in center.cloud.left)


def run_an_instance(center: Center, image: str) -> str:
    """Somebody makes one from the image, not through this center."""
    (intermediate,) = center.cloud.instances()
    spec = InstanceSpec(
        name="shop",
        zone=intermediate.zone,
        vswitch=intermediate.vswitch,
        security_group=intermediate.security_groups[0],
        image=image,
    )
    return center.cloud.launch(spec, {}, "a-token")


def test_each_round_makes_an_image_and_all_use_one_instance(center: Center) -> None:
    job = new_job(center)
    first = a_round(center, job)
    assert images(center) == ["web-image_CYCLE_1"]
    assert "Round 1 is done" in first.note
    second = a_round(center, job)
    assert images(center) == ["web-image_CYCLE_1", "web-image_CYCLE_2"]
    assert first.transition_instance_id == second.transition_instance_id
    assert center.cloud.state(second.transition_instance_id) == Power.RUNNING.value
    assert made_once(center)
    assert [run.round for run in center.store.runs.of_job(job)] == [1, 2]
    assert second.image_id != first.image_id


def test_only_so_many_images_are_kept_as_were_asked_for(center: Center) -> None:
    job = new_job(center, keep=1)
    first = a_round(center, job)
    a_round(center, job)
    assert images(center) == ["web-image_CYCLE_2"]
    assert snapshots(center) == 2
    assert center.store.resources.find(Kind.IMAGE, first.image_id) is None
    a_round(center, job)
    assert images(center) == ["web-image_CYCLE_3"]


def test_an_image_that_an_instance_runs_from_is_not_dropped(center: Center) -> None:
    job = new_job(center, keep=1)
    first = a_round(center, job)
    instance = run_an_instance(center, first.image_id)
    a_round(center, job)
    assert images(center) == ["web-image_CYCLE_1", "web-image_CYCLE_2"]
    lines = center.store.log.page(job, offset=0, limit=100)[1]
    assert [line.code for line in lines if line.level == "warning"] == ["Image.InUse"]
    center.cloud.vanish(instance)
    a_round(center, job)
    assert images(center) == ["web-image_CYCLE_3"]


def test_an_image_that_somebody_deleted_is_not_counted(center: Center) -> None:
    job = new_job(center, keep=2)
    first = a_round(center, job)
    a_round(center, job)
    center.cloud.delete(Kind.IMAGE, first.image_id)
    a_round(center, job)
    assert images(center) == ["web-image_CYCLE_2", "web-image_CYCLE_3"]


def test_an_image_that_the_cloud_does_not_let_go_fails_no_round(tmp_path: Path) -> None:
    center = Center(tmp_path, MemoryCloud(), settings=msgspec.structs.replace(FAST, patience_seconds=5.0))
    try:
        job = new_job(center, keep=1)
        a_round(center, job)
        held = UserError("it is shared", code="ImageShared")
        center.cloud.hook = failing("delete", held, times=10_000)
        center.start(job)
        center.ends_as(job, JobStatus.WAITING)
        center.cloud.hook = no_hook
        assert len(images(center)) == 2
    finally:
        center.close()


def test_a_cutover_with_data_makes_a_last_image_and_leaves_nothing_else(center: Center) -> None:
    job = new_job(center, keep=2)
    a_round(center, job)
    center.cut_over(job, RunAim.LAST)
    done = center.ends_as(job, JobStatus.FINISHED)
    assert images(center) == ["web-image_CYCLE_1", "web-image_CYCLE_2"]
    assert {resource.kind for resource in center.cloud.left} == {Kind.IMAGE, Kind.SNAPSHOT}
    assert snapshots(center) == 4
    assert done.transition_instance_id == ""


def test_a_cutover_without_data_only_releases(center: Center) -> None:
    job = new_job(center)
    waiting = a_round(center, job)
    center.cut_over(job, RunAim.RELEASE)
    done = center.ends_as(job, JobStatus.FINISHED)
    assert images(center) == ["web-image_CYCLE_1"]
    assert {resource.kind for resource in center.cloud.left} == {Kind.IMAGE, Kind.SNAPSHOT}
    assert done.image_id == waiting.image_id


def test_a_cutover_that_failed_is_still_one_when_it_is_started_again(center: Center) -> None:
    job = new_job(center)
    a_round(center, job)
    center.cloud.hook = failing("create_image", UserError("no quota", code="QuotaExceed"))
    center.cut_over(job, RunAim.LAST)
    center.ends_as(job, JobStatus.IN_ERROR)
    center.start(job)
    center.ends_as(job, JobStatus.FINISHED)
    assert images(center) == ["web-image_CYCLE_1", "web-image_CYCLE_2"]
    assert snapshots(center) == 4


def test_a_round_that_failed_before_its_image_is_the_same_round_again(center: Center) -> None:
    job = new_job(center)
    a_round(center, job)
    center.cloud.hook = failing("create_image", UserError("no quota", code="QuotaExceed"))
    center.start(job)
    center.ends_as(job, JobStatus.IN_ERROR)
    a_round(center, job)
    assert images(center) == ["web-image_CYCLE_1", "web-image_CYCLE_2"]
    assert snapshots(center) == 4, "those of the failed run are gone"
    assert [run.round for run in center.store.runs.of_job(job)] == [1, 2, 2]


def test_a_round_that_failed_after_its_image_makes_no_second_one(center: Center) -> None:
    job = new_job(center)
    center.cloud.hook = failing("start", UserError("no stock", code="NoStock"))
    center.start(job)
    center.ends_as(job, JobStatus.IN_ERROR)
    assert images(center) == ["web-image_CYCLE_1"]
    a_round(center, job)
    assert images(center) == ["web-image_CYCLE_1"]
    a_round(center, job)
    assert images(center) == ["web-image_CYCLE_1", "web-image_CYCLE_2"]


def test_a_name_that_is_taken_gets_the_id_of_the_job_and_the_round(center: Center) -> None:
    job = new_job(center)
    a_round(center, job)
    center.store.jobs.begin_deleting(job)
    center.runner.delete(job)
    until(lambda: center.store.jobs.find(job) is None)
    assert images(center) == ["web-image_CYCLE_1"], "a deleted job leaves what it delivered"
    other = new_job(center)
    a_round(center, other)
    assert images(center) == ["web-image_CYCLE_1", f"web-image_{other}_CYCLE_1"]


def test_without_its_instance_there_is_no_round_and_still_a_cutover(center: Center) -> None:
    job = new_job(center)
    waiting = a_round(center, job)
    center.cloud.vanish(waiting.transition_instance_id)
    center.start(job)
    failed = center.ends_as(job, JobStatus.IN_ERROR)
    assert failed.failure and failed.failure.code == "TransitionInstance.NotFound"
    center.cut_over(job, RunAim.RELEASE)
    center.ends_as(job, JobStatus.FINISHED)
    assert {resource.kind for resource in center.cloud.left} == {Kind.IMAGE, Kind.SNAPSHOT}


def test_a_stray_snapshot_that_the_cloud_does_not_let_go_fails_no_round(center: Center) -> None:
    job = new_job(center)
    a_round(center, job)
    (intermediate,) = center.cloud.instances()
    disk = center.cloud.disks(intermediate.id)[1].id
    stray = center.cloud.create_snapshot(disk, "stray", {TAG_JOB: job, TAG_PURPOSE: IMAGE}, "a-token")
    center.cloud.hook = failing("delete", UserError("an image is of it", code="SnapshotCreatedImage"))
    a_round(center, job)
    assert center.cloud.snapshot(stray) is not None
    a_round(center, job)
    assert center.cloud.snapshot(stray) is None
