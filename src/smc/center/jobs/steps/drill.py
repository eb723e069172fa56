"""The steps of a drill that a migration does not have: judging, trying the copy, telling what was found."""

from enum import Enum

from msgspec import structs

from smc.base.errors import UserError
from smc.base.units import readable_seconds
from smc.center.drill.course import (
    Room,
    Start,
    Transfer,
    judge_checks,
    judge_network,
    judge_room,
    judge_start,
    judge_transfer,
)
from smc.center.drill.estimate import Estimate
from smc.center.drill.source import Beat, Subject, judge_source
from smc.center.jobs.steps.clean import delivered_parts, release
from smc.center.jobs.work import Work
from smc.center.store.job_log import WARNING
from smc.center.store.values import Job
from smc.center.store.verifications import Verification, VerificationState, Wish
from smc.cloud.driver import Kind
from smc.model.drill import DrillReport, DrillStatus, Item
from smc.model.job import BusinessStatus, run_job, run_number
from smc.model.progress import Failure
from smc.model.report import Level

SSH = 22
CRITICAL = "Drill.Critical"
TEST_AND_MIGRATE = "TestAndMigrate"  # ExecutionMethod


class Next(Enum):
    """What comes after a drill without a critical item; its value is what the journal holds."""

    NOTHING = "nothing"  # the job is Ready
    TAKE_OVER = "take over"  # the real run goes on with the drill's instance and data
    AFRESH = "afresh"  # it begins anew: its data go elsewhere


def begin_drill(work: Work, run: str) -> None:
    job, now = work.current(run)
    report = DrillReport(run=run, started=work.clock.now())
    work.store.drills.put(job.id, now.number, report)
    work.store.jobs.set_drill(now, DrillStatus.RUNNING)
    work.store.log.add(job.id, "The migration test began.")


def examine(work: Work, run: str) -> None:
    """What can be judged before anything is made. Raises `UserError` (`Drill.Critical`)."""
    job, now = work.current(run)
    work.store.jobs.reach(now, BusinessStatus.PREPARING, note="Judging the source", progress=1.0)
    source = work.store.sources.find(job.source_id)
    if source is None:
        raise UserError(f"There is no migration source {job.source_id}.", code="InvalidSourceId.NotFound")
    beat = Beat(cpu_usage=source.cpu_usage, memory_usage=source.memory_usage, clock=source.clock_ahead)
    subject = Subject(server=source.server, beat=beat, plan=job.plan)
    room = Room(zones=len(work.driver.zones()), jobs_left=work.store.jobs.room())
    size = sum(filesystem.used for filesystem in subject.filesystems)
    _add(work, run, [*judge_source(subject), *judge_room(room)], size=size)
    _refuse_critical(work, run)


def weigh(work: Work, run: str) -> None:
    """What the copying showed, and what the conversion found of the copy."""
    job, now = work.current(run)
    report = work.store.runs.report(job.id, now.number)
    progress = now.progress
    size = progress.done if progress else 0
    took = report.seconds.get("copy", 0.0) if report else 0.0
    speed = size / took if took > 0 else _speed_by_history(work, job, now.number)
    transfer = Transfer(
        size=size,
        files=progress.files_done if progress else 0,
        speed=speed,
        resent=progress.resent if progress else 0,
        proof=report.proof if report else (),
        moving=len(now.agent.moving),
    )
    items = [*judge_network(f"{now.host}:{now.port}"), *judge_transfer(transfer)]
    items += judge_checks(report.checks if report else ())
    _add(work, run, items, size=size, speed=round(speed, 1))


def begin_trial(work: Work, run: str, image: str) -> str:
    """The id of the verification that boots the copy, alone; it is begun by the story."""
    job, now = work.current(run)
    work.store.jobs.reach(now, BusinessStatus.PROCESSING, note="Booting the copy, alone", progress=96.0)
    for one in work.store.verifications.running():
        if one.job == job.id and one.image == image:
            return one.id
    wish = Wish(ports=(SSH,), timeout=work.settings.trial_seconds)
    return work.store.verifications.create(job=job.id, source=job.source_id, image=image, wish=wish)


def await_trial(work: Work, run: str, trial: str) -> None:
    limit = work.settings.trial_seconds + work.settings.patience_seconds
    one = work.wait_for(run, lambda: _ended(work, trial), "the trial of the copy", limit=limit)
    outcome = one.outcome
    start = Start(
        powered_on=bool(outcome and outcome.powered_on),
        network_up=bool(outcome and outcome.network_up),
        answers=one.state is VerificationState.VERIFIED,
        cause=outcome.message if outcome and outcome.code else "",
        port=one.wish.ports[0],
    )
    _add(work, run, list(judge_start(start)), screenshot=one.screenshot, console=one.console)


def drop_trial(work: Work, run: str, image: str) -> None:
    """The image was for the trial alone."""
    seen = work.driver.image(image)

    def gone() -> bool | None:
        work.driver.delete(Kind.IMAGE, image)
        return work.driver.image(image) is None or None

    work.wait_for(run, gone, f"deleting {image}")
    for snapshot in seen.snapshots if seen else ():
        work.store.resources.released(Kind.SNAPSHOT, snapshot)
    work.store.resources.released(Kind.IMAGE, image)


def conclude(work: Work, run: str) -> str:
    """The value of a `Next`. Raises `UserError` (`Drill.Critical`)."""
    job, now = work.current(run)
    report = _report(work, run)
    estimate = Estimate(size=report.size, speed=report.speed).seconds if report.speed > 0 else {}
    report = structs.replace(report, ended=work.clock.now(), seconds=estimate)
    work.store.drills.put(job.id, now.number, report)
    _refuse_critical(work, run)
    _tell(work, run, report.status)
    if job.request.execution_method != TEST_AND_MIGRATE:
        return str(Next.NOTHING.value)
    following = Next.AFRESH if job.request.instance_id else Next.TAKE_OVER
    return str(following.value)


def give_up_drill(work: Work, run: str, failure: Failure) -> None:
    """The report stays: it says what was found until it ended, and that nothing more could be."""
    job, now = work.current(run)
    report = structs.replace(_report(work, run), ended=work.clock.now())
    work.store.drills.put(job.id, now.number, report)
    _tell(work, run, DrillStatus.CRITICAL if failure.code == CRITICAL else DrillStatus.FAILED)


def clear_away(work: Work, run: str) -> None:
    """Everything that the drill made goes; what does not is named in the job's log."""
    job, now = work.current(run)
    note = "Releasing what the migration test used"
    work.store.jobs.reach(now, BusinessStatus.CLEANING, note=note, progress=97.0)
    left = release(work, job.id, keep=delivered_parts(work, job.id))
    work.store.jobs.hold_instance(now, "")
    for sentence in left:
        work.store.log.add(
            job.id,
            f"Could not be released: {sentence}",
            level=WARNING,
            code="Cleaning.Incomplete",
            hint="Release it in the cloud; deleting the job tries it once more.",
        )


def _refuse_critical(work: Work, run: str) -> None:
    found = [item for item in _report(work, run).items if item.level is Level.CRITICAL]
    if not found:
        return
    named = "; ".join(f"{item.name}: {item.finding}" for item in found)
    cures = " ".join(dict.fromkeys(item.cure for item in found if item.cure))
    raise UserError(
        f"The migration test found what would make the migration fail. {named}.",
        code=CRITICAL,
        hint=f"{cures} Then start the job again: it repeats the test.".strip(),
    )


def _add(work: Work, run: str, items: list[Item], **changes: object) -> None:
    """A step that is taken again replaces what it said before."""
    report = _report(work, run)
    said = {(item.group, item.name) for item in items}
    kept = [item for item in report.items if (item.group, item.name) not in said]
    whole = structs.replace(report, items=(*kept, *items), **changes)
    work.store.drills.put(run_job(run), run_number(run), whole)


def _report(work: Work, run: str) -> DrillReport:
    found = work.store.drills.find(run_job(run), run_number(run))
    return found or DrillReport(run=run, started=work.clock.now())


def _tell(work: Work, run: str, status: DrillStatus) -> None:
    job, now = work.current(run)
    report = _report(work, run)
    took = readable_seconds(max(report.ended - report.started, 0.0))
    if work.store.jobs.set_drill(now, status):
        work.store.log.add(job.id, f"The migration test ended after {took}: {status.value}.")


def _ended(work: Work, trial: str) -> Verification | None:
    found = work.store.verifications.find(trial)
    return found if found is not None and found.state is not VerificationState.RUNNING else None


def _speed_by_history(work: Work, job: Job, number: int) -> float:
    """Bytes a second between the first and the last point of the run; 0 where there are not two."""
    points = [point for point in work.store.history.of_job(job.id, most=1000) if point.run == number]
    if len(points) < 2:
        return 0.0
    first, last = points[0], points[-1]
    passed = last.time - first.time
    return (last.done - first.done) / passed if passed > 0 else 0.0
