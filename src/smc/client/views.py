"""What the CLI and the console read out of the API's answers, as typed values."""

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from smc.base.errors import Broken
from smc.client.api import Api, Json

PAGE = 50  # the most the API gives at once

T = TypeVar("T")


class Source(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    source_id: str
    name: str = ""
    description: str = ""
    state: str
    error_code: str = ""
    status_info: str = ""
    platform: str = ""
    architecture: str = ""
    agent_version: str = ""
    system_disk_size: int = 0
    job_id: str = ""
    workgroup_id: str = ""
    creation_time: str = ""
    system_info: str = ""


class JobRun(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    start_time: str = ""
    end_time: str = ""
    image_id: str = ""
    type: str = ""


class JobRuns(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    replication_job_run: list[JobRun] = []


class ContainerImage(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """`layout` is the folder at the center that holds it, "" when a registry does."""

    reference: str
    digest: str
    size: int = 0
    layout: str = ""


class Job(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    job_id: str
    name: str = ""
    source_id: str = ""
    status: str
    business_status: str = ""
    progress: float = 0.0
    status_info: str = ""
    error_code: str = ""
    image_id: str = ""
    image_name: str = ""
    instance_id: str = ""  # the target, where that is an instance; what a cross-zone job moves
    delivered_instance_id: str = ""  # what that one is in the other zone
    target_type: str = ""
    transition_instance_id: str = ""
    container_image: ContainerImage | None = None
    creation_time: str = ""
    start_time: str = ""
    end_time: str = ""
    next_start_time: str = ""
    round: int = 0
    replication_job_runs: JobRuns = JobRuns()


class Token(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    access_token_id: str
    name: str = ""
    count: str = ""
    registered_count: str = ""
    time_to_live_in_days: str = ""
    status: str = ""
    creation_time: str = ""


class WarnedSources(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    source_id: list[str] = []


class WorkgroupWarning(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    warning_type: str
    source_ids: WarnedSources = WarnedSources()


class WorkgroupWarnings(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    warning: list[WorkgroupWarning] = []


class Workgroup(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    workgroup_id: str
    name: str = ""
    description: str = ""
    status: str
    warnings: WorkgroupWarnings = WorkgroupWarnings()


OPERATOR_WORDS = {  # public word -> what an operator sees (contracts section 2)
    "Available": "Online",
    "InUse": "In use",
    "Unavailable": "Offline",
    "Finished": "Completed",
    "InError": "Error",
}


def operator_word(job: Job) -> str:
    """`Running/Syncing` reads Synchronizing; the rest by the table."""
    if job.status == "Running":
        return "Synchronizing" if job.business_status == "Syncing" else job.business_status or "Running"
    return OPERATOR_WORDS.get(job.status, job.status)


def parse(data: object, kind: type[T]) -> T:
    """Raises `Broken` (`Answer.Invalid`) when the center's answer does not have the documented shape."""
    try:
        return msgspec.convert(data, kind, strict=False)
    except msgspec.ValidationError as e:
        raise Broken(f"the center's answer is not a {kind.__name__}: {e}", code="Answer.Invalid") from e


def _pages(api: Api, action: str, outer: str, inner: str, filters: Json) -> Iterator[object]:
    number = 1
    seen = 0
    while True:
        page = api.call(action, {**filters, "PageNumber": number, "PageSize": PAGE})
        rows = page[outer][inner]
        yield from rows
        seen += len(rows)
        if not rows or seen >= page["TotalCount"]:
            return
        number += 1


def sources(api: Api, **filters: object) -> list[Source]:
    rows = _pages(api, "DescribeSourceServers", "SourceServers", "SourceServer", filters)
    return [parse(row, Source) for row in rows]


def jobs(api: Api, **filters: object) -> list[Job]:
    rows = _pages(api, "DescribeReplicationJobs", "ReplicationJobs", "ReplicationJob", filters)
    return [parse(row, Job) for row in rows]


def tokens(api: Api) -> list[Token]:
    answer = api.call("ListAccessTokens")
    return [parse(row, Token) for row in answer["AccessTokens"]["AccessToken"]]


def workgroups(api: Api, **filters: object) -> list[Workgroup]:
    rows = _pages(api, "DescribeWorkgroups", "Workgroups", "Workgroup", filters)
    return [parse(row, Workgroup) for row in rows]


def tag_rows(api: Api, **filters: object) -> list[Json]:
    """All pages of ListTagResources."""
    rows: list[Json] = []
    token = ""
    while True:
        answer = api.call("ListTagResources", {**filters, "NextToken": token or None})
        rows += answer["TagResources"]["TagResource"]
        token = answer["NextToken"]
        if not token:
            return rows
