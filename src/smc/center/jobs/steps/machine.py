"""The intermediate instance: made once for a job, found again by a later run, kept running."""

import logging

from msgspec import structs

from smc.base.errors import Broken
from smc.base.units import gib_rounded_up
from smc.center.jobs.steps.network import admitted, adopt
from smc.center.jobs.userdata import tools_of, user_data
from smc.center.jobs.values import Machine, Network, lost
from smc.center.jobs.work import Work, tags, token
from smc.center.store.values import Job
from smc.cloud.driver import CloudDisk, DiskSpec, Instance, InstanceSpec, Kind, Power
from smc.model.job import BusinessStatus, run_job
from smc.model.plan import TargetDisk
from smc.model.server import Architecture

NAME = "No_Delete_SMC_Transition_Instance"
SYSTEM_DISK_GIB = 20
LOOKS = 5  # ten seconds with the default pause
PRIVATE = 2  # NetMode

log = logging.getLogger(__name__)


def launch(work: Work, run: str, network: Network, group: str) -> Machine:
    """With a blank disk for each disk of the plan, and a ticket for its receiver; running when this ends."""
    _, now = work.current(run)
    work.store.jobs.reach(
        now, BusinessStatus.PREPARING, note="Starting the intermediate instance", progress=2.0
    )
    port = choose_port(work, run)
    admit(work, run, group, port)
    adopt(work, run)  # this step may have made one and been cut off before it was written down
    instance = work.kept(run, Kind.INSTANCE) or _make(work, run, network, group)
    work.store.jobs.hold_instance(now, instance)
    work.wait_for(run, lambda: running(work, run, instance) or None, f"starting {instance}")
    return Machine(instance=instance, port=port)


def locate_disks(work: Work, run: str, machine: Machine) -> None:
    """The plan learns by which serial number the receiver finds each disk."""
    job, now = work.current(run)
    for disk in work.driver.disks(machine.instance):
        work.record(run, Kind.DISK, disk.id, disk.name)
    disks = tuple(
        structs.replace(planned, serial=disk.serial)
        for planned, disk in zip(job.plan.disks, target_disks(work, job, machine.instance), strict=True)
    )
    work.store.jobs.set_plan(now, structs.replace(job.plan, disks=disks))


def target_disks(work: Work, job: Job, instance: str) -> list[CloudDisk]:
    """The cloud's disks in the order of the plan's."""
    found = {disk.name: disk for disk in work.driver.disks(instance)}
    names = [disk_name(job.id, disk.index) for disk in job.plan.disks]
    missing = [name for name in names if name not in found]
    if missing:
        raise Broken(
            f"The intermediate instance {instance} has lost its disk {', '.join(missing)}.",
            code="TransitionInstance.DiskMissing",
            hint="Delete the job and create it again.",
        )
    return [found[name] for name in names]


def disk_name(job: str, index: int) -> str:
    return f"smc-{job}-{index}"


def target_gib(disk: TargetDisk) -> int:
    return max(1, gib_rounded_up(disk.size))


def running(work: Work, run: str, instance: str, *, told: bool = True) -> bool:
    """Whether it runs; started when it is stopped. Raises `InstanceLost`. `told`: the log says so."""
    seen = look(work, instance)
    if seen is None:
        raise lost(instance)
    if seen.power is Power.STOPPED:
        if told:
            log.warning("run %s: the intermediate instance %s is stopped: starting it", run, instance)
            sentence = f"The intermediate instance {instance} was stopped: starting it."
            work.store.log.add(run_job(run), sentence)
        work.driver.start(instance)
    return seen.power is Power.RUNNING


def look(work: Work, instance: str) -> Instance | None:
    """A cloud's answers may lag behind what was just made: it is asked again before a job is given up."""
    for _ in range(LOOKS):
        seen = work.driver.instance(instance)
        if seen is not None:
            return seen
        work.rest()
    return None


def choose_port(work: Work, run: str) -> int:
    """The port of an earlier run where there was one: the receiver and its rules may live on."""
    job, now = work.current(run)
    with work.choosing_port:
        used = [earlier.port for earlier in work.store.runs.of_job(job.id) if earlier.port]
        port = used[-1] if used else work.driver.receiver_port(work.store.runs.ports_in_use())
        work.store.runs.set_endpoint(now, "", port)
    return port


def _make(work: Work, run: str, network: Network, group: str) -> str:
    job, _ = work.current(run)
    script = invite(work, run)
    spec = InstanceSpec(
        name=NAME,
        zone=network.zone,
        vswitch=network.vswitch,
        security_group=group,
        architecture=able_to_run(job.plan.architecture),
        instance_type=job.request.instance_type,
        system_disk_gib=SYSTEM_DISK_GIB,
        data_disks=tuple(
            DiskSpec(name=disk_name(job.id, disk.index), size_gib=target_gib(disk)) for disk in job.plan.disks
        ),
        public_address=job.request.net_mode != PRIVATE,
        user_data=script,
    )
    instance = work.wait_for(
        run,
        lambda: work.grouped(run).launch(spec, tags(run), token(run, "instance")),
        "making the intermediate instance",
    )
    work.record(run, Kind.INSTANCE, instance, NAME)
    work.store.log.add(job.id, f"Made the intermediate instance {instance}.")
    return instance


def invite(work: Work, run: str) -> str:
    """What a new intermediate system runs at its first boot; its receiver is expected from now on."""
    job, _ = work.current(run)
    ticket = work.tickets.ticket(run)
    work.store.receivers.expect(run_job(run), ticket.reveal(), valid_seconds=work.settings.ticket_seconds)
    return user_data(
        host=work.settings.receiver_host,
        port=work.settings.agent_port,
        fingerprint=work.settings.ca_fingerprint,
        agent_sha256=work.settings.agent_sha256,
        ticket=ticket,
        tools=tools_of(job.plan),
    )


def admit(work: Work, run: str, group: str, port: int) -> None:
    cidr = admitted(work, run)

    def ask() -> bool:
        work.driver.admit(group, port, cidr)
        return True

    work.wait_for(run, ask, f"admitting {cidr} to port {port}")


def able_to_run(architecture: Architecture) -> Architecture:
    """Of the intermediate: programs of the copy run on it; x86_64 runs those of i386 as well."""
    return Architecture.X86_64 if architecture is Architecture.I386 else architecture
