"""CreateReplicationJob: a request that can work becomes a job with a plan; any other is refused here."""

import msgspec

from smc.base.errors import UserError
from smc.center.api import layout
from smc.center.api.asked.checks import checked
from smc.center.api.asked.draft import Asking, Draft, plan_of
from smc.center.api.asked.times import AT_ONCE, DAY, VALID_DAYS
from smc.center.api.context import Context
from smc.center.api.job_parameters import CreateReplicationJob
from smc.center.api.presets import filled
from smc.center.api.sources import offline_sentence
from smc.center.api.start_job import start
from smc.center.api.words import invalid, request_hash, unsupported
from smc.center.store.jobs import NewJob
from smc.center.store.sources import state_of
from smc.center.store.values import JobRequest, Source
from smc.center.store.workgroups import require_image
from smc.model import windows
from smc.model.job import JobStatus, SourceState
from smc.model.server import runs_windows
from smc.rpc.dispatch import Caller, Reply


def create_job(context: Context, request: CreateReplicationJob, _caller: Caller) -> Reply:
    token_hash = _hash(request)
    job_id = context.store.jobs.made_before(request.client_token, token_hash)
    if not job_id:
        job_id = context.store.jobs.create(_new_job(context, filled(context, request), token_hash))
        context.store.log.add(job_id, "The job was created.")
    job = context.job(job_id)
    wants_start = job.request.execution_method in {method.value for method in AT_ONCE}
    if wants_start and job.status is JobStatus.READY and job.run_number == 0:
        start(context, job_id)
    return {"JobId": job_id, **layout.beside_the_plan(job.plan)}


def _new_job(context: Context, request: CreateReplicationJob, token_hash: str) -> NewJob:
    context.check_region(request.region_id)
    _refuse_other_kinds(request)
    source = context.source(request.source_id)
    now = context.clock.now()
    first = Draft(
        created=now,
        valid_until=now + VALID_DAYS * DAY,
        request=JobRequest(run_once=request.run_once is not False),
    )
    draft = checked(Asking(context=context, source=source, sent=request, is_new=True), first)
    require_available(source, now)
    require_image(source.id, source.workgroup, draft.request)
    plan = plan_of(source, draft)
    if runs_windows(source.server):  # when all else is right: what else is wrong has its own code
        raise windows.refuse(source.server)
    return NewJob(
        name=draft.name,
        description=draft.description,
        region_id=request.region_id,
        source_id=source.id,
        request=draft.request,
        plan=plan,
        valid_until=draft.valid_until,
        resource_group=request.resource_group_id,
        tags=draft.tags or (),
        client_token=request.client_token,
        token_hash=token_hash,
    )


def require_available(source: Source, now: float) -> None:
    """Raises `UserError` (`SourceServerState.Invalid`), with the reason."""
    state = state_of(source, now)
    if state is SourceState.AVAILABLE:
        return
    why, cure = "", "Wait until it is Available."
    if state is SourceState.UNAVAILABLE:
        why = f" ({offline_sentence(source)})"
        cure = "See that the server runs and its agent reaches this center, then try again."
    elif state is SourceState.IN_USE:
        why = f" (it has the unfinished job {source.job})"
        cure = f"Finish or delete {source.job} first."
    raise UserError(
        f"The migration source {source.id} is in the status: {state.value}{why}. "
        "This is only allowed in the following status: Available",
        code="SourceServerState.Invalid",
        hint=cure,
    )


def _refuse_other_kinds(request: CreateReplicationJob) -> None:
    if request.job_type not in (0, 1, 2, 3):
        raise invalid("JobType", "JobType must be 0.")
    if request.job_type != 0:
        raise unsupported(
            "JobType", "servers (0) are moved; CreateCrossZoneMigrationJob makes jobs of type 2."
        )


def _hash(request: CreateReplicationJob) -> str:
    return request_hash(msgspec.structs.replace(request, client_token=""))
