"""An end that does not answer, or does not get on, ends in an error from which the job goes on."""

from pathlib import Path

from tests.unit.jobs.ends import TOTAL
from tests.unit.jobs.test_story import impatient, made_once

from smc.model.job import JobStatus


def test_a_receiver_that_does_not_answer_ends_in_error_and_can_be_resumed(tmp_path: Path) -> None:
    center = impatient(tmp_path)
    try:
        center.ends.silent = True
        job = center.new_job()
        center.start(job)
        failed = center.ends_as(job, JobStatus.IN_ERROR)
        assert failed.failure
        assert failed.failure.code == "Receiver.NotReady"
        center.ends.silent = False
        center.start(job)
        center.ends_as(job, JobStatus.FINISHED)
        assert made_once(center)
    finally:
        center.close()


def test_copying_that_stands_still_ends_in_error_and_can_be_resumed(tmp_path: Path) -> None:
    center = impatient(tmp_path)
    try:
        center.ends.hold_at = 300
        job = center.new_job()
        center.start(job)
        failed = center.ends_as(job, JobStatus.IN_ERROR)
        assert failed.failure
        assert failed.failure.code == "Sync.Stalled"
        copied = center.ends.copied  # less than 300 where a slow machine stood still before that
        center.ends.hold_at = 2000
        center.start(job)
        center.ends_as(job, JobStatus.FINISHED)
        assert center.ends.sent[f"{job}.2"] == TOTAL - copied
        assert center.ends.sent.total() == TOTAL
    finally:
        center.close()
