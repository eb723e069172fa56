"""Between two rounds of a job: few images are kept, and the intermediate instance is ready for the next."""

import logging

from smc.base.errors import Broken, UserError
from smc.center.jobs.steps.clean import delivered_parts
from smc.center.jobs.steps.machine import running
from smc.center.jobs.work import Work
from smc.center.store.job_log import WARNING
from smc.center.store.resources import IMAGE
from smc.center.store.values import Job, Made
from smc.cloud.driver import TAG_JOB, TAG_PURPOSE, Kind
from smc.model.job import BusinessStatus

DROP_SECONDS = 120.0  # for an image and its snapshots to go; another round will try again
log = logging.getLogger(__name__)


def drop_old_images(work: Work, run: str) -> None:
    """Of an incremental job no more images are kept than was asked: the oldest that nobody uses go.

    An image from which an instance runs stays, and so does one that the cloud does not let go.
    """
    job, now = work.current(run)
    most = job.request.images_to_keep
    if job.request.run_once or not most:
        return
    note = "Dropping images of earlier rounds"
    work.store.jobs.reach(now, BusinessStatus.CLEANING, note=note, progress=97.0)
    _drop_strays(work, job)
    kept = _delivered(work, job)
    used = {instance.image for instance in work.driver.instances()} if len(kept) > most else set()
    left = len(kept)
    for image in kept:
        if left <= most:
            return
        if image.id in used or image.id == job.image_id:
            continue
        left -= _drop(work, run, image)
    if left > most:
        work.store.log.add(
            job.id,
            f"{left} images are kept, {most} were asked for: older ones are in use.",
            level=WARNING,
            code="Image.InUse",
            hint="Release the instances that were made of them; the next round drops them then.",
        )


def switch_on(work: Work, run: str) -> None:
    """It was stopped for its snapshots; the next round finds it at work."""
    _, now = work.current(run)
    instance = work.kept(run, Kind.INSTANCE)
    note = "Starting the intermediate instance again"
    work.store.jobs.reach(now, BusinessStatus.CLEANING, note=note, progress=98.0)
    work.wait_for(run, lambda: running(work, run, instance, told=False) or None, f"starting {instance}")


def _drop_strays(work: Work, job: Job) -> None:
    """Snapshots of a run that was cut off before it made its image of them."""
    parts = delivered_parts(work, job.id)
    for stray in work.driver.find({TAG_JOB: job.id, TAG_PURPOSE: IMAGE}):
        if stray.kind is not Kind.SNAPSHOT or stray.id in parts:
            continue
        try:
            work.driver.delete(Kind.SNAPSHOT, stray.id)
        except UserError as e:  # somebody has made an image of it: no reason to fail either
            log.warning("%s: %s (%s)", stray.id, e.message, e.code)
            continue
        work.store.resources.released(Kind.SNAPSHOT, stray.id)


def _delivered(work: Work, job: Job) -> list[Made]:
    """Oldest first; what somebody deleted in the cloud is not counted, and not known any more."""
    found = []
    kept = work.store.resources.kept(job=job.id, purpose=IMAGE, kind=Kind.IMAGE)
    for image in sorted(kept, key=lambda image: image.run):
        if work.driver.image(image.id) is None and image.id != job.image_id:
            work.store.resources.released(Kind.IMAGE, image.id)
        else:
            found.append(image)
    return found


def _drop(work: Work, run: str, image: Made) -> bool:
    """Whether it is gone."""
    seen = work.driver.image(image.id)

    def gone() -> bool | None:
        work.driver.delete(Kind.IMAGE, image.id)
        return work.driver.image(image.id) is None or None

    try:
        work.wait_for(
            run, gone, f"deleting {image.id}", limit=min(DROP_SECONDS, work.settings.patience_seconds)
        )
    except (Broken, UserError) as e:  # the job has its new image: an older one is no reason to fail
        log.warning("run %s: %s (%s)", run, e.message, e.code)
        return False
    for snapshot in seen.snapshots if seen else ():
        work.store.resources.released(Kind.SNAPSHOT, snapshot)
    work.store.resources.released(Kind.IMAGE, image.id)
    work.store.log.add(image.job, f"The image {image.id} ({image.name}) of an earlier round was dropped.")
    return True
