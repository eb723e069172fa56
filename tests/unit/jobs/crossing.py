"""An instance of the memory cloud that a job moves into another zone, and what must be so of it."""

from typing import Any

from tests.unit.center.targets import network, target
from tests.unit.jobs.center import Center, until
from tests.unit.jobs.onto_instance import Before, look, remember

from smc.center.store.jobs import NewJob
from smc.center.store.values import JobRequest
from smc.center.target.crossing import Wanted, examine_crossing
from smc.cloud.driver import TAG_JOB, TAG_PURPOSE, DiskKind, Instance, Kind, Power
from smc.cloud.memory import MemoryCloud
from smc.cloud.memory_catalogue import ZONES

HOME, THERE = ZONES
TYPE = "mem.large"  # in stock in both zones
SAME = ("name", "vpc", "security_groups", "instance_type", "host_name", "bandwidth_mbit")


def vswitch_there(cloud: MemoryCloud) -> str:
    vpc, _ = network(cloud)
    vswitch = cloud.create_vswitch(vpc, THERE, "there", "10.7.2.0/24", {}, "there")
    until(lambda: cloud.vswitch_ready(vswitch))
    return vswitch


def traveller(cloud: MemoryCloud, **changes: Any) -> str:  # Any: fields of its InstanceSpec
    """Running in the first zone, with two data disks; everything but the job's own is made by now."""
    vswitch_there(cloud)
    changes = {"instance_type": TYPE, "host_name": "shop", **changes}
    return target(cloud, 4, 8, **changes)


def crossing(center: Center, instance: str = "", **wishes: Any) -> tuple[str, Before]:
    """A job, not yet started; `wishes` are fields of `Wanted`."""
    cloud = center.cloud
    before = remember(cloud, instance or traveller(cloud))
    wanted = Wanted(instance=before.seen.id, zone=THERE, vswitch=vswitch_there(cloud), **wishes)
    possible = examine_crossing(cloud, wanted, {})
    job = center.store.jobs.create(
        NewJob(
            name="",
            description="",
            region_id="local",
            moved_instance=before.seen.id,
            request=JobRequest(
                job_type=2,
                target_type="TargetInstance",
                instance_id=before.seen.id,
                zone_id=THERE,
                vswitch_id=wanted.vswitch,
                vpc_id=possible.vpc,
                instance_type=possible.instance_type,
                disk_kinds=dict(wanted.disks),
            ),
            plan=possible.plan,
            valid_until=center.store.clock.now() + 86400,
        )
    )
    return job, before


def moved(cloud: MemoryCloud, before: Before) -> Instance:
    """The one in the other zone, where there is exactly one."""
    (found,) = [one for one in cloud.instances() if one.id != before.seen.id]
    return found


def has_moved(cloud: MemoryCloud, job: str, before: Before, kind: DiskKind | None = None) -> None:
    """Its like runs there with the same disks; the old one is left, stopped; nothing else is."""
    new, old = moved(cloud, before), look(cloud, before.seen.id)
    assert (new.zone, new.power) == (THERE, before.seen.power)
    assert (old.zone, old.power) == (HOME, Power.STOPPED)
    for what in SAME:
        assert getattr(new, what) == getattr(before.seen, what), what
    assert bool(new.public_address) is bool(before.seen.public_address)
    assert before.seen.tags.items() <= new.tags.items()
    assert new.tags[TAG_PURPOSE] == "moved"
    assert cloud.user_data(new.id) == ""
    assert cloud.disks(old.id) == list(before.disks)
    disks = cloud.disks(new.id)
    assert [(disk.name, disk.size_gib, disk.stays) for disk in disks] == [
        (disk.name, disk.size_gib, disk.stays) for disk in before.disks
    ]
    assert [disk.kind for disk in disks] == [kind or disk.kind for disk in before.disks]
    assert tuple(cloud.content(disk.id) for disk in disks) == before.contents
    left = {one.id for one in cloud.left} - before.things
    assert left == {new.id, *(disk.id for disk in disks)}, "something is left"
    assert cloud.tags(new.id)[TAG_JOB] == job


def is_at_home(cloud: MemoryCloud, before: Before) -> None:
    seen = look(cloud, before.seen.id)
    assert seen == before.seen
    assert cloud.disks(seen.id) == list(before.disks)
    assert tuple(cloud.content(disk.id) for disk in before.disks) == before.contents
    assert {one.id for one in cloud.left} == before.things, "something is left"


MADE = {Kind.INSTANCE: 2, Kind.DISK: 6, Kind.SNAPSHOT: 3, Kind.IMAGE: 1}
