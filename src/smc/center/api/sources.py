"""Migration sources: DescribeSourceServers, ModifySourceServerAttribute, DeleteSourceServer."""

from collections.abc import Sequence

from smc.base.errors import UserError
from smc.center.api import layout, tag_rules
from smc.center.api.context import Context
from smc.center.api.words import (
    PageNumber,
    PageSize,
    ResourceGroup,
    TagPair,
    Text,
    check_free_text,
    check_ids,
    check_name,
    offset,
    page,
    tags_shown,
    written,
)
from smc.center.store.job_filter import JobFilter
from smc.center.store.sources import SourceFilter, state_of
from smc.center.store.tags import Tagged
from smc.center.store.values import Source, Tag
from smc.model.codec import encode
from smc.model.job import JobStatus, SourceState
from smc.model.server import Server, platform
from smc.rpc.dispatch import Actions, Caller, Reply, action
from smc.rpc.params import Request
from smc.wire.orders import HEARTBEAT_SECONDS

SERVER = "0"  # the JobType of every job here: servers are moved
OFFLINE = "SourceServer.Offline"
LARGEST_SYSTEM_INFO = 1024


class DescribeSourceServers(Request, frozen=True, kw_only=True):
    source_id: tuple[str, ...] = ()
    job_id: str = ""
    name: str = ""
    state: SourceState | None = None
    workgroup_id: str = ""
    resource_group_id: str = ""
    related_job_type: tuple[str, ...] = ()
    tag: tuple[TagPair, ...] = ()
    page_number: PageNumber = 1
    page_size: PageSize = 10


class ModifySourceServerAttribute(Request, frozen=True, kw_only=True):
    source_id: str
    name: str | None = None
    description: Text | None = None
    resource_group_id: ResourceGroup | None = None


class DeleteSourceServer(Request, frozen=True, kw_only=True):
    source_id: str
    force: bool = False


class SourceActions:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def actions(self) -> Actions:
        return {
            "DescribeSourceServers": action(DescribeSourceServers, self._describe),
            "ModifySourceServerAttribute": action(ModifySourceServerAttribute, self._modify),
            "DeleteSourceServer": action(DeleteSourceServer, self._delete),
        }

    def _describe(self, request: DescribeSourceServers, _caller: Caller) -> Reply:
        wanted = SourceFilter(
            ids=check_ids(request.source_id, "SourceId"),
            name=request.name,
            job=request.job_id,
            state=request.state,
            workgroup=request.workgroup_id,
            resource_group=request.resource_group_id,
            tags=tag_rules.wanted(request.tag),
            with_jobs=SERVER in request.related_job_type,
        )
        start = offset(request.page_number, request.page_size)
        total, found = self._store.sources.page(wanted, offset=start, limit=request.page_size)
        if request.related_job_type and SERVER not in request.related_job_type:
            total, found = 0, []
        now = self._context.clock.now()
        tags = self._store.tags.of(Tagged.SOURCE, [source.id for source in found])
        return {
            **page(request.page_number, request.page_size, total),
            "SourceServers": {"SourceServer": [_described(source, now, tags[source.id]) for source in found]},
        }

    def _modify(self, request: ModifySourceServerAttribute, _caller: Caller) -> Reply:
        source = self._context.source(request.source_id)
        if request.name is not None:
            check_name(request.name, "Name")
        if request.description is not None:
            check_free_text(request.description, "Description")
        self._store.sources.describe(
            source.id,
            name=request.name,
            description=request.description,
            resource_group=request.resource_group_id,
        )
        return {}

    def _delete(self, request: DeleteSourceServer, _caller: Caller) -> Reply:
        """With Force its jobs are deleted first, which takes a while; the source goes with the last one."""
        source = self._context.source(request.source_id)
        _, jobs = self._store.jobs.page(JobFilter(source_ids=(source.id,)), offset=0, limit=1000)
        names = ", ".join(job.id for job in jobs)
        if any(job.status is JobStatus.RUNNING for job in jobs):
            raise UserError(
                f"The migration source {source.id} has a running replication job ({names}).",
                code="SourceServer.WithRunningReplicationJob",
                hint="Stop the job first, or wait until it ends.",
            )
        if jobs and not request.force:
            raise UserError(
                f"The migration source {source.id} has replication jobs: {names}.",
                code="ReplicationJob.Related",
                hint="Delete the jobs first, or set Force to delete them with the source.",
            )
        for job in jobs:
            self._store.jobs.begin_deleting(job.id)
        self._store.sources.mark_deleting(source.id)
        for job in jobs:
            self._context.jobs.delete(job.id)
        self._store.sources.remove(source.id)
        return {}


def offline_sentence(source: Source) -> str:
    return f"{source.name} has not been heard of since {written(source.last_beat)}."


def _described(source: Source, now: float, tags: Sequence[Tag]) -> dict[str, object]:
    state = state_of(source, now)
    offline = state is SourceState.UNAVAILABLE
    server = source.server
    info = {"error_code": OFFLINE, "error_msg": offline_sentence(source)}
    return {
        "SourceId": source.id,
        "Name": source.name,
        "Description": source.description,
        "State": state.value,
        "ErrorCode": OFFLINE if offline else "",
        "StatusInfo": encode(info).decode() if offline else "",
        "Platform": platform(server),
        "Architecture": server.architecture.value,
        "KernelLevel": 1,  # the only value seen; its meaning is not published
        "AgentVersion": server.agent_version,
        "HeartbeatRate": HEARTBEAT_SECONDS,
        "ReplicationDriver": "SMT",
        "SystemInfo": system_info(source),
        "SystemDiskSize": layout.system_disk_gib(server),
        "SystemDiskParts": {"SystemDiskPart": layout.system_disk_parts(server)},
        "DataDisks": {"DataDisk": layout.data_disks(server)},
        "Disks": layout.disks(server),
        "JobId": source.job,
        "WorkgroupId": source.workgroup,
        "ResourceGroupId": source.resource_group,
        "CreationTime": written(source.created),
        "Tags": tags_shown(tags),
    }


def system_info(source: Source) -> str:
    """A JSON text of at most 1 KB whose values are texts; addresses are cut first when it is longer."""
    server = source.server
    ipv4, ipv6 = _addresses(server)
    while True:
        info = {
            "agent_mode": "daemon",
            "agent_type": "smc-agent",
            "client_type": f"{server.os.id} {server.os.version_id}".strip(),
            "hostname": server.hostname,
            "ipv4": ",".join(ipv4),
            "ipv6": ",".join(ipv6),
            "cores": str(server.cores),
            "cpu_info": server.cpu_model[:128],
            "cpu_usage": f"{source.cpu_usage:.2f}",
            "memory": f"{server.memory / (1 << 30):.2f}",
            "memory_usage": f"{source.memory_usage:.2f}",
        }
        text = encode(info).decode()
        if len(text) <= LARGEST_SYSTEM_INFO or not (ipv4 or ipv6):
            return text
        (ipv6 or ipv4).pop()


def _addresses(server: Server) -> tuple[list[str], list[str]]:
    plain = [address.split("/")[0] for nic in server.nics for address in nic.addresses]
    return [text for text in plain if ":" not in text], [text for text in plain if ":" in text]
