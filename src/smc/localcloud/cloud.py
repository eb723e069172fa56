"""What every part of the cloud works on: its memory, its files, its machines, its clock."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from smc.localcloud.hypervisor import Hypervisor
from smc.localcloud.layers import Layers
from smc.localcloud.store import Store
from smc.localcloud.things import Disk, Instance, Rule, SecurityGroup, Snapshot, SnapshotStatus
from smc.localcloud.worker import Bell

S = TypeVar("S", bound=msgspec.Struct)


class MakeSeed(Protocol):
    def __call__(self, path: Path, instance_id: str, hostname: str, user_data: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class Cloud:
    """`runtime` is a short path for sockets; forwards bind `host_address` (contracts 3).

    Of its zones nothing differs but the name: all is on this host.
    """

    folder: Path
    runtime: Path
    store: Store
    layers: Layers
    hypervisor: Hypervisor
    make_seed: MakeSeed
    region: str = "local"
    zones: tuple[str, ...] = ("local-a", "local-b")
    host_address: str = "127.0.0.1"
    now: Callable[[], float] = time.time
    bell: Bell = field(default_factory=Bell)

    @property
    def zone(self) -> str:
        """Where a thing is made whose request names none."""
        return self.zones[0]

    def stir(self) -> None:
        """Tell the workers that there is something to do."""
        self.bell.ring()

    @property
    def exports(self) -> Path:
        """A folder for each bucket."""
        return self.folder / "exports"

    def machine_folder(self, instance: str) -> Path:
        return self.folder / "instances" / instance

    def disks_of(self, instance: str) -> list[Disk]:
        """The system disk first, then in the order of their devices."""
        disks = [disk for disk in self.store.all(Disk) if disk.instance == instance]
        return sorted(disks, key=lambda disk: (not disk.system, disk.device))

    def rules_of(self, instance: Instance) -> list[Rule]:
        groups = (self.store.get(SecurityGroup, group) for group in instance.groups)
        return [rule for group in groups if group for rule in group.rules]

    def is_being_copied(self, disks: list[Disk]) -> bool:
        """Whether a snapshot of one of them is not finished, so that nobody may write to it."""
        names = {disk.id for disk in disks}
        return any(
            snapshot.disk in names and snapshot.status is SnapshotStatus.PROGRESSING
            for snapshot in self.store.all(Snapshot)
        )


def with_changes(value: S, **changes: object) -> S:
    return msgspec.structs.replace(value, **changes)
