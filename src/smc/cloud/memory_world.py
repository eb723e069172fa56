"""What exists in the memory cloud, and how it passes from state to state."""

import ipaddress

import msgspec

from smc.cloud.driver import DiskKind, ImageSpec, InstanceSpec, Kind

PREFIX = {
    Kind.VPC: "vpc",
    Kind.VSWITCH: "vsw",
    Kind.SECURITY_GROUP: "sg",
    Kind.INSTANCE: "i",
    Kind.DISK: "d",
    Kind.SNAPSHOT: "s",
    Kind.IMAGE: "m",
}
AVAILABLE = "Available"
GONE = "Gone"


class Thing(msgspec.Struct, kw_only=True):
    """One resource; mutable, for this is the cloud itself. `coming` are the states it still passes."""

    kind: Kind
    name: str
    tags: dict[str, str]
    group: str = ""  # resource group
    id: str = ""
    state: str = AVAILABLE
    coming: list[str] = []
    parent: str = ""  # what it lives in: VPC of a group, instance of a disk, disk of a snapshot
    uses: list[str] = []  # what cannot go before it
    size_gib: int = 0
    system: bool = False
    disk_kind: DiskKind = DiskKind()
    stays: bool = False  # a disk that outlives its instance
    spec: InstanceSpec | None = None
    image_spec: ImageSpec | None = None
    admitted: list[str] = []
    isolated: bool = False
    cidr: str = ""
    zone: str = ""
    address: str = ""  # private
    image: str = ""  # of an instance: what its system disk was made from
    user_data: str = ""
    content: str = ""  # what is on a disk, or was when the snapshot was taken
    automatic: bool = False

    def step(self) -> None:
        if self.coming:
            self.state = self.coming.pop(0)


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What a token gave; `request` is the hash of the values it came with."""

    request: str
    id: str


class World(msgspec.Struct, kw_only=True):
    """Everything, by id; `made` counts what was ever made, by kind."""

    things: dict[str, Thing] = {}
    tokens: dict[str, Given] = {}
    made: dict[str, int] = {}

    def add(self, thing: Thing) -> str:
        """An instance brings its disks along, with its tags."""
        self.made[thing.kind.value] = self.made.get(thing.kind.value, 0) + 1
        thing.id = f"{PREFIX[thing.kind]}-{sum(self.made.values()):06}"
        self.things[thing.id] = thing
        if thing.spec is not None:
            system = self._add_disk(thing, "system", thing.spec.system_disk_gib or 20, system=True)
            system.content, system.disk_kind = self.content_of(thing.image), thing.spec.system_disk_kind
            for disk in thing.spec.data_disks:
                copied = self.things.get(disk.snapshot)
                size = disk.size_gib or (copied.size_gib if copied else 0)
                made = self._add_disk(thing, disk.name, size, system=False)
                made.content, made.disk_kind = copied.content if copied else "", disk.kind
                made.stays = disk.stays
        return thing.id

    def step(self, thing: Thing) -> None:
        thing.step()
        if thing.state == GONE:
            self.bury(thing)

    def bury(self, thing: Thing) -> None:
        """It is gone: an instance with its disks, an image with its snapshots."""
        self.things.pop(thing.id, None)
        if thing.kind is Kind.INSTANCE:
            for disk in self.disks_of(thing.id):
                if disk.stays:
                    disk.parent = ""
                else:
                    del self.things[disk.id]
        if thing.kind is Kind.IMAGE:
            for snapshot in thing.uses:
                self.things.pop(snapshot, None)

    def disks_of(self, instance: str) -> list[Thing]:
        """The system disk first, then by name."""
        owned = [t for t in self.things.values() if t.kind is Kind.DISK and t.parent == instance]
        return sorted(owned, key=lambda disk: (not disk.system, disk.name))

    def users_of(self, resource: str) -> list[str]:
        return [thing.id for thing in self.things.values() if resource in thing.uses]

    def _add_disk(self, instance: Thing, name: str, size_gib: int, *, system: bool) -> Thing:
        disk = Thing(kind=Kind.DISK, name=name, tags=dict(instance.tags), parent=instance.id)
        disk.group = instance.group
        disk.size_gib, disk.system, disk.zone = size_gib, system, instance.zone
        self.add(disk)
        return disk

    def content_of(self, image: str) -> str:
        known = self.things.get(image)
        return (known.content if known else "") or image

    def groups_of(self, instance: Thing) -> list[str]:
        return [used for used in instance.uses if used in self.things and self._is_group(used)]

    def free_address(self, vswitch: str) -> str:
        """The first that is not in use, from the tenth on."""
        network = ipaddress.IPv4Network(self.things[vswitch].cidr)
        taken = {thing.address for thing in self.things.values() if thing.parent == vswitch}
        return next(
            str(network[at]) for at in range(10, network.num_addresses) if str(network[at]) not in taken
        )

    def _is_group(self, name: str) -> bool:
        return self.things[name].kind is Kind.SECURITY_GROUP
