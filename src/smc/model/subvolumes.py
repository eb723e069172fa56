"""Which subvolumes of a btrfs come along, and which of them are copied as trees of their own.

A tree must not hold another subvolume. So one that is mounted nowhere and holds others is made, and nothing
is copied to it; one that lies inside of a mounted one stays behind, as read-only snapshots do: copied, these
would take the room of all files that they share at the source.
"""

from smc.model.disk import Filesystem, Subvolume
from smc.model.plan import TargetSubvolume


def subvolumes(source: str, filesystem: Filesystem) -> tuple[TargetSubvolume, ...]:
    """Named `source` with a number behind, the one that holds all others `source` itself."""
    kept = [each for each in filesystem.subvolumes if not why_left(each, filesystem)]
    return tuple(
        TargetSubvolume(
            source=f"{source}s{number}" if each.path else source,
            path=each.path,
            mount_point=each.mount_point,
            seen_at=each.mount_point,
            is_default=each.is_default,
            copied=not any(_is_below(other, each) for other in kept),
        )
        for number, each in enumerate(kept)
    )


def why_left(subvolume: Subvolume, filesystem: Filesystem) -> str:
    """Why it stays behind, "" when it comes along."""
    if subvolume.mount_point or subvolume.is_default or not subvolume.path:
        return ""
    if subvolume.is_snapshot:
        return "a read-only snapshot"
    if any(other.mount_point and _is_below(subvolume, other) for other in filesystem.subvolumes):
        return "a subvolume inside of a mounted one: its files are not copied yet"
    return ""


def refusal(filesystem: Filesystem) -> str:
    for each in subvolumes("", filesystem):
        if each.mount_point and not each.copied:
            return (
                f"The subvolume mounted at {each.mount_point} holds others that are mounted or the default."
            )
    return ""


def _is_below(subvolume: Subvolume, other: Subvolume) -> bool:
    return subvolume.path != other.path and (not other.path or subvolume.path.startswith(f"{other.path}/"))
