"""Drills: the whole migration rehearsed, what was found kept, and what was made gone or taken over."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from msgspec import structs
from tests.unit.center.servers import server
from tests.unit.jobs.center import FAST, Center, until
from tests.unit.jobs.test_story import MADE_ONCE, failing
from tests.unit.jobs.test_verification import Guest, Screen

from smc.base.errors import Broken, UserError
from smc.center.jobs.migrate import STORY
from smc.center.store.events import EventFilter, EventKind
from smc.center.store.values import Job
from smc.center.verification import watch
from smc.cloud.driver import Kind, Resource, Tags
from smc.model.drill import DrillReport, DrillStatus
from smc.model.facts import Facts, Kernel
from smc.model.job import BusinessStatus, JobStatus, RunAim
from smc.model.progress import Failure
from smc.model.report import Check, Level
from smc.model.server import Server

SETTINGS = structs.replace(FAST, center_cidr="203.0.113.9/32", patience_seconds=2.0)
KERNEL = Kernel(
    version="6.1",
    image="vmlinuz-6.1",
    initramfs="initrd.img-6.1",
    virtio=("virtio_blk", "virtio_net"),
    running=True,
)
FACTS = Facts(boot_free=1 << 30, kernels=(KERNEL,), network_style=("ifupdown",))


@pytest.fixture
def cloud() -> Screen:
    return Screen()


@pytest.fixture
def guest() -> Guest:
    return Guest()


@pytest.fixture
def center(tmp_path: Path, cloud: Screen, guest: Guest) -> Iterator[Center]:
    center = Center(tmp_path, cloud, settings=SETTINGS, do_probe=guest)
    yield center
    center.close()


def drill(
    center: Center, method: str = "TestOnly", described: Server | None = None, **request: object
) -> str:
    good = described or structs.replace(server(), facts=FACTS)
    source = center.import_source(good)
    job = center.new_job(source, execution_method=method, **request)
    center.start(job)
    return job


def report(center: Center, job: str) -> DrillReport:
    return center.store.drills.of_job(job)[0]


def levels(found: DrillReport) -> dict[str, Level]:
    return {item.name: item.level for item in found.items}


def ends_as(center: Center, job: str, status: JobStatus) -> Job:
    return center.ends_as(job, status)


def test_a_test_only_leaves_a_report_and_nothing_else(center: Center, cloud: Screen) -> None:
    job = drill(center)
    done = ends_as(center, job, JobStatus.READY)
    assert (done.drill, done.image_id, done.transition_instance_id) == (DrillStatus.PASSED, "", "")
    assert list(cloud.left) == []
    assert cloud.made[Kind.INSTANCE] == 2, "the intermediate one, and the one that tried the copy"
    found = report(center, job)
    assert found.status is DrillStatus.PASSED, [i for i in found.items if i.level is not Level.PASSED]
    assert (found.size, found.speed) == (1000, 500.0)
    assert list(found.seconds) == ["prepare", "transfer", "process", "clean"]
    assert {"CPU", "Stock", "ReceiverReach", "Speed", "PoweredOn", "PortAnswers"} <= set(levels(found))
    assert center.blobs.read(found.screenshot) == cloud.jpeg
    assert found.ended > found.started
    events = center.store.events.page(EventFilter(jobs=(job,)), offset=0, limit=50)[1]
    assert [event.kind for event in events].count(EventKind.DRILL_ENDED) == 1


def test_after_a_test_only_a_start_is_the_real_run(center: Center) -> None:
    job = drill(center)
    ends_as(center, job, JobStatus.READY)
    center.ends.copied = 0
    center.start(job)
    done = ends_as(center, job, JobStatus.FINISHED)
    assert done.image_id
    assert [run.aim for run in center.store.runs.of_job(job)] == [RunAim.DRILL, RunAim.LAST]
    assert {resource.kind for resource in center.cloud.left} == {Kind.IMAGE, Kind.SNAPSHOT}


def test_a_test_without_critical_items_goes_on_with_what_it_copied(center: Center, cloud: Screen) -> None:
    job = drill(center, "TestAndMigrate")
    done = ends_as(center, job, JobStatus.FINISHED)
    assert done.drill is DrillStatus.PASSED
    assert [run.aim for run in center.store.runs.of_job(job)] == [RunAim.DRILL, RunAim.LAST]
    assert cloud.made[Kind.INSTANCE] == 2, "the real run took over the drill's"
    assert cloud.made[Kind.IMAGE] == 2, "one for the trial, which is gone, and the delivered one"
    left = {resource.id for resource in cloud.left}
    image = cloud.image(done.image_id)
    assert image is not None
    assert left == {image.id, *image.snapshots}
    assert image.name == "web-image"


def test_an_incremental_job_begins_its_rounds_after_the_test(center: Center) -> None:
    job = drill(center, "TestAndMigrate", run_once=False, frequency_hours=24, images_to_keep=2)
    ends_as(center, job, JobStatus.WAITING)
    assert [run.aim for run in center.store.runs.of_job(job)] == [RunAim.DRILL, RunAim.ROUND]


def test_a_critical_item_of_the_source_ends_it_before_anything_is_made(center: Center, cloud: Screen) -> None:
    lilo = structs.replace(server(), facts=FACTS, boot_loader="lilo")
    job = drill(center, "TestAndMigrate", lilo)
    done = ends_as(center, job, JobStatus.IN_ERROR)
    assert done.failure is not None
    assert done.failure.code == "Drill.Critical"
    assert "lilo" in done.failure.message
    assert "GRUB 2" in done.failure.hint
    assert done.drill is DrillStatus.CRITICAL
    assert sum(cloud.made.values()) == 0
    assert levels(report(center, job))["BootLoader"] is Level.CRITICAL


def test_a_copy_that_does_not_start_is_critical_and_everything_goes(
    center: Center, cloud: Screen, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest.answers = {}
    cloud.console = "Kernel panic - not syncing: Attempted to kill init!"
    monkeypatch.setattr(watch, "SETTLE_SECONDS", 0.05)
    job = drill(center)
    done = ends_as(center, job, JobStatus.IN_ERROR)
    assert done.drill is DrillStatus.CRITICAL
    assert done.failure is not None
    assert "panicked" in done.failure.message
    found = report(center, job)
    assert levels(found)["PortAnswers"] is Level.CRITICAL
    assert found.console
    assert list(cloud.left) == []


def test_a_finding_of_the_conversion_is_an_item(center: Center) -> None:
    center.ends.checks = (Check(item="GUESTOS.Dhcp", level=Level.WARNING, finding="static", cure="DHCP"),)
    job = drill(center)
    assert ends_as(center, job, JobStatus.READY).drill is DrillStatus.WARNING
    assert levels(report(center, job))["GUESTOS.Dhcp"] is Level.WARNING


def test_a_drill_that_fails_keeps_its_report_and_nothing_else(center: Center, cloud: Screen) -> None:
    cloud.hook = failing("create_snapshot", UserError("no more snapshots", code="SnapshotQuotaExceeded"), 9)
    job = drill(center, "TestAndMigrate")
    done = ends_as(center, job, JobStatus.IN_ERROR)
    assert done.drill is DrillStatus.FAILED
    assert done.failure is not None
    assert done.failure.code == "SnapshotQuotaExceeded"
    assert list(cloud.left) == []
    assert levels(report(center, job))["Speed"] is Level.PASSED
    cloud.hook = lambda when, call: None
    center.ends.copied = 0
    center.start(job)
    assert ends_as(center, job, JobStatus.FINISHED).drill is DrillStatus.PASSED
    aims = [run.aim for run in center.store.runs.of_job(job)]
    assert aims == [RunAim.DRILL, RunAim.DRILL, RunAim.LAST]


def test_a_stopped_drill_goes_on_where_it_was(center: Center, cloud: Screen) -> None:
    center.ends.hold_at = 300
    job = drill(center)
    until(lambda: center.job(job).business_status is BusinessStatus.SYNCING and center.ends.copied >= 300)
    center.store.jobs.want_stop(job)
    center.runner.stop(job)
    ends_as(center, job, JobStatus.STOPPED)
    center.ends.hold_at = 1 << 30
    center.start(job)
    ends_as(center, job, JobStatus.READY)
    assert {kind: cloud.made[kind] for kind in (Kind.IMAGE,)} == {Kind.IMAGE: 1}
    assert [run.aim for run in center.store.runs.of_job(job)] == [RunAim.DRILL, RunAim.DRILL]


def test_a_container_is_tested_without_being_pushed(center: Center, cloud: Screen) -> None:
    job = drill(
        center,
        target_type="ContainerImage",
        container_namespace="team",
        container_repository="web",
        container_tag="v1",
    )
    ends_as(center, job, JobStatus.READY)
    assert cloud.made[Kind.IMAGE] == 0
    assert list(cloud.left) == []
    assert "PortAnswers" not in levels(report(center, job))


@pytest.mark.parametrize("story", [STORY, f"{STORY}-next"])
def test_a_center_that_ends_in_a_drill_goes_on_with_it(
    tmp_path: Path, cloud: Screen, guest: Guest, story: str
) -> None:
    guest.silent = 1 << 30
    center = Center(tmp_path, cloud, settings=SETTINGS, do_probe=guest)
    job = drill(center, "TestAndMigrate")
    until(lambda: center.store.verifications.running() and guest.asked)
    center.close()
    guest.silent = 0
    again = Center(tmp_path, cloud, settings=SETTINGS, do_probe=guest, story=story)
    again.ends.copied = 1000
    try:
        done = ends_as(again, job, JobStatus.FINISHED)
        assert done.drill is DrillStatus.PASSED
        left = {resource.kind for resource in cloud.left}
        assert left == {Kind.IMAGE, Kind.SNAPSHOT}
        assert all(cloud.made[kind] >= count for kind, count in MADE_ONCE.items())
    finally:
        again.close()


def test_a_test_whose_cloud_refuses_to_say_what_is_left_ends_in_error(tmp_path: Path, guest: Guest) -> None:
    class Refusing(Screen):
        refuses = False

        def find(self, tags: Tags) -> Sequence[Resource]:
            if self.refuses:
                raise UserError("The access key was revoked.", code="Forbidden.RAM")
            return super().find(tags)

    cloud = Refusing()
    center = Center(tmp_path, cloud, settings=SETTINGS, do_probe=guest)
    try:
        center.ends.hold_at = 100
        job = drill(center)
        center.ends_reach(job, 100)
        cloud.refuses = True
        center.ends.failure = Failure.of(Broken("the disk is gone", code="Disk.Gone"))
        failed = ends_as(center, job, JobStatus.IN_ERROR)
        assert failed.failure is not None
        assert failed.failure.code == "Disk.Gone"
        assert "access key was revoked" in failed.failure.hint
    finally:
        center.close()
