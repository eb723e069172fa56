"""A job that moves a source onto an instance of the memory cloud, and what must be so of that instance."""

from dataclasses import dataclass

from tests.unit.center.targets import target
from tests.unit.jobs.center import Center

from smc.cloud.driver import CloudDisk, Instance, Kind
from smc.cloud.memory import MemoryCloud

STAYS = ("id", "mac", "public_address", "security_groups", "vpc", "vswitch", "instance_type", "tags")


@dataclass(frozen=True)
class Before:
    """The instance as it was."""

    seen: Instance
    disks: tuple[CloudDisk, ...]
    contents: tuple[str, ...]
    things: frozenset[str]  # all that was in the cloud
    user_data: str


def remember(cloud: MemoryCloud, instance: str) -> Before:
    disks = tuple(cloud.disks(instance))
    return Before(
        seen=look(cloud, instance),
        disks=disks,
        contents=tuple(cloud.content(disk.id) for disk in disks),
        things=frozenset(resource.id for resource in cloud.left),
        user_data=cloud.user_data(instance),
    )


def onto(center: Center, *, name: str = "shop", source: str = "", **request: object) -> tuple[str, Before]:
    """A job for a new target that has two data disks, of which the first is taken."""
    instance = target(center.cloud, 4, 8, name=name)
    disks = center.cloud.disks(instance)
    job = center.new_job(
        *((source,) if source else ()),
        target_type="TargetInstance",
        instance_id=instance,
        target_disks={1: disks[1].id},
        **request,
    )
    return job, remember(center.cloud, instance)


def look(cloud: MemoryCloud, instance: str) -> Instance:
    seen = cloud.instance(instance)
    assert seen
    return seen


def is_the_source_now(cloud: MemoryCloud, before: Before) -> None:
    """And has the same place in the cloud; nothing of the job is left."""
    seen, disks = look(cloud, before.seen.id), cloud.disks(before.seen.id)
    for what in STAYS:
        assert getattr(seen, what) == getattr(before.seen, what), what
    assert disks[0].id != before.disks[0].id
    assert tuple(disks[1:]) == before.disks[1:]
    contents = [cloud.content(disk.id) for disk in disks]
    assert contents == ["copy of disk 0", "copy of disk 1", before.contents[2]]
    assert seen.power.value == "Running"
    assert cloud.user_data(seen.id) == ""
    assert nothing_new(cloud, before) == [], "something is left"


def is_as_it_was(cloud: MemoryCloud, before: Before) -> None:
    seen, disks = look(cloud, before.seen.id), cloud.disks(before.seen.id)
    for what in (*STAYS, "private_address"):
        assert getattr(seen, what) == getattr(before.seen, what), what
    assert tuple(disks[1:]) == before.disks[1:]
    assert tuple(cloud.content(disk.id) for disk in disks) == before.contents
    assert cloud.user_data(seen.id) == before.user_data
    assert nothing_new(cloud, before) == [], "something is left"


def nothing_new(cloud: MemoryCloud, before: Before) -> list[str]:
    """What is there that was not, but for the system disk."""
    system = cloud.disks(before.seen.id)[0].id
    return [one.id for one in cloud.left if one.id not in before.things and one.id != system]


def snapshots(cloud: MemoryCloud) -> int:
    return cloud.made[Kind.SNAPSHOT]
