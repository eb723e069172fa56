"""Where an image is tried: a network and a group of its own; this center alone comes in, nothing goes out."""

import hashlib

from smc.base.errors import Transient, UserError
from smc.center.instances import architecture_of
from smc.center.jobs.work import Work
from smc.center.store.resources import INSTANCE, VERIFICATION
from smc.center.store.verifications import Verification, VerificationState
from smc.center.verification.probe import free_port
from smc.cloud.driver import TAG_FORWARD, TAG_JOB, TAG_PURPOSE, TAG_RUN, Driver, InstanceSpec, Kind

VPC_CIDR, VSWITCH_CIDR = "172.30.0.0/16", "172.30.0.0/24"  # beside 172.31, which kept instances get
NAME = "smc-verify"
MOST = 10_000  # verifications of one job


def choose_ports(work: Work, one: Verification) -> dict[str, int]:
    """Port -> port of this machine, where the instances of the cloud have no address of their own."""
    if not work.settings.shared_address:
        return {}
    return {str(port): free_port() for port in one.wish.ports}


def make_network(work: Work, one: Verification) -> dict[str, str]:
    """VPC, vSwitch and zone; those that were wished are the operator's and stay."""
    if one.wish.vswitch:
        return {"vpc": work.driver.vpc_of(one.wish.vswitch), "vswitch": one.wish.vswitch, "zone": ""}
    zones = work.driver.zones()
    if not zones:
        raise UserError(
            "The region has no zone where an instance can be had.",
            code="OperationDenied.NoStock",
            hint="Choose a vSwitch.",
        )
    vpc = kept(work, one, Kind.VPC) or grouped(work, one).create_vpc(
        _name(one), VPC_CIDR, tags(one), token(one, "vpc")
    )
    if not work.driver.vpc_ready(vpc):
        raise Transient(f"The VPC {vpc} is not ready.")
    vswitch = kept(work, one, Kind.VSWITCH) or work.driver.create_vswitch(
        vpc, zones[0], _name(one), VSWITCH_CIDR, tags(one), token(one, "vswitch")
    )
    if not work.driver.vswitch_ready(vswitch):
        raise Transient(f"The vSwitch {vswitch} is not ready.")
    return {"vpc": vpc, "vswitch": vswitch, "zone": zones[0]}


def grouped(work: Work, one: Verification) -> Driver:
    """What is made through it is in the resource group of the job."""
    job = work.store.jobs.find(one.job)
    return work.driver.grouped(job.resource_group if job else "")


def make_group(work: Work, one: Verification, network: dict[str, str]) -> str:
    """Closed before anything starts in it."""
    group = kept(work, one, Kind.SECURITY_GROUP) or grouped(work, one).create_security_group(
        network["vpc"], _name(one), tags(one), token(one, "group")
    )
    cidr = work.settings.center_cidr
    if not cidr:
        raise UserError(
            "It is not known from which address this center reaches instances.",
            code="Verification.NoCenterAddress",
            hint="Start the center with --verify-from CIDR: its address as the cloud sees it.",
        )
    for port in one.wish.ports:
        work.driver.admit(group, port, cidr)
    work.driver.alterations.isolate_group(group)
    return group


def launch(
    work: Work, one: Verification, network: dict[str, str], group: str, host_ports: dict[str, int]
) -> str:
    forwards = {f"{TAG_FORWARD}{port}": str(host_port) for port, host_port in host_ports.items()}
    spec = InstanceSpec(
        name=_name(one),
        zone=network["zone"],
        vswitch=network["vswitch"],
        security_group=group,
        architecture=architecture_of(work.driver, one.image),
        image=one.image,
        instance_type=one.wish.instance_type,
        system_disk_gib=0,
    )
    instance = kept(work, one, Kind.INSTANCE) or grouped(work, one).launch(
        spec, tags(one) | forwards, token(one, "instance")
    )
    work.store.verifications.hold_instance(one.id, instance)
    return instance


def leave(work: Work, one: Verification) -> None:
    """Release everything, found by its tags; or hand the instance over to those who wished to keep it.

    Raises `Transient` while something cannot go yet.
    """
    found = work.driver.find(tags(one))
    instance = kept(work, one, Kind.INSTANCE)
    if not one.wish.keep or not instance:
        for resource in found:
            work.driver.delete(resource.kind, resource.id)
        if found:
            raise Transient(f"{', '.join(resource.id for resource in found)} is being released.")
        return
    for resource in found:
        if resource.kind is not Kind.DISK:
            is_instance = resource.kind is Kind.INSTANCE
            work.store.resources.record(
                resource.kind,
                resource.id,
                name=resource.name,
                job=one.job,
                run=0,
                purpose=INSTANCE,
                parent=one.image if is_instance else instance,
            )


def kept(work: Work, one: Verification, kind: Kind) -> str:
    """What an earlier attempt made of this kind."""
    return next((found.id for found in work.driver.find(tags(one)) if found.kind is kind), "")


def needed(work: Work, job: str) -> set[str]:
    """What belongs to a verification of the job that goes on, or to an instance that one has kept."""
    _, known = work.store.verifications.page(jobs=[job], limit=MOST)
    alive = [one for one in known if one.wish.keep or one.state is VerificationState.RUNNING]
    return {resource.id for one in alive for resource in work.driver.find(tags(one))}


def tags(one: Verification) -> dict[str, str]:
    return {TAG_JOB: one.job, TAG_PURPOSE: VERIFICATION, TAG_RUN: one.id}


def token(one: Verification, purpose: str) -> str:
    return hashlib.sha256(f"{one.id}/{one.attempt}/{purpose}".encode()).hexdigest()


def _name(one: Verification) -> str:
    return f"{NAME}-{one.id}"
