"""What agent and receiver of a run should do now, as messages, with the certificates they need."""

import hashlib

from smc.center.settings import Registry
from smc.center.store.store import Store
from smc.center.store.tags import Tagged
from smc.center.store.values import Job, Receiver, Run, Source
from smc.center.trust.run_ca import AGENT, RECEIVER, Authority, issue
from smc.model.codec import encode
from smc.model.job import JobStatus, RunAim
from smc.model.progress import Phase, Progress
from smc.wire.orders import ContainerTarget, Order, OrdersRequest, Task, TaskKind, TransferSettings

REST = Task(kind=TaskKind.REST)
OURSELVES = Registry()


def order_for(store: Store, source: Source) -> Order | None:
    """None: do nothing."""
    run = store.runs.ordered_for(source.id)
    job = store.jobs.find(run.job) if run else None
    if run is None or job is None or not run.port:
        return None
    certificate = run.agent_certificate
    if not certificate:
        issued = issue(Authority(run.ca, run.ca_key), source.csr, AGENT)
        certificate = store.runs.keep_agent_certificate(run, issued)
    return Order(
        run=run.id,
        host=run.host,
        port=run.port,
        ca=run.ca,
        certificate=certificate,
        plan=job.plan,
        settings=job.request.settings,
        revision=_revision(run, job.request.settings),
        diagnostics=job.request.upload_diagnostic_logs,
        aim=run.aim,
    )


def is_followed(order: Order | None, message: OrdersRequest) -> bool:
    """Whether the agent holds what is wanted; one that says no revision cannot take another order."""
    if order is None or order.run != message.holding:
        return (order.run if order else "") == message.holding
    return message.revision in (None, order.revision)


def _revision(run: Run, settings: TransferSettings) -> str:
    """The same for equal settings and an equal address of the receiver.

    Opaque to the agent, so that an older one need not know all of them.
    """
    return hashlib.sha256(encode((run.host, run.port, settings))).hexdigest()[:16]


def task_for(
    store: Store,
    job: Job | None,
    run: Run | None,
    receiver: Receiver,
    said: Progress,
    registry: Registry = OURSELVES,
) -> Task:
    """What a receiver that reports `said` should do; busy with an older run it first drops that."""
    if job is None or run is None or job.status is not JobStatus.RUNNING or run.ended is not None:
        return REST
    if said.run not in ("", run.id) and said.phase is not Phase.IDLE:
        return REST
    if run.receiver_task is TaskKind.REST or not run.port:
        return REST
    certificate = run.receiver_certificate
    if not certificate:
        issued = issue(Authority(run.ca, run.ca_key), receiver.csr, RECEIVER)
        certificate = store.runs.keep_receiver_certificate(run, issued)
    return Task(
        kind=run.receiver_task,
        run=run.id,
        plan=job.plan,
        port=run.port,
        ca=run.ca,
        certificate=certificate,
        container=_container(store, job, registry) if run.receiver_task is TaskKind.CONTAIN else None,
        earlier=run.aim is RunAim.RELEASE,
        image_check=job.request.image_check,
        fresh=run.aim is RunAim.DRILL,
    )


def _container(store: Store, job: Job, registry: Registry) -> ContainerTarget:
    asked = job.request
    own = {tag.key: tag.value for tag in store.tags.of(Tagged.JOB, [job.id])[job.id]}
    return ContainerTarget(
        repository="/".join(part for part in (asked.container_namespace, asked.container_repository) if part),
        tag=asked.container_tag,
        url=registry.url,
        ca=registry.ca,
        user=registry.user,
        password=registry.password.reveal(),
        labels={**own, "smc.job": job.id, "smc.source": job.source_id},
    )
