"""What a destination has to choose from: networks, groups, instance types; part of the Driver contract."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from smc.model.server import Architecture


class Vpc(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    cidr: str


class VSwitch(msgspec.Struct, frozen=True, kw_only=True):
    """`free` addresses are left for new instances."""

    id: str
    name: str
    vpc: str
    zone: str
    cidr: str
    free: int


class SecurityGroup(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    vpc: str


class InstanceType(msgspec.Struct, frozen=True, kw_only=True):
    """`zones` are those of the zones asked about where one can be had now; X86 runs i386 as well."""

    id: str
    cpus: int
    memory_gib: float
    architecture: Architecture  # X86_64 or ARM64
    zones: tuple[str, ...] = ()


class Catalogue(Protocol):
    """Questions only; the answers are of this moment. Raises as the Driver does."""

    def vpcs(self) -> Sequence[Vpc]: ...

    def vswitches(self, vpc: str = "") -> Sequence[VSwitch]:
        """Of one VPC, or all."""
        ...

    def vswitch(self, vswitch: str) -> VSwitch | None: ...

    def security_groups(self, vpc: str = "") -> Sequence[SecurityGroup]:
        """Of one VPC, or all."""
        ...

    def instance_types(self, zone: str = "") -> Sequence[InstanceType]:
        """All that the region knows, by id; those that are in stock in `zone` (any, when "") name zones."""
        ...

    def intermediate_image(self, architecture: Architecture) -> str:
        """The image for intermediate instances. Raises `UserError` when there is none."""
        ...

    def addresses_in_use(self, vswitch: str) -> Mapping[str, str]:
        """Private address -> instance that has it."""
        ...
