"""Whether a source can be moved onto an instance: every reason against it, each with its cure."""

from collections.abc import Mapping, Sequence

import msgspec

from smc.base.errors import UserError
from smc.center.store.resources import TEMPORARY
from smc.center.target.place import Placement, Reason, place_disks
from smc.cloud.catalogue import InstanceType
from smc.cloud.driver import TAG_JOB, TAG_PURPOSE, CloudDisk, Driver, Instance, Power
from smc.model.planner import smallest_gib
from smc.model.server import Architecture, Server, runs_windows
from smc.model.wishes import Limits, PartWish, Wishes

STEADY = (Power.RUNNING, Power.STOPPED)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """By disk index: GiB, chosen disks, and what shall be on them.

    `private`: the source reaches the private address.
    """

    sizes_gib: Mapping[int, int] = {}
    disks: Mapping[int, str] = {}
    parts: dict[int, tuple[PartWish, ...]] = {}
    lvm: frozenset[int] = frozenset()
    private: bool = False


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """`placed` when there is no reason against it."""

    instance: Instance
    disks: tuple[CloudDisk, ...]
    reasons: tuple[Reason, ...]
    placed: dict[int, CloudDisk]


class Examiner:
    """Asks the cloud once for what all instances share."""

    def __init__(self, driver: Driver, busy: Mapping[str, str]) -> None:
        """`busy`: instance -> the unfinished job that has it for its target."""
        self._driver = driver
        self._busy = busy
        self._kinds: Mapping[str, InstanceType] | None = None

    def examine(self, server: Server, instance: Instance, wanted: Wanted) -> Examined:
        disks = tuple(self._driver.disks(instance.id))
        reasons = [*self._machine_reasons(server, instance), *_network_reasons(instance, wanted)]
        placement = _place(server, instance, disks, wanted)
        return Examined(
            instance=instance,
            disks=disks,
            reasons=(*reasons, *placement.reasons),
            placed=placement.disks,
        )

    def _machine_reasons(self, server: Server, instance: Instance) -> list[Reason]:
        found = []
        if instance.mac and instance.mac in {nic.mac for nic in server.nics}:
            found.append(
                Reason(
                    code="TargetInstance.IsSource",
                    message=f"{instance.id} is the migration source itself.",
                    cure="Choose another instance.",
                )
            )
        if instance.id in self._busy:
            found.append(
                Reason(
                    code="TargetInstance.InUse",
                    message=f"The job {self._busy[instance.id]} has {instance.id} for its target.",
                    cure="Finish or delete that job and wait until it is gone, or choose another instance.",
                )
            )
        if instance.tags.get(TAG_JOB) and instance.tags.get(TAG_PURPOSE) == TEMPORARY:
            found.append(
                Reason(
                    code="TargetInstance.InUse",
                    message=f"{instance.id} is the intermediate instance of {instance.tags[TAG_JOB]}.",
                    cure="Choose another instance.",
                )
            )
        if instance.power not in STEADY:
            found.append(
                Reason(
                    code="TargetInstance.Unsteady",
                    message=f"{instance.id} is {instance.power.value}.",
                    cure="Wait until it is Running or Stopped.",
                )
            )
        return [*found, *self._system_reasons(server, instance)]

    def _system_reasons(self, server: Server, instance: Instance) -> list[Reason]:
        found = []
        system = "windows" if runs_windows(server) else "linux"
        if instance.os != system:
            found.append(
                Reason(
                    code="TargetInstance.OtherSystem",
                    message=f"The source runs {system}, {instance.id} {instance.os}.",
                    cure=f"Choose a {system} instance.",
                )
            )
        needed = Architecture.X86_64 if server.architecture is Architecture.I386 else server.architecture
        kind = self._kind(instance.instance_type)
        if kind is not None and kind.architecture is not needed:
            found.append(
                Reason(
                    code="TargetInstance.OtherArchitecture",
                    message=f"The source is {server.architecture.value}, {instance.id} is "
                    f"{kind.architecture.value} ({kind.id}).",
                    cure=f"Choose an {needed.value} instance.",
                )
            )
        return found

    def _kind(self, name: str) -> InstanceType | None:
        if self._kinds is None:
            self._kinds = {kind.id: kind for kind in self._driver.catalogue.instance_types()}
        return self._kinds.get(name)


def _network_reasons(instance: Instance, wanted: Wanted) -> list[Reason]:
    if wanted.private or instance.public_address:
        return []
    return [
        Reason(
            code="TargetInstance.NoPublicAddress",
            message=f"{instance.id} has no public address, by which the source could reach it.",
            cure="Give it one, or use NetMode 2 when the source reaches its private address.",
        )
    ]


def _place(server: Server, instance: Instance, disks: Sequence[CloudDisk], wanted: Wanted) -> Placement:
    if not disks:
        return Placement(
            reasons=(
                Reason(
                    code="TargetInstance.Unsteady",
                    message=f"{instance.id} has no disk yet.",
                    cure="Wait until it is Running or Stopped.",
                ),
            )
        )
    try:
        needs = smallest_gib(server, Limits(), Wishes(parts=wanted.parts, lvm=wanted.lvm))
    except UserError as e:
        return Placement(reasons=(Reason(code=e.code, message=e.message, cure=e.hint),))
    needs = {index: max(need, wanted.sizes_gib.get(index, 0)) for index, need in needs.items()}
    return place_disks(instance.id, needs, disks, wanted.disks)
