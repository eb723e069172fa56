"""The instance types on offer: sizes that a workstation can run, cheapest first."""

import os

import msgspec

from smc.base.errors import UserError
from smc.base.units import GIB
from smc.model.server import Architecture


class InstanceType(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    cpus: int
    memory: int
    architecture: Architecture = Architecture.X86_64

    @property
    def family(self) -> str:
        return self.id.rpartition(".")[0]


ARCHITECTURES = {Architecture.X86_64: "X86", Architecture.I386: "X86", Architecture.ARM64: "ARM"}
_SIZES = (("small", 1, 1), ("medium", 1, 2), ("large", 2, 2), ("xlarge", 2, 4), ("2xlarge", 4, 8))
TYPES = tuple(
    InstanceType(id=f"{family}.{size}", cpus=cpus, memory=gib * GIB, architecture=architecture)
    for family, architecture in (("ecs.l1", Architecture.X86_64), ("ecs.l1a", Architecture.ARM64))
    for size, cpus, gib in _SIZES
)
_BY_ID = {kind.id: kind for kind in TYPES}


def find(name: str) -> InstanceType:
    """Raises `UserError` `InvalidInstanceType.ValueNotSupported`."""
    if name not in _BY_ID:
        raise UserError(
            f"There is no instance type {name!r}.",
            code="InvalidInstanceType.ValueNotSupported",
            hint="Types: " + ", ".join(_BY_ID),
        )
    return _BY_ID[name]


def in_stock(kind: InstanceType) -> bool:
    """Whether this host has the memory for one."""
    return kind.memory <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
