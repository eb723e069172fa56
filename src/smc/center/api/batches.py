"""Batches (ours): StartWorkgroupJobs, CutOverWorkgroupJobs, DescribeBatches, CancelBatch."""

from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec

from smc.base.errors import UserError
from smc.center.api.context import Context
from smc.center.api.words import PageNumber, PageSize, check_ids, offset, page, written
from smc.center.store.batches import Batch, BatchKind, Item, NewBatch
from smc.center.store.values import Job
from smc.center.store.workgroups import Member
from smc.model.job import JobStatus
from smc.rpc.dispatch import Actions, Caller, Reply, action
from smc.rpc.params import Request

AtOnce = Annotated[int, msgspec.Meta(ge=1, le=1000)]
TO_START = (JobStatus.READY, JobStatus.STOPPED, JobStatus.IN_ERROR)
TO_CUT_OVER = (JobStatus.WAITING,)


class StartWorkgroupJobs(Request, frozen=True, kw_only=True):
    workgroup_id: str
    max_concurrency: AtOnce | None = None


class CutOverWorkgroupJobs(Request, frozen=True, kw_only=True):
    workgroup_id: str
    sync_data: bool = False
    max_concurrency: AtOnce | None = None


class DescribeBatches(Request, frozen=True, kw_only=True):
    batch_id: tuple[str, ...] = ()
    workgroup_id: str = ""
    page_number: PageNumber = 1
    page_size: PageSize = 10


class OneBatch(Request, frozen=True, kw_only=True):
    batch_id: str


class BatchActions:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def actions(self) -> Actions:
        return {
            "StartWorkgroupJobs": action(StartWorkgroupJobs, self._start),
            "CutOverWorkgroupJobs": action(CutOverWorkgroupJobs, self._cut_over),
            "DescribeBatches": action(DescribeBatches, self._describe),
            "CancelBatch": action(OneBatch, self._cancel),
        }

    def _start(self, request: StartWorkgroupJobs, _caller: Caller) -> Reply:
        """Start the latest job of each source of a workgroup that is Ready, Stopped or InError, at most
        `MaxConcurrency` of them at once (default: as many as may run at all). The others are told as Skipped.
        """
        return self._create(request.workgroup_id, BatchKind.START, request.max_concurrency, TO_START)

    def _cut_over(self, request: CutOverWorkgroupJobs, _caller: Caller) -> Reply:
        """Cut over the latest job of each source of a workgroup that is Waiting between two rounds, at most
        `MaxConcurrency` of them at once; `SyncData`: with a last round each. The others are told as Skipped.
        """
        at_once = request.max_concurrency
        return self._create(
            request.workgroup_id, BatchKind.CUT_OVER, at_once, TO_CUT_OVER, sync_data=request.sync_data
        )

    def _create(
        self,
        workgroup: str,
        kind: BatchKind,
        at_once: int | None,
        allowed: Sequence[JobStatus],
        *,
        sync_data: bool = False,
    ) -> Reply:
        self._store.workgroups.require(workgroup)
        members = self._store.workgroups.members([workgroup])[workgroup]
        fitting = [member for member in members if member.status in allowed]
        if not fitting:
            words = ", ".join(status.value for status in allowed)
            raise UserError(
                f"No source of the workgroup {workgroup} has a job in the status: {words}.",
                code="Workgroup.NothingToDo",
                hint="DescribeReplicationJobs shows the jobs; create one for each source first.",
            )
        jobs = [self._context.job(member.job) for member in fitting]
        new = NewBatch(
            workgroup=workgroup,
            kind=kind,
            items=tuple(Item(job=job.id, run_number=job.run_number) for job in jobs),
            most_at_once=at_once or self._context.settings.quotas.concurrent_jobs,
            sync_data=sync_data,
        )
        return {
            "BatchId": self._store.batches.create(new),
            "JobIds": {"JobId": [job.id for job in jobs]},
            "Skipped": {"Source": [_skipped(member) for member in members if member not in fitting]},
        }

    def _describe(self, request: DescribeBatches, _caller: Caller) -> Reply:
        """Batches, newest first: of each job whether it is Waiting, Running, Done, Failed or Cancelled, and
        why it failed.
        """
        total, found = self._store.batches.page(
            check_ids(request.batch_id, "BatchId"),
            request.workgroup_id,
            offset=offset(request.page_number, request.page_size),
            limit=request.page_size,
        )
        jobs = self._jobs(item.job for batch in found for item in batch.items)
        return {
            **page(request.page_number, request.page_size, total),
            "Batches": {"Batch": [_described(batch, jobs) for batch in found]},
        }

    def _cancel(self, request: OneBatch, _caller: Caller) -> Reply:
        """Begin no more jobs of the batch; those that run go on."""
        self._store.batches.cancel(request.batch_id)
        self._store.batches.close(request.batch_id)
        return {}

    def _jobs(self, ids: Iterable[str]) -> dict[str, Job]:
        found = (self._store.jobs.find(job) for job in set(ids))
        return {job.id: job for job in found if job is not None}


def _skipped(member: Member) -> dict[str, str]:
    return {
        "SourceId": member.source,
        "JobId": member.job,
        "Status": member.status.value if member.status else "",
    }


def _described(batch: Batch, jobs: dict[str, Job]) -> dict[str, object]:
    return {
        "BatchId": batch.id,
        "WorkgroupId": batch.workgroup,
        "Kind": batch.kind.value,
        "SyncData": batch.sync_data,
        "MaxConcurrency": batch.most_at_once,
        "CreationTime": written(batch.created),
        "EndTime": written(batch.ended),
        "Jobs": {
            "Job": [
                {
                    "JobId": item.job,
                    "SourceId": jobs[item.job].source_id,
                    "State": item.state.value,
                    "Status": jobs[item.job].status.value,
                    "Code": item.code,
                    "Message": item.message,
                }
                for item in batch.items
                if item.job in jobs
            ]
        },
    }
