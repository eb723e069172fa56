"""Delivered images are booted by themselves, looked at, and what was made for that goes again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs
from tests.unit.jobs.center import FAST, Center, until
from tests.unit.verification.test_causes import DEBIAN_NO_ROOT

from smc.base.errors import UserError
from smc.center.instances import create_instance, delete_instance
from smc.center.store.events import EventFilter, EventKind
from smc.center.store.resources import IMAGE, INSTANCE, VERIFICATION
from smc.center.store.verifications import Verification, VerificationState, Wish
from smc.center.verification import watch
from smc.center.verification.probe import Answer
from smc.cloud.driver import TAG_PURPOSE, Image, Kind
from smc.cloud.memory import MemoryCloud
from smc.cloud.memory_catalogue import DEFAULT_TYPES
from smc.cloud.memory_desk import no_hook
from smc.model.job import JobStatus
from smc.model.server import Architecture

SETTINGS = structs.replace(FAST, center_cidr="203.0.113.9/32", patience_seconds=2.0)


class Screen(MemoryCloud):
    """A cloud whose instances show something."""

    console = ""
    jpeg = b"\xff\xd8 a picture"

    def console_output(self, instance: str) -> str:
        return self.console

    def screenshot(self, instance: str) -> bytes:
        return self.jpeg


class Guest:
    """What answers at the ports; the first `silent` questions meet silence."""

    def __init__(self) -> None:
        self.silent = 2
        self.answers = {22: (Answer.ANSWERS, "SSH-2.0-OpenSSH_9.2p1")}
        self.asked: list[tuple[str, int]] = []

    def __call__(self, host: str, port: int) -> tuple[Answer, str]:
        self.asked.append((host, port))
        self.silent -= 1
        return (Answer.SILENT, "") if self.silent >= 0 else self.answers.get(port, (Answer.SILENT, ""))


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


def delivered(center: Center) -> str:
    job = center.new_job()
    center.start(job)
    return center.ends_as(job, JobStatus.FINISHED).id


def begin(center: Center, job: str, *, ports: tuple[int, ...] = (22,), **wish: object) -> str:
    found = center.job(job)
    wished = Wish(ports=ports, **{"timeout": 600.0, **wish})  # type: ignore[arg-type]  # fields by name
    made = center.store.verifications.create(
        job=job, source=found.source_id, image=found.image_id, wish=wished
    )
    center.runner.verify(made)
    return made


def ended(center: Center, verification: str) -> Verification:
    def find() -> Verification:
        found = center.store.verifications.find(verification)
        assert found is not None
        return found

    until(lambda: find().state is not VerificationState.RUNNING)
    return find()


def left(cloud: MemoryCloud) -> set[Kind]:
    return {resource.kind for resource in cloud.find({TAG_PURPOSE: VERIFICATION})}


def test_an_image_that_answers_is_verified_and_everything_goes(
    center: Center, cloud: Screen, guest: Guest
) -> None:
    job = delivered(center)
    closed: list[tuple[list[str], bool]] = []

    def hook(when: str, call: str) -> None:
        if (when, call) == ("before", "launch"):
            (group,) = [r for r in cloud.find({TAG_PURPOSE: VERIFICATION}) if r.kind is Kind.SECURITY_GROUP]
            closed.append((cloud.admitted(group.id), cloud.isolated(group.id)))

    cloud.hook = hook
    found = ended(center, begin(center, job))
    assert found.state is VerificationState.VERIFIED
    assert found.outcome is not None
    assert (found.outcome.code, found.outcome.powered_on, found.outcome.network_up) == ("", True, True)
    assert found.outcome.ports[0].banner == "SSH-2.0-OpenSSH_9.2p1"
    assert closed == [(["22<203.0.113.9/32"], True)], "nobody else gets in, before it starts"
    assert center.blobs.read(found.screenshot) == cloud.jpeg
    assert left(cloud) == set()
    assert cloud.image(center.job(job).image_id) is not None
    wanted = EventFilter(kinds=(EventKind.VERIFICATION_ENDED,))
    _, (event,) = center.store.events.page(wanted, offset=0, limit=10)
    assert event.message.startswith(f"The image {found.image} is verified: It is on")
    assert (event.job, event.level.value) == (job, "info")


def test_a_cause_on_the_console_ends_it_early_and_is_kept(
    center: Center, cloud: Screen, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "SETTLE_SECONDS", 0.1)
    guest.answers.clear()
    job = delivered(center)
    cloud.console = DEBIAN_NO_ROOT
    found = ended(center, begin(center, job))
    assert found.state is VerificationState.NOT_VERIFIED
    assert found.outcome is not None
    assert found.outcome.code == "Boot.NoRootDevice"
    assert found.outcome.seconds < 60
    assert center.blobs.read(found.console).decode() == DEBIAN_NO_ROOT
    assert left(cloud) == set()


@pytest.mark.parametrize("answer", [Answer.CLOSED, Answer.SILENT])
def test_what_does_not_answer_in_time_is_not_verified(
    center: Center,
    guest: Guest,
    monkeypatch: pytest.MonkeyPatch,
    answer: Answer,
) -> None:
    monkeypatch.setattr(watch, "GRACE_SECONDS", 0.2)
    guest.answers[80] = answer, ""
    found = ended(center, begin(center, delivered(center), ports=(22, 80), timeout=0.0))
    assert found.outcome is not None
    assert (found.state, found.outcome.code) == (VerificationState.NOT_VERIFIED, "Verification.PortClosed")
    assert found.outcome.network_up
    states = {port.port: port.state for port in found.outcome.ports}
    assert states == {22: "answers", 80: answer.value}


def test_an_instance_that_goes_off_is_not_verified(center: Center, cloud: Screen, guest: Guest) -> None:
    guest.answers.clear()
    verification = begin(center, delivered(center))

    def instance() -> str:
        found = center.store.verifications.find(verification)
        return found.instance if found else ""

    until(lambda: guest.asked)
    cloud.power_off(instance())
    found = ended(center, verification)
    assert found.outcome is not None
    assert (found.outcome.code, found.outcome.powered_on) == ("Verification.NotRunning", True)


def test_what_cannot_be_booted_says_so_and_nothing_of_the_image(center: Center, cloud: Screen) -> None:
    job = delivered(center)

    def hook(when: str, call: str) -> None:
        if (when, call) == ("before", "launch"):
            raise UserError("No stock.", code="OperationDenied.NoStock", hint="Another type.")

    cloud.hook = hook
    found = ended(center, begin(center, job))
    assert found.outcome is not None
    assert (found.state, found.outcome.code) == (VerificationState.NOT_RUN, "OperationDenied.NoStock")
    assert left(cloud) == set()


def test_a_kept_instance_is_one_that_can_be_deleted_like_any_other(center: Center, cloud: Screen) -> None:
    job = delivered(center)
    found = ended(center, begin(center, job, keep=True))
    kept = center.store.resources.kept(purpose=INSTANCE, parent=found.image, kind=Kind.INSTANCE)
    assert [made.id for made in kept] == [found.instance]
    delete_instance(center.store, cloud, found.instance)
    assert left(cloud) == set()


def test_a_given_vswitch_is_used_and_stays(center: Center, cloud: Screen) -> None:
    job = delivered(center)
    vpc = cloud.create_vpc("own", "10.0.0.0/16", {}, "own-vpc")
    until(lambda: cloud.vpc_ready(vpc))
    vswitch = cloud.create_vswitch(vpc, cloud.zones()[0], "own", "10.0.0.0/24", {}, "own-vswitch")
    until(lambda: cloud.vswitch_ready(vswitch))
    assert ended(center, begin(center, job, vswitch=vswitch)).state is VerificationState.VERIFIED
    assert cloud.exists(Kind.VSWITCH, vswitch)
    assert left(cloud) == set()


def test_one_verification_of_a_job_at_a_time(center: Center, guest: Guest) -> None:
    guest.silent = 10_000
    job = delivered(center)
    first = begin(center, job)
    with pytest.raises(UserError) as refused:
        begin(center, job)
    assert refused.value.code == "Verification.Running"
    guest.silent = 0
    ended(center, first)
    assert ended(center, begin(center, job)).state is VerificationState.VERIFIED
    assert center.store.verifications.page(jobs=[job])[0] == 2, "each is kept"


def test_a_center_that_starts_again_goes_on_with_it_also_with_another_story(
    tmp_path: Path, cloud: Screen, guest: Guest
) -> None:
    guest.silent = 10_000
    center = Center(tmp_path, cloud, settings=SETTINGS, do_probe=guest)
    verification = begin(center, delivered(center))
    until(lambda: guest.asked)
    center.close()
    for story in ("1", "other"):
        asked = len(guest.asked)
        center = Center(tmp_path, cloud, settings=SETTINGS, do_probe=guest, story=story)
        until(lambda asked=asked: len(guest.asked) > asked)  # type: ignore[misc]  # a lambda with a default
        if story == "1":
            center.close()
    guest.silent = 0
    assert ended(center, verification).state is VerificationState.VERIFIED
    assert cloud.made[Kind.INSTANCE] == 2, "the job's and this one's"
    assert left(cloud) == set()
    center.close()


def test_without_the_center_s_own_address_nothing_is_opened(tmp_path: Path, cloud: Screen) -> None:
    center = Center(tmp_path, cloud, settings=structs.replace(SETTINGS, center_cidr=""))
    found = ended(center, begin(center, delivered(center)))
    assert found.outcome is not None
    assert (found.state, found.outcome.code) == (VerificationState.NOT_RUN, "Verification.NoCenterAddress")
    assert left(cloud) == set()
    center.close()


def test_the_console_of_the_intermediate_instance_is_kept_before_it_goes(
    center: Center, cloud: Screen
) -> None:
    cloud.console = "Starts the receiver of a server migration."
    job = delivered(center)
    (log,) = center.store.run_logs.of_job(job)
    assert (log.sender, log.name, center.blobs.read(log.blob).decode()) == (
        "instance",
        "console.txt",
        cloud.console,
    )


def test_an_instance_is_of_the_architecture_of_its_image_also_when_the_job_is_deleted(
    tmp_path: Path, guest: Guest
) -> None:
    class Arm(Screen):
        def image(self, image: str) -> Image | None:
            seen = super().image(image)
            return structs.replace(seen, architecture=Architecture.ARM64) if seen else None

    cloud = Arm()
    center = Center(tmp_path, cloud, settings=SETTINGS, do_probe=guest)
    try:
        job = delivered(center)
        image = center.store.resources.kept(job=job, purpose=IMAGE, kind=Kind.IMAGE)[0]
        center.store.jobs.remove(job)
        made = create_instance(
            center.store, cloud, image, name="n", openings=(), cidr="203.0.113.9/32", instance_type=""
        )
        seen = cloud.instance(made)
        assert seen is not None
        assert seen.instance_type == DEFAULT_TYPES[Architecture.ARM64]
    finally:
        center.close()


def test_what_is_to_be_kept_goes_all_the_same_when_there_is_no_instance(
    center: Center, cloud: Screen
) -> None:
    job = delivered(center)

    def hook(when: str, call: str) -> None:
        if (when, call) == ("before", "launch"):
            raise UserError("Nothing is in stock.", code="OperationDenied.NoStock")

    cloud.hook = hook
    assert ended(center, begin(center, job, keep=True)).state is VerificationState.NOT_RUN
    assert left(cloud) == set()


def test_deleting_the_job_takes_what_a_verification_could_not_release_and_no_kept_instance(
    center: Center, cloud: Screen
) -> None:
    job = delivered(center)
    kept = ended(center, begin(center, job, keep=True))

    def hook(when: str, call: str) -> None:
        if (when, call) == ("before", "delete"):
            raise UserError("Not now.", code="OperationConflict")

    cloud.hook = hook
    stayed = ended(center, begin(center, job))
    assert cloud.instance(stayed.instance) is not None
    cloud.hook = no_hook
    center.store.jobs.begin_deleting(job)
    center.runner.delete(job)
    until(lambda: center.store.jobs.find(job) is None)
    assert cloud.instance(stayed.instance) is None
    assert cloud.instance(kept.instance) is not None
    delete_instance(center.store, cloud, kept.instance)
    assert left(cloud) == set()
