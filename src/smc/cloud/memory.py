"""A cloud in memory that keeps the Driver contract: states, tokens, dependencies, a count of what was made.

It ships so that any part of the center can be tried without a cloud. With a `file` it survives the process.
"""

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from smc.base.errors import Broken, Transient, UserError
from smc.base.files import write_atomic
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
from smc.cloud.memory_world import AVAILABLE, GONE, Given, Thing, World

ZONES = ("memory-a", "memory-b")
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


def no_hook(_when: str, _call: str) -> None:
    pass


class MemoryCloud:
    """`Driver` without a cloud; safe to use from several threads.

    States pass one step whenever something is asked about (`patient=True`: only in `tick()`).
    `hook(when, call)` runs with "before" and "after" around every call: a test raises, waits or kills there.
    """

    def __init__(
        self, file: Path | None = None, *, patient: bool = False, hook: Callable[[str, str], None] = no_hook
    ) -> None:
        self._file = file
        self._patient = patient
        self._lock = threading.RLock()
        self._world = World()
        self.hook = hook
        if file is not None and file.exists():
            self._world = msgspec.json.decode(file.read_bytes(), type=World)

    # What a test asks and does

    @property
    def made(self) -> Counter[Kind]:
        """How many of each kind were ever made."""
        with self._lock:
            return Counter({Kind(kind): count for kind, count in self._world.made.items()})

    @property
    def left(self) -> list[Resource]:
        """What exists now."""
        return self._tagged({})

    def state(self, resource: str) -> str:
        """As it is, without letting it pass on; "" when it is gone."""
        with self._lock:
            thing = self._world.things.get(resource)
            return thing.state if thing else ""

    def user_data(self, instance: str) -> str:
        spec = self._world.things[instance].spec
        return spec.user_data if spec else ""

    def admitted(self, group: str) -> list[str]:
        return list(self._world.things[group].admitted)

    def tags(self, resource: str) -> dict[str, str]:
        return dict(self._world.things[resource].tags)

    def tick(self) -> None:
        """Everything passes to its next state."""
        with self._lock:
            for thing in list(self._world.things.values()):
                self._world.step(thing)
            self._save()

    def power_off(self, instance: str) -> None:
        """Somebody stops the instance from outside."""
        with self._lock:
            thing = self._world.things[instance]
            thing.state, thing.coming = Power.STOPPED.value, []
            self._save()

    def vanish(self, instance: str) -> None:
        """Somebody releases the instance, and its disks with it, from outside."""
        with self._lock:
            self._world.bury(self._world.things[instance])
            self._save()

    # The contract

    def zones(self) -> Sequence[str]:
        return ZONES

    def create_vpc(self, name: str, cidr: str, tags: Tags, token: str) -> str:
        thing = Thing(kind=Kind.VPC, name=name, tags=dict(tags), state="Pending", coming=[AVAILABLE])
        return self._make("create_vpc", token, (name, cidr), thing)

    def vpc_ready(self, vpc: str) -> bool:
        return self._look(Kind.VPC, vpc).state == AVAILABLE

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
        )
        return self._make("create_vswitch", token, (vpc, zone, name, cidr), thing)

    def vswitch_ready(self, vswitch: str) -> bool:
        return self._look(Kind.VSWITCH, vswitch).state == AVAILABLE

    def vpc_of(self, vswitch: str) -> str:
        with self._lock:
            thing = self._world.things.get(vswitch)
        if thing is None or thing.kind is not Kind.VSWITCH:
            raise UserError(f"vSwitch {vswitch} does not exist", code="InvalidVSwitchId.NotFound")
        return thing.parent

    def create_security_group(self, vpc: str, name: str, tags: Tags, token: str) -> str:
        self._look(Kind.VPC, vpc)
        thing = Thing(kind=Kind.SECURITY_GROUP, name=name, tags=dict(tags), parent=vpc, uses=[vpc])
        return self._make("create_security_group", token, (vpc, name), thing)

    def admit(self, group: str, port: int, cidr: str) -> None:
        with self._call("admit"):
            admitted = self._look(Kind.SECURITY_GROUP, group).admitted
            if f"{port}<{cidr}" not in admitted:
                admitted.append(f"{port}<{cidr}")

    def launch(self, spec: InstanceSpec, tags: Tags, token: str) -> str:
        if not self.vswitch_ready(spec.vswitch):
            raise Transient(f"vSwitch {spec.vswitch} is not ready", code="IncorrectVSwitchStatus")
        self._look(Kind.SECURITY_GROUP, spec.security_group)
        thing = Thing(
            kind=Kind.INSTANCE,
            name=spec.name,
            tags=dict(tags),
            state=Power.PENDING.value,
            coming=[Power.STARTING.value, Power.RUNNING.value],
            parent=spec.vswitch,
            uses=[spec.vswitch, spec.security_group],
            spec=spec,
        )
        return self._make("launch", token, spec, thing)

    def instance(self, instance: str) -> Instance | None:
        with self._call("instance"):
            thing = self._seen(instance)
            if thing is None or thing.spec is None:
                return None
            number = int(thing.id.rsplit("-", 1)[1])
            address = f"192.0.2.{number % 256}" if thing.spec.public_address else ""
            return Instance(
                id=thing.id,
                name=thing.name,
                power=Power(thing.state),
                image=thing.spec.image,
                public_address=address,
                private_address="10.0.0.2",
                security_groups=(thing.spec.security_group,),
                vswitch=thing.parent,
                vpc=self.vpc_of(thing.parent),
            )

    def disks(self, instance: str) -> Sequence[CloudDisk]:
        with self._call("disks"):
            owned = self._world.disks_of(instance)
        return [
            CloudDisk(
                id=disk.id,
                name=disk.name,
                size_gib=disk.size_gib,
                serial=disk.id.removeprefix("d-"),
                instance=disk.parent,
                system=disk.system,
            )
            for disk in owned
        ]

    def start(self, instance: str) -> None:
        with self._call("start"):
            thing = self._look(Kind.INSTANCE, instance)
            if thing.state in (Power.STOPPING.value, GONE):
                raise Transient(f"instance {instance} is stopping", code="IncorrectInstanceStatus")
            if thing.state == Power.STOPPED.value:
                thing.state, thing.coming = Power.STARTING.value, [Power.RUNNING.value]

    def stop(self, instance: str, *, force: bool = False) -> None:  # noqa: ARG002 (the contract's)
        with self._call("stop"):
            thing = self._world.things.get(instance)
            if thing is None or thing.state in (Power.STOPPED.value, Power.STOPPING.value):
                return
            if thing.state == Power.PENDING.value:
                raise Transient(f"instance {instance} is being made", code="IncorrectInstanceStatus")
            thing.state, thing.coming = Power.STOPPING.value, [Power.STOPPED.value]

    def create_snapshot(self, disk: str, name: str, tags: Tags, token: str) -> str:
        size = self._look(Kind.DISK, disk).size_gib
        thing = Thing(
            kind=Kind.SNAPSHOT,
            name=name,
            tags=dict(tags),
            state="50",
            coming=[AVAILABLE],
            parent=disk,
            size_gib=size,
        )
        return self._make("create_snapshot", token, (disk, name), thing)

    def snapshot(self, snapshot: str) -> Snapshot | None:
        with self._call("snapshot"):
            thing = self._seen(snapshot)
            if thing is None:
                return None
            ready = thing.state == AVAILABLE
            percent = 100 if ready else int(thing.state)
            return Snapshot(id=thing.id, name=thing.name, disk=thing.parent, ready=ready, percent=percent)

    def create_image(self, spec: ImageSpec, tags: Tags, token: str) -> str:
        with self._lock:
            snapshots = [self._look(Kind.SNAPSHOT, disk.snapshot) for disk in spec.disks]
            for snapshot in snapshots:
                if snapshot.state != AVAILABLE:
                    raise Transient(f"snapshot {snapshot.id} is not ready", code="IncorrectSnapshotStatus")
            if token not in self._world.tokens and self._named(spec.name):
                raise UserError(f"an image {spec.name} exists", code="InvalidImageName.Duplicated")
            thing = Thing(
                kind=Kind.IMAGE,
                name=spec.name,
                tags=dict(tags),
                state=ImageState.CREATING.value,
                coming=[AVAILABLE],
                uses=[snapshot.id for snapshot in snapshots],
            )
            image = self._make("create_image", token, spec, thing)
            for snapshot in snapshots:
                snapshot.tags[TAG_IMAGE] = image
            self._save()
            return image

    def image(self, image: str) -> Image | None:
        with self._call("image"):
            thing = self._seen(image)
            return None if thing is None else self._image(thing)

    def image_named(self, name: str) -> Image | None:
        with self._call("image_named"):
            return self._named(name)

    def delete(self, kind: Kind, resource: str) -> None:
        with self._call("delete"):
            thing = self._seen(resource)
            if thing is None or thing.kind is not kind or GONE in thing.coming:
                return
            users = self._world.users_of(resource) if kind is not Kind.DISK else [thing.parent]
            if users:
                raise Transient(f"{resource} is used by {', '.join(users)}", code="DependencyViolation")
            if kind is Kind.INSTANCE:
                thing.state, thing.coming = Power.STOPPING.value, [GONE]  # visible for a while, as in ECS
                return
            self._world.bury(thing)

    def exists(self, kind: Kind, resource: str) -> bool:
        with self._call("exists"):
            thing = self._seen(resource)
            return thing is not None and thing.kind is kind

    def find(self, tags: Tags) -> Sequence[Resource]:
        with self._call("find"):
            return self._tagged(tags)

    def endpoint(self, instance: str, port: int) -> tuple[str, int]:
        seen = self.instance(instance)
        if seen is None or seen.power is not Power.RUNNING:
            raise Transient(f"instance {instance} has no address yet", code="NoAddress")
        return seen.public_address or seen.private_address, port

    def receiver_port(self, taken: Sequence[int]) -> int:  # noqa: ARG002 (the contract's)
        return PORT

    def console_output(self, instance: str) -> str:  # noqa: ARG002 (the contract's)
        return ""

    def screenshot(self, instance: str) -> bytes:  # noqa: ARG002 (the contract's)
        return b""

    # How it works inside

    @contextmanager
    def _call(self, name: str) -> Iterator[None]:
        self.hook("before", name)
        with self._lock:
            yield
            self._save()
        self.hook("after", name)

    def _make(self, call: str, token: str, values: object, thing: Thing) -> str:
        """Add `thing` once for a token; what was done is written down before anybody is told."""
        request = hashlib.sha256(msgspec.json.encode([call, values, thing.tags])).hexdigest()
        with self._call(call):
            given = self._world.tokens.get(token)
            if given is None:
                given = self._world.tokens[token] = Given(request=request, id=self._world.add(thing))
            if given.request != request:
                raise Broken(f"token {token} came with other values", code="IdempotentParameterMismatch")
            return given.id

    def _tagged(self, tags: Tags) -> list[Resource]:
        with self._lock:
            found = [t for t in self._world.things.values() if tags.items() <= t.tags.items()]
        found.sort(key=lambda thing: (ORDER.index(thing.kind), thing.id))
        return [Resource(kind=t.kind, id=t.id, name=t.name, created=CREATED) for t in found]

    def _named(self, name: str) -> Image | None:
        named = [t for t in self._world.things.values() if t.kind is Kind.IMAGE and t.name == name]
        return self._image(named[0]) if named else None

    def _look(self, kind: Kind, resource: str) -> Thing:
        with self._lock:
            thing = self._seen(resource)
            if thing is None or thing.kind is not kind:
                raise UserError(f"{kind.value} {resource} does not exist", code="InvalidResource.NotFound")
            return thing

    def _seen(self, resource: str) -> Thing | None:
        """The thing as it is now; asking lets it pass to its next state."""
        thing = self._world.things.get(resource)
        if thing is None:
            return None
        if not self._patient:
            self._world.step(thing)
        return None if thing.state == GONE else thing

    @staticmethod
    def _image(thing: Thing) -> Image:
        state = ImageState(thing.state)
        percent = 100 if state is ImageState.AVAILABLE else 50
        return Image(id=thing.id, name=thing.name, state=state, percent=percent, snapshots=tuple(thing.uses))

    def _save(self) -> None:
        if self._file is not None:
            write_atomic(self._file, msgspec.json.encode(self._world))
