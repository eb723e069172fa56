"""What the memory cloud has to choose from."""

import ipaddress
from collections.abc import Mapping, Sequence

from smc.cloud.catalogue import InstanceType, SecurityGroup, Vpc, VSwitch
from smc.cloud.driver import Kind
from smc.cloud.memory_desk import Desk
from smc.cloud.memory_world import Thing
from smc.model.server import Architecture

ZONES = ("memory-a", "memory-b")
TYPES = (
    InstanceType(id="mem.arm", cpus=2, memory_gib=4.0, architecture=Architecture.ARM64, zones=ZONES),
    InstanceType(id="mem.large", cpus=2, memory_gib=4.0, architecture=Architecture.X86_64, zones=ZONES),
    InstanceType(id="mem.old", cpus=1, memory_gib=2.0, architecture=Architecture.X86_64),
    InstanceType(id="mem.small", cpus=1, memory_gib=2.0, architecture=Architecture.X86_64, zones=ZONES[:1]),
)
DEFAULT_TYPES = {
    Architecture.X86_64: "mem.small",
    Architecture.I386: "mem.small",
    Architecture.ARM64: "mem.arm",
}
RESERVED = 4  # addresses of a vSwitch that no instance gets


def intermediate(architecture: Architecture) -> str:
    return f"m-intermediate-{architecture.value}"


class MemoryCatalogue:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def vpcs(self) -> Sequence[Vpc]:
        return [Vpc(id=one.id, name=one.name, cidr=one.cidr) for one in self._all("vpcs", Kind.VPC)]

    def vswitches(self, vpc: str = "") -> Sequence[VSwitch]:
        found = self._all("vswitches", Kind.VSWITCH)
        return [self._vswitch(one) for one in found if vpc in ("", one.parent)]

    def vswitch(self, vswitch: str) -> VSwitch | None:
        found = [one for one in self._all("vswitch", Kind.VSWITCH) if one.id == vswitch]
        return self._vswitch(found[0]) if found else None

    def security_groups(self, vpc: str = "") -> Sequence[SecurityGroup]:
        found = self._all("security_groups", Kind.SECURITY_GROUP)
        return [
            SecurityGroup(id=one.id, name=one.name, vpc=one.parent)
            for one in found
            if vpc in ("", one.parent)
        ]

    def instance_types(self, zone: str = "") -> Sequence[InstanceType]:
        with self._desk.call("instance_types"):
            return [
                InstanceType(
                    id=kind.id,
                    cpus=kind.cpus,
                    memory_gib=kind.memory_gib,
                    architecture=kind.architecture,
                    zones=tuple(place for place in kind.zones if zone in ("", place)),
                )
                for kind in TYPES
            ]

    def intermediate_image(self, architecture: Architecture) -> str:
        with self._desk.call("intermediate_image"):
            return intermediate(architecture)

    def addresses_in_use(self, vswitch: str) -> Mapping[str, str]:
        instances = self._all("addresses_in_use", Kind.INSTANCE)
        return {one.address: one.id for one in instances if one.parent == vswitch}

    def _vswitch(self, one: Thing) -> VSwitch:
        taken = len([t for t in self._desk.world.things.values() if t.parent == one.id])
        return VSwitch(
            id=one.id,
            name=one.name,
            vpc=one.parent,
            zone=one.zone,
            cidr=one.cidr,
            free=ipaddress.IPv4Network(one.cidr).num_addresses - RESERVED - taken,
        )

    def _all(self, call: str, kind: Kind) -> list[Thing]:
        with self._desk.call(call) as world:
            return [thing for thing in world.things.values() if thing.kind is kind]
