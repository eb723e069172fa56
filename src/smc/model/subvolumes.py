"""Which subvolumes of a btrfs come along, and which of them are copied as trees of their own.

A tree holds no other subvolume: one that lies inside of another is left out of its tree, at both ends.
Snapshots stay behind: copied, they would take the room of all files that they share at the source. With a
snapshot of snapper goes the folder that describes it, else snapper would list what is not at the target.
"""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from smc.model.disk import Filesystem, Subvolume
from smc.model.plan import TargetSubvolume

SNAPPER = re.compile(r"(?P<folder>(?:.*/)?\.snapshots/\d+)/snapshot")
WILDCARD = re.compile(r"[*?\[]")


def subvolumes(source: str, filesystem: Filesystem) -> tuple[TargetSubvolume, ...]:
    """Named `source` with a number behind, the one that holds all others `source` itself."""
    kept = [each for each in filesystem.subvolumes if not why_left(each, filesystem)]
    return tuple(
        TargetSubvolume(
            source=f"{source}s{number}" if each.path else source,
            path=each.path,
            mount_point=each.mount_point,
            seen_at=_seen_at(each, filesystem),
            is_default=each.is_default,
            copied=bool(_seen_at(each, filesystem)) or not any(_is_below(other, each) for other in kept),
            excludes=_excludes(each, kept, filesystem.subvolumes),
        )
        for number, each in enumerate(kept)
    )


def why_left(subvolume: Subvolume, filesystem: Filesystem) -> str:
    """Why it stays behind, "" when it comes along."""
    if subvolume.mount_point or subvolume.is_default or not subvolume.path:
        return ""
    if subvolume.is_snapshot:
        return "a read-only snapshot"
    if "," in subvolume.path:
        return "a comma in its name would end the mount option that it stands in"
    if subvolume.is_clone:
        return "a writable snapshot: it would take the room of all files that it shares"
    holder = _holder(subvolume, filesystem)
    return f"it lies in {holder.path}, which stays behind" if why_left(holder, filesystem) else ""


def _seen_at(subvolume: Subvolume, filesystem: Filesystem) -> str:
    """Where the source shows it: its mount point, or a folder below that of what holds it."""
    if subvolume.mount_point or not subvolume.path:
        return subvolume.mount_point
    holder = _holder(subvolume, filesystem)
    place = _seen_at(holder, filesystem)
    return str(PurePosixPath(place) / _within(subvolume, holder)) if place else ""


def _holder(subvolume: Subvolume, filesystem: Filesystem) -> Subvolume:
    """The nearest one that it lies in."""
    holders = [other for other in filesystem.subvolumes if _is_below(subvolume, other)]
    return max(holders, key=lambda other: len(other.path), default=Subvolume(path=""))


def _excludes(subvolume: Subvolume, kept: Sequence[Subvolume], every: Sequence[Subvolume]) -> tuple[str, ...]:
    """What comes by itself, and what tells of snapshots that do not; patterns of its tree."""
    found = [_within(other, subvolume) for other in kept if _is_below(other, subvolume)]
    for other in every:
        match = SNAPPER.fullmatch(other.path)
        if match and other not in kept and _is_below(other, subvolume):
            folder = Subvolume(path=match["folder"])
            found += [_within(folder, subvolume)] if _is_below(folder, subvolume) else []
    return tuple(f"/{_plain(path)}" for path in found)


def _plain(path: str) -> str:
    """As a pattern that means this path alone: a backslash is one only beside a wildcard."""
    return re.sub(r"[*?\[\\]", r"\\\g<0>", path) if WILDCARD.search(path) else path


def _within(subvolume: Subvolume, other: Subvolume) -> str:
    return subvolume.path[len(other.path) :].lstrip("/")


def _is_below(subvolume: Subvolume, other: Subvolume) -> bool:
    return subvolume.path != other.path and (not other.path or subvolume.path.startswith(f"{other.path}/"))
