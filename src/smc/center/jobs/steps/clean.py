"""Releasing everything temporary, found by its tags; what an image needs stays with the image."""

import logging
from collections.abc import Sequence

from smc.base.errors import Broken, SmcError, Transient
from smc.center.jobs.steps.console import keep_console
from smc.center.jobs.work import Work
from smc.center.store.resources import IMAGE, TEMPORARY
from smc.cloud.driver import TAG_JOB, TAG_PURPOSE, Resource
from smc.model.job import BusinessStatus

log = logging.getLogger(__name__)


def clean(work: Work, run: str) -> None:
    """After this nothing of the job is left in the cloud but its image. Raises `Broken` naming what is."""
    job, now = work.current(run)
    work.store.jobs.reach(now, BusinessStatus.CLEANING, note="Releasing what was temporary", progress=97.0)
    keep_console(work, run)
    left = release(work, job.id, keep=delivered_parts(work, job.id))
    work.store.jobs.hold_instance(now, "")
    if left:
        raise Broken(
            f"The image is ready, but this could not be released: {'; '.join(left)}.",
            code="Cleaning.Incomplete",
            hint="Release it in the cloud, or start the job again to try once more.",
        )


def delivered_parts(work: Work, job: str) -> set[str]:
    """The job's images and the snapshots behind them; one the cloud does not show just now stays too."""
    parts: set[str] = set()
    for image in work.store.runs.delivered(job):
        found = work.driver.image(image)
        parts |= {image, *(found.snapshots if found else ())}
    return parts


def release(
    work: Work, job: str, *, keep: set[str], purposes: Sequence[str] = (TEMPORARY, IMAGE)
) -> list[str]:
    """Ask for everything the job's tags find until it is gone; a sentence for each thing that stays."""
    end = work.clock.monotonic() + work.settings.patience_seconds
    while True:
        try:
            found = _found(work, job, keep, purposes)
        except Transient as e:
            left = [f"what is left could not be listed: {e.message}"]
        else:
            if not found:
                _note_released(work, job, keep, purposes)
                return []
            refused = [why for resource in found if (why := _ask(work, resource))]
            left = refused or [_named(resource) for resource in found]
        if work.clock.monotonic() > end:
            return left
        work.rest()


def _found(work: Work, job: str, keep: set[str], purposes: Sequence[str]) -> list[Resource]:
    return [
        resource
        for purpose in purposes
        for resource in work.driver.find({TAG_JOB: job, TAG_PURPOSE: purpose})
        if resource.id not in keep
    ]


def _ask(work: Work, resource: Resource) -> str:
    """Why it is still there, "" when the cloud has accepted to release it."""
    try:
        work.driver.delete(resource.kind, resource.id)
    except Transient as e:
        return f"{_named(resource)}: {e.message}"
    except SmcError as e:
        log.warning("%s cannot be released: %s (%s)", _named(resource), e.message, e.code)
        return f"{_named(resource)}: {e.message} ({e.code})"
    return ""


def _named(resource: Resource) -> str:
    return f"{resource.kind.value} {resource.id} ({resource.name})"


def _note_released(work: Work, job: str, keep: set[str], purposes: Sequence[str]) -> None:
    for purpose in purposes:
        for made in work.store.resources.kept(job=job, purpose=purpose):
            if made.id not in keep:
                work.store.resources.released(made.kind, made.id)
    if TEMPORARY in purposes:
        work.store.receivers.dismiss(job)
