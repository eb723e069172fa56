"""The network of the intermediate instance: the one that was given, or one made for the job."""

import ipaddress

from smc.base.errors import UserError
from smc.center.jobs.values import Network
from smc.center.jobs.work import Work, tags, token
from smc.center.store.resources import TEMPORARY
from smc.cloud.driver import TAG_JOB, TAG_PURPOSE, Kind
from smc.model.job import BusinessStatus

CIDR = "192.168.0.0/16"
VSWITCH_CIDR = "192.168.0.0/24"


def adopt(work: Work, run: str) -> None:
    """Record what an earlier run made and could not write down before the center died."""
    job, _ = work.current(run)
    for found in work.driver.find({TAG_JOB: job.id, TAG_PURPOSE: TEMPORARY}):
        if found.kind is not Kind.DISK:  # the disks are the instance's
            work.record(run, found.kind, found.id, found.name)


def make_network(work: Work, run: str) -> Network:
    job, now = work.current(run)
    work.store.jobs.reach(now, BusinessStatus.PREPARING, note="Preparing the network", progress=1.0)
    given = job.request.vswitch_id
    if given:
        return Network(vpc=work.driver.vpc_of(given), vswitch=given, zone="")
    vpc = work.kept(run, Kind.VPC) or _make_vpc(work, run)
    work.wait_for(run, lambda: work.driver.vpc_ready(vpc) or None, f"the VPC {vpc}")
    zones = work.driver.zones()
    if not zones:
        raise UserError(
            "The region has no zone where an intermediate instance can be had.",
            code="OperationDenied.NoStock",
            hint="Choose a vSwitch or another region.",
        )
    zone = zones[0]
    vswitch = work.kept(run, Kind.VSWITCH) or _make_vswitch(work, run, vpc, zone)
    work.wait_for(run, lambda: work.driver.vswitch_ready(vswitch) or None, f"the vSwitch {vswitch}")
    return Network(vpc=vpc, vswitch=vswitch, zone=zone)


def make_group(work: Work, run: str, network: Network) -> str:
    """A security group without rules: what may come in is said when the port is known."""
    name = f"smc-{work.current(run)[0].id}"
    group = work.kept(run, Kind.SECURITY_GROUP)
    if not group:
        group = work.wait_for(
            run,
            lambda: work.grouped(run).create_security_group(
                network.vpc, name, tags(run), token(run, "group")
            ),
            "making the security group",
        )
        work.record(run, Kind.SECURITY_GROUP, group, name)
    return group


def admitted(work: Work, run: str) -> str:
    """Who may reach the receiver: the source as the center sees it, or what the setting says."""
    if work.settings.admit:
        return work.settings.admit
    source = work.store.sources.find(work.current(run)[0].source_id)
    try:
        address = ipaddress.ip_address(source.address if source else "")
    except ValueError as e:
        raise UserError(
            "The address of the migration source is not known.",
            code="SourceServer.Offline",
            hint="Start the agent on the source, then start the job again.",
        ) from e
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return f"{address}/{address.max_prefixlen}"


def _make_vpc(work: Work, run: str) -> str:
    name = f"smc-{work.current(run)[0].id}"
    vpc = work.wait_for(
        run,
        lambda: work.grouped(run).create_vpc(name, CIDR, tags(run), token(run, "vpc")),
        "making the VPC",
    )
    work.record(run, Kind.VPC, vpc, name)
    return vpc


def _make_vswitch(work: Work, run: str, vpc: str, zone: str) -> str:
    name = f"smc-{work.current(run)[0].id}"
    vswitch = work.wait_for(
        run,
        lambda: work.driver.create_vswitch(vpc, zone, name, VSWITCH_CIDR, tags(run), token(run, "vswitch")),
        "making the vSwitch",
    )
    work.record(run, Kind.VSWITCH, vswitch, name)
    return vswitch
