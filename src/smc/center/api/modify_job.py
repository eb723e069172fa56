"""ModifyReplicationJobAttribute: what an operator changes of a job, some of it while the job runs."""

from smc.base.errors import Transient, UserError
from smc.center.api import replication_parameters
from smc.center.api.asked.checks import checked, checked_without_source
from smc.center.api.asked.draft import Asking, Draft, Sent, draft_of, plan_of
from smc.center.api.context import Context
from smc.center.api.cross_zone import require_server_job
from smc.center.api.excludes import excluding
from smc.center.api.job_parameters import PARAMETERS, ModifyReplicationJobAttribute, sent
from smc.center.api.presets import filled, require_image
from smc.center.store import workgroups
from smc.center.store.job_changes import Change
from smc.center.store.values import Job
from smc.model.plan import Plan
from smc.rpc.dispatch import Caller, Reply
from smc.rpc.params import api_name

OF_ANY_JOB = {"name", "description", "valid_time", "scheduled_start_time", "execution_method", "tag"}
TRIES = 5  # another change of the same job may come in between


def modify_job(context: Context, request: ModifyReplicationJobAttribute, _caller: Caller) -> Reply:
    request = filled(context, request)
    fields = sent(request)
    if not fields:
        raise UserError(
            "Nothing is to be changed.",
            code="MissingParameter.ReplicationParameters",
            hint="Give what is to change: any parameter of CreateReplicationJob but RegionId, SourceId, "
            "RunOnce, JobType and ResourceGroupId.",
        )
    for _ in range(TRIES):
        job = context.job(request.job_id)
        if job.moved_instance and not OF_ANY_JOB.issuperset(fields):
            require_server_job(job.moved_instance, api_name(min(set(fields) - OF_ANY_JOB)))
        if request.template_id:
            require_image(job.request.target_type)
        after = _changed(context, job, request)
        when = frozenset(PARAMETERS[field].changes for field in fields)
        if context.store.changes.apply(job, _change(context, job, after), when):
            for line in _told(request, fields):
                context.store.log.add(job.id, line)
            return {}
    raise Transient("The job is being changed by somebody else.", hint="Try again.")


def _changed(context: Context, job: Job, request: ModifyReplicationJobAttribute) -> Draft:
    if job.moved_instance:
        sent = Sent(context=context, sent=request, is_new=False)
        return checked_without_source(sent, draft_of(job))
    source = context.source(job.source_id)
    asking = Asking(context=context, source=source, sent=request, is_new=False)
    draft = checked(asking, draft_of(job))
    workgroups.require_image(source.id, source.workgroup, draft.request)
    return draft


def _change(context: Context, job: Job, after: Draft) -> Change:
    return Change(
        name=after.name,
        description=after.description,
        valid_until=after.valid_until,
        request=after.request,
        tags=after.tags,
        plan=_plan(context, job, after),
    )


def _plan(context: Context, job: Job, after: Draft) -> Plan | None:
    """Made anew before the first run; between rounds the disks are there, and only the excludes change."""
    before = draft_of(job)
    if _laid_out(after) != _laid_out(before):
        return plan_of(context.source(job.source_id), after)
    return None if after.excludes == before.excludes else excluding(job.plan, after.excludes)


def _laid_out(draft: Draft) -> tuple[object, ...]:
    """All that a plan is made of beside what is excluded."""
    return draft.sizes_gib, draft.request.parts, draft.request.lvm, draft.ip_mode


def _told(request: ModifyReplicationJobAttribute, fields: list[str]) -> list[str]:
    """Sentences for the log of the job."""
    lines = []
    for field in fields:
        match field:
            case "replication_parameters":
                settings = replication_parameters.read(request.replication_parameters)
                lines.append(f"Transfer settings: {replication_parameters.told(settings)}.")
            case "excludes":
                lines.append("What the job leaves behind was changed.")
            case "name":
                lines.append(f"The job is named {request.name} now.")
            case "image_name":
                lines.append(f"The image will be named {request.image_name}.")
            case "valid_time":
                lines.append(f"The job is valid until {request.valid_time}.")
            case _:
                lines.append(f"{api_name(field)} was changed.")
    return lines
