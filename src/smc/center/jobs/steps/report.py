"""The report of a run: completed with what only the center knows, and its critical findings told."""

from collections.abc import Sequence

from msgspec import structs

from smc.center.jobs.differences import differences
from smc.center.jobs.work import Work
from smc.center.store.job_log import WARNING
from smc.model.job import run_number
from smc.model.report import Check, Level


def complete_report(work: Work, run: str) -> None:
    """Once the receiver has reported. Critical checks do not fail the job: they are warnings in its log."""
    job, now = work.current(run)
    report = work.store.runs.report(job.id, now.number)
    source = work.store.sources.find(job.source_id)
    if report is None or report.differs or source is None:
        return
    for check in _critical(report.checks):
        work.store.log.add(
            job.id,
            f"{check.item}: {check.finding}",
            level=WARNING,
            code="ImageCheck.Critical",
            hint=check.cure,
        )
    in_place = job.request.target_disks if job.request.instance_id else None
    differs = differences(source.server, job.plan, in_place)
    work.store.runs.record_report(job.id, now.number, structs.replace(report, differs=differs))


def warning(work: Work, run: str) -> str:
    """What a person must know of the delivered image, "" when nothing is critical.

    The newest report counts: a run that only cleans up has none of its own.
    """
    job, _ = work.current(run)
    for number in range(run_number(run), 0, -1):
        report = work.store.runs.report(job.id, number)
        if report is not None:
            return _sentence(_critical(report.checks))
    return ""


def _critical(checks: Sequence[Check]) -> list[Check]:
    return [check for check in checks if check.level is Level.CRITICAL]


def _sentence(found: Sequence[Check]) -> str:
    if not found:
        return ""
    named = " ".join(f"{check.item}: {check.finding} {check.cure}".rstrip() for check in found)
    return f"The image may not boot or work: {named}"
