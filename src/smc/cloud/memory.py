"""A cloud in memory that keeps the Driver contract: states, tokens, dependencies, a count of what was made.

It ships so that any part of the center can be tried without a cloud. With a `file` it survives the process.
"""

import copy
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from smc.base.errors import Transient, UserError
from smc.cloud.driver import (
    TAG_IMAGE,
    CloudDisk,
    Image,
    ImageSpec,
    ImageState,
    Instance,
    InstanceSpec,
    Kind,
    Power,
    Resource,
    Snapshot,
    Tags,
)
from smc.cloud.memory_alterations import MemoryAlterations
from smc.cloud.memory_catalogue import ZONES, MemoryCatalogue, intermediate
from smc.cloud.memory_desk import Desk
from smc.cloud.memory_desk import no_hook as no_hook
from smc.cloud.memory_exports import MemoryExports
from smc.cloud.memory_views import image_of, instance_of, public_image, snapshot_of
from smc.cloud.memory_world import AVAILABLE, GONE, Thing

PORT = 8703
CREATED = "2026-01-01T00:00:00Z"
ORDER = (  # in which things can be deleted
    Kind.INSTANCE,
    Kind.DISK,
    Kind.IMAGE,
    Kind.SNAPSHOT,
    Kind.SECURITY_GROUP,
    Kind.VSWITCH,
    Kind.VPC,
)


class MemoryCloud:
    """`Driver` without a cloud; safe to use from several threads.

    States pass one step whenever something is asked about (`patient=True`: only in `tick()`).
    `hook(when, call)` runs with "before" and "after" around every call: a test raises, waits or kills there.
    """

    def __init__(
        self, file: Path | None = None, *, patient: bool = False, hook: Callable[[str, str], None] = no_hook
    ) -> None:
        self._desk = Desk(file, patient=patient, hook=hook)
        self.catalogue = MemoryCatalogue(self._desk)
        self.alterations = MemoryAlterations(self._desk)
        self.exports = MemoryExports(self._desk)
        self._group = ""

    # What a test asks and does

    @property
    def hook(self) -> Callable[[str, str], None]:
        return self._desk.hook

    @hook.setter
    def hook(self, hook: Callable[[str, str], None]) -> None:
        self._desk.hook = hook

    @property
    def made(self) -> Counter[Kind]:
        """How many of each kind were ever made."""
        with self._desk.lock:
            return Counter({Kind(kind): count for kind, count in self._desk.world.made.items()})

    @property
    def left(self) -> list[Resource]:
        """What exists now."""
        return self._tagged({})

    def state(self, resource: str) -> str:
        """As it is, without letting it pass on; "" when it is gone."""
        with self._desk.lock:
            thing = self._desk.world.things.get(resource)
            return thing.state if thing else ""

    def user_data(self, instance: str) -> str:
        return self._desk.world.things[instance].user_data

    def launched_as(self, instance: str) -> InstanceSpec:
        """What was asked for."""
        spec = self._desk.world.things[instance].spec
        assert spec is not None, f"{instance} is no instance"
        return spec

    def content(self, disk: str) -> str:
        """What is on it: "" blank, an image, or what was written."""
        return self._desk.world.things[disk].content

    def system(self, instance: str) -> str:
        """What is on its system disk."""
        with self._desk.lock:
            disks = self._desk.world.disks_of(instance)
            return disks[0].content if disks else ""

    def write(self, disk: str, content: str) -> None:
        """Somebody writes to the disk."""
        with self._desk.lock:
            self._desk.world.things[disk].content = content
            self._desk.save()

    def take_automatically(self, disk: str) -> str:
        """A policy of the cloud takes a snapshot."""
        with self._desk.lock:
            of = self._desk.world.things[disk]
            thing = Thing(kind=Kind.SNAPSHOT, name="auto", tags={}, parent=disk, automatic=True)
            thing.size_gib, thing.content = of.size_gib, of.content
            made = self._desk.world.add(thing)
            self._desk.save()
            return made

    def admitted(self, group: str) -> list[str]:
        return list(self._desk.world.things[group].admitted)

    def isolated(self, group: str) -> bool:
        return self._desk.world.things[group].isolated

    def tags(self, resource: str) -> dict[str, str]:
        return dict(self._desk.world.things[resource].tags)

    def tick(self) -> None:
        """Everything passes to its next state."""
        with self._desk.lock:
            for thing in list(self._desk.world.things.values()):
                self._desk.world.step(thing)
            self._desk.save()

    def power_off(self, instance: str) -> None:
        """Somebody stops the instance from outside."""
        with self._desk.lock:
            thing = self._desk.world.things[instance]
            thing.state, thing.coming = Power.STOPPED.value, []
            self._desk.save()

    def vanish(self, instance: str) -> None:
        """Somebody releases the instance, and its disks with it, from outside."""
        with self._desk.lock:
            self._desk.world.bury(self._desk.world.things[instance])
            self._desk.save()

    # The contract

    def grouped(self, resource_group: str) -> "MemoryCloud":
        other = copy.copy(self)
        other._group, other.alterations = resource_group, MemoryAlterations(self._desk, resource_group)
        return other

    def zones(self) -> Sequence[str]:
        return ZONES

    def create_vpc(self, name: str, cidr: str, tags: Tags, token: str) -> str:
        thing = Thing(kind=Kind.VPC, name=name, tags=dict(tags), state="Pending", coming=[AVAILABLE])
        thing.cidr, thing.group = cidr, self._group
        return self._desk.make("create_vpc", token, (name, cidr), thing)

    def vpc_ready(self, vpc: str) -> bool:
        return self._desk.look(Kind.VPC, vpc).state == AVAILABLE

    def create_vswitch(self, vpc: str, zone: str, name: str, cidr: str, tags: Tags, token: str) -> str:
        if not self.vpc_ready(vpc):
            raise Transient(f"VPC {vpc} is not ready", code="IncorrectVpcStatus")
        thing = Thing(
            kind=Kind.VSWITCH,
            name=name,
            tags=dict(tags),
            state="Pending",
            coming=[AVAILABLE],
            parent=vpc,
            uses=[vpc],
            zone=zone,
            cidr=cidr,
        )
        return self._desk.make("create_vswitch", token, (vpc, zone, name, cidr), thing)

    def vswitch_ready(self, vswitch: str) -> bool:
        return self._desk.look(Kind.VSWITCH, vswitch).state == AVAILABLE

    def vpc_of(self, vswitch: str) -> str:
        with self._desk.lock:
            thing = self._desk.world.things.get(vswitch)
        if thing is None or thing.kind is not Kind.VSWITCH:
            raise UserError(f"vSwitch {vswitch} does not exist", code="InvalidVSwitchId.NotFound")
        return thing.parent

    def create_security_group(self, vpc: str, name: str, tags: Tags, token: str) -> str:
        self._desk.look(Kind.VPC, vpc)
        thing = Thing(kind=Kind.SECURITY_GROUP, name=name, tags=dict(tags), parent=vpc, uses=[vpc])
        thing.group = self._group
        return self._desk.make("create_security_group", token, (vpc, name), thing)

    def admit(self, group: str, port: int, cidr: str) -> None:
        with self._desk.call("admit"):
            admitted = self._desk.look(Kind.SECURITY_GROUP, group).admitted
            if f"{port}<{cidr}" not in admitted:
                admitted.append(f"{port}<{cidr}")

    def launch(self, spec: InstanceSpec, tags: Tags, token: str) -> str:
        if not self.vswitch_ready(spec.vswitch):
            raise Transient(f"vSwitch {spec.vswitch} is not ready", code="IncorrectVSwitchStatus")
        groups = [spec.security_group, *spec.more_groups]
        for group in groups:
            self._desk.look(Kind.SECURITY_GROUP, group)
        zone = self._desk.world.things[spec.vswitch].zone
        if spec.zone not in ("", zone):
            raise UserError(f"{spec.vswitch} is in {zone}", code="InvalidParameter.Mismatch")
        thing = Thing(
            kind=Kind.INSTANCE,
            name=spec.name,
            tags=dict(tags),
            state=Power.PENDING.value,
            coming=[Power.STARTING.value, Power.RUNNING.value],
            parent=spec.vswitch,
            uses=[spec.vswitch, *groups],
            spec=spec,
            group=self._group,
        )
        thing.zone = zone
        thing.address = self._desk.world.free_address(spec.vswitch)
        thing.image = spec.image or intermediate(spec.architecture)
        thing.user_data = spec.user_data
        return self._desk.make("launch", token, spec, thing)

    def instance(self, instance: str) -> Instance | None:
        with self._desk.call("instance"):
            thing = self._desk.seen(instance)
            return None if thing is None else instance_of(self._desk.world, thing)

    def instances(self) -> Sequence[Instance]:
        with self._desk.call("instances") as world:
            found = [thing for thing in world.things.values() if thing.kind is Kind.INSTANCE]
            return [seen for thing in found if (seen := instance_of(self._desk.world, thing))]

    def disks(self, instance: str) -> Sequence[CloudDisk]:
        with self._desk.call("disks"):
            owned = self._desk.world.disks_of(instance)
        return [
            CloudDisk(
                id=disk.id,
                name=disk.name,
                size_gib=disk.size_gib,
                serial=disk.id.removeprefix("d-"),
                instance=disk.parent,
                system=disk.system,
                device=f"/dev/xvd{chr(ord('a') + at)}",
                kind=disk.disk_kind,
                stays=disk.stays,
            )
            for at, disk in enumerate(owned)
        ]

    def start(self, instance: str) -> None:
        with self._desk.call("start"):
            thing = self._desk.look(Kind.INSTANCE, instance)
            if thing.state in (Power.STOPPING.value, GONE):
                raise Transient(f"instance {instance} is stopping", code="IncorrectInstanceStatus")
            if thing.state == Power.STOPPED.value:
                thing.state, thing.coming = Power.STARTING.value, [Power.RUNNING.value]

    def stop(self, instance: str, *, force: bool = False) -> None:  # noqa: ARG002 (the contract's)
        with self._desk.call("stop"):
            thing = self._desk.world.things.get(instance)
            if thing is None or thing.state in (Power.STOPPED.value, Power.STOPPING.value):
                return
            if thing.state == Power.PENDING.value:
                raise Transient(f"instance {instance} is being made", code="IncorrectInstanceStatus")
            thing.state, thing.coming = Power.STOPPING.value, [Power.STOPPED.value]

    def create_snapshot(self, disk: str, name: str, tags: Tags, token: str) -> str:
        of = self._desk.look(Kind.DISK, disk)
        thing = Thing(
            kind=Kind.SNAPSHOT,
            name=name,
            tags=dict(tags),
            state="50",
            coming=[AVAILABLE],
            parent=disk,
            size_gib=of.size_gib,
            content=of.content,
            group=self._group,
        )
        return self._desk.make("create_snapshot", token, (disk, name), thing)

    def snapshot(self, snapshot: str) -> Snapshot | None:
        with self._desk.call("snapshot"):
            thing = self._desk.seen(snapshot)
            return None if thing is None else snapshot_of(thing)

    def automatic_snapshots(self, disk: str) -> Sequence[Snapshot]:
        with self._desk.call("automatic_snapshots") as world:
            found = [t for t in world.things.values() if t.kind is Kind.SNAPSHOT and t.parent == disk]
            return [snapshot_of(thing) for thing in found if thing.automatic]

    def create_image(self, spec: ImageSpec, tags: Tags, token: str) -> str:
        with self._desk.lock:
            snapshots = [self._desk.look(Kind.SNAPSHOT, disk.snapshot) for disk in spec.disks]
            for snapshot in snapshots:
                if snapshot.state != AVAILABLE:
                    raise Transient(f"snapshot {snapshot.id} is not ready", code="IncorrectSnapshotStatus")
            if token not in self._desk.world.tokens and self._named(spec.name):
                raise UserError(f"an image {spec.name} exists", code="InvalidImageName.Duplicated")
            thing = Thing(
                kind=Kind.IMAGE,
                name=spec.name,
                tags=dict(tags),
                state=ImageState.CREATING.value,
                coming=[AVAILABLE],
                uses=[snapshot.id for snapshot in snapshots],
                size_gib=snapshots[0].size_gib,
                content=snapshots[0].content,
                image_spec=spec,
                group=self._group,
            )
            image = self._desk.make("create_image", token, spec, thing)
            for snapshot in snapshots:
                snapshot.tags[TAG_IMAGE] = image
            self._desk.save()
            return image

    def image(self, image: str) -> Image | None:
        with self._desk.call("image"):
            thing = self._desk.seen(image)
            return public_image(image) if thing is None else image_of(thing)

    def image_named(self, name: str) -> Image | None:
        with self._desk.call("image_named"):
            return self._named(name)

    def delete(self, kind: Kind, resource: str) -> None:
        with self._desk.call("delete"):
            thing = self._desk.seen(resource)
            if thing is None or thing.kind is not kind or GONE in thing.coming:
                return
            users = self._desk.world.users_of(resource) if kind is not Kind.DISK else [thing.parent]
            if any(users):
                raise Transient(f"{resource} is used by {', '.join(users)}", code="DependencyViolation")
            if kind is Kind.INSTANCE:
                thing.state, thing.coming = Power.STOPPING.value, [GONE]  # visible for a while, as in ECS
                return
            self._desk.world.bury(thing)

    def exists(self, kind: Kind, resource: str) -> bool:
        with self._desk.call("exists"):
            thing = self._desk.seen(resource)
            return thing is not None and thing.kind is kind

    def find(self, tags: Tags) -> Sequence[Resource]:
        with self._desk.call("find"):
            return self._tagged(tags)

    def endpoint(self, instance: str, port: int, *, private: bool = False) -> tuple[str, int]:
        seen = self.instance(instance)
        if seen is None or seen.power is not Power.RUNNING:
            raise Transient(f"instance {instance} has no address yet", code="NoAddress")
        return (not private and seen.public_address) or seen.private_address, port

    def receiver_port(self, taken: Sequence[int]) -> int:  # noqa: ARG002 (the contract's)
        return PORT

    def console_output(self, instance: str) -> str:  # noqa: ARG002 (the contract's)
        return ""

    def screenshot(self, instance: str) -> bytes:  # noqa: ARG002 (the contract's)
        return b""

    # How it works inside

    def _tagged(self, tags: Tags) -> list[Resource]:
        with self._desk.lock:
            found = [t for t in self._desk.world.things.values() if tags.items() <= t.tags.items()]
        found.sort(key=lambda thing: (ORDER.index(thing.kind), thing.id))
        return [
            Resource(kind=t.kind, id=t.id, name=t.name, created=CREATED, resource_group=t.group)
            for t in found
        ]

    def _named(self, name: str) -> Image | None:
        named = [t for t in self._desk.world.things.values() if t.kind is Kind.IMAGE and t.name == name]
        return image_of(named[0]) if named else None
