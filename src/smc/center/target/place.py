"""Which disk of an instance takes which disk of the source; what is missing is named with its cure."""

from collections.abc import Mapping, Sequence

import msgspec

from smc.cloud.driver import CloudDisk


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why it cannot be; `code` is stable, `cure` says what to do."""

    code: str
    message: str
    cure: str


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """`disks`: source disk index -> the instance's disk; of the data disks alone, and only with no reason."""

    disks: dict[int, CloudDisk] = {}
    reasons: tuple[Reason, ...] = ()


def place_disks(
    instance: str, needs: Mapping[int, int], disks: Sequence[CloudDisk], chosen: Mapping[int, str]
) -> Placement:
    """`needs` in GiB by disk index, the system disk (0) among them; `chosen` are wishes by disk index.

    The largest need is placed first, each on the smallest disk that holds it: if there is a way it is found.
    """
    system, *rest = disks
    reasons = [*_system_reasons(system, needs.get(0, 0)), *_choice_reasons(instance, needs, rest, chosen)]
    free = [disk for disk in rest if disk.id not in chosen.values()]
    wanted = sorted(
        (index for index in needs if index and index not in chosen), key=lambda at: (-needs[at], at)
    )
    placed = {index: disk for index, name in chosen.items() for disk in rest if disk.id == name}
    left: list[int] = []
    for index in wanted:
        fitting = [disk for disk in free if disk.size_gib >= needs[index]]
        if fitting:
            placed[index] = min(fitting, key=lambda disk: disk.size_gib)
            free.remove(placed[index])
        else:
            left.append(index)
    reasons += _left_reasons(instance, left, needs, free)
    return Placement(reasons=tuple(reasons)) if reasons else Placement(disks=placed)


def _system_reasons(system: CloudDisk, need: int) -> list[Reason]:
    if system.size_gib >= need:
        return []
    return [
        Reason(
            code="TargetInstance.SystemDiskTooSmall",
            message=f"The system disk {system.id} has {system.size_gib} GiB, {need} GiB are needed.",
            cure=f"Resize the system disk {system.id} to at least {need} GiB.",
        )
    ]


def _choice_reasons(
    instance: str, needs: Mapping[int, int], rest: Sequence[CloudDisk], chosen: Mapping[int, str]
) -> list[Reason]:
    there = {disk.id: disk for disk in rest}
    found = []
    for index, name in sorted(chosen.items()):
        disk = there.get(name)
        if disk is None or list(chosen.values()).count(name) > 1:
            found.append(
                Reason(
                    code="TargetInstance.DiskUnknown",
                    message=f"{name} was chosen for disk {index}: it is no data disk of {instance}"
                    + (" that is free." if disk else "."),
                    cure=f"Choose one of {', '.join(sorted(there)) or 'none'}, each once.",
                )
            )
        elif disk.size_gib < needs.get(index, 0):
            found.append(_too_small(disk, index, needs[index]))
    return found


def _left_reasons(
    instance: str, left: Sequence[int], needs: Mapping[int, int], free: Sequence[CloudDisk]
) -> list[Reason]:
    """`left` is in falling order of needs; no disk of `free` holds any of them."""
    largest = sorted(free, key=lambda disk: -disk.size_gib)
    found = [_too_small(disk, index, needs[index]) for index, disk in zip(left, largest, strict=False)]
    missing = left[len(largest) :]
    if missing:
        sizes = ", ".join(f"{needs[index]} GiB" for index in missing)
        plural = "s" if len(missing) > 1 else ""
        found.append(
            Reason(
                code="TargetInstance.DisksMissing",
                message=f"{instance} has too few data disks for the source's.",
                cure=f"Attach {len(missing)} disk{plural} of at least {sizes}.",
            )
        )
    return found


def _too_small(disk: CloudDisk, index: int, need: int) -> Reason:
    return Reason(
        code="TargetInstance.DiskTooSmall",
        message=f"The disk {disk.id} has {disk.size_gib} GiB; disk {index} of the source needs {need} GiB.",
        cure=f"Resize disk {disk.id} to at least {need} GiB.",
    )
