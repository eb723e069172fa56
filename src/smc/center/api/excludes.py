"""The parameter Excludes (ours): rsync patterns of what a job leaves out, checked and put into its plan."""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from smc.base.errors import UserError
from smc.center.api.words import invalid
from smc.model.plan import Plan
from smc.rpc.params import Request
from smc.transfer.files.patterns import Excludes

MOST = 1000  # patterns of a job: each is matched against each file

Pattern = Annotated[str, msgspec.Meta(max_length=4096)]


class DiskExcludes(Request, frozen=True, kw_only=True):
    """Of the disk with this index, 0 for the system disk; relative to where the source has it mounted."""

    disk: Annotated[int, msgspec.Meta(ge=0, le=16)]
    pattern: tuple[Pattern, ...]


Item = Pattern | DiskExcludes  # a pattern alone is relative to the source's /, whichever disk holds it


def excluding(plan: Plan, items: Sequence[Item]) -> Plan:
    """`plan` leaving behind exactly these. Raises `UserError` (`InvalidParameter.Excludes`)."""
    everywhere = tuple(item for item in items if isinstance(item, str))
    of_disks: dict[int, tuple[str, ...]] = {}
    for item in items:
        if isinstance(item, DiskExcludes):
            of_disks[item.disk] = (*of_disks.get(item.disk, ()), *item.pattern)
    indices = [disk.index for disk in plan.disks]
    for index in of_disks.keys() - set(indices):
        raise invalid(
            "Excludes",
            f"Excludes names the disk {index}, of which nothing is copied.",
            f"The job copies the disks {', '.join(map(str, indices))} (0 is the system disk).",
        )
    patterns = [*everywhere, *(pattern for found in of_disks.values() for pattern in found)]
    if len(patterns) > MOST:
        raise invalid("Excludes", f"Excludes has {len(patterns)} patterns; {MOST} are allowed.")
    check_patterns(items)
    disks = tuple(msgspec.structs.replace(disk, excludes=of_disks.get(disk.index, ())) for disk in plan.disks)
    return msgspec.structs.replace(plan, excludes=everywhere, disks=disks)


def check_patterns(items: Sequence[Item]) -> None:
    """What can be known without a plan. Raises `UserError` (`InvalidParameter.Excludes`)."""
    for item in items:
        for pattern in (item,) if isinstance(item, str) else item.pattern:
            _check(pattern)


def _check(pattern: str) -> None:
    if why := _wrong(pattern):
        shown = pattern[:100].encode(errors="backslashreplace").decode()
        raise invalid(
            "Excludes",
            f"The pattern {shown!r} cannot be used: {why}.",
            "A pattern is as rsync excludes: /var/cache/ is that folder, *.iso every file of such a name.",
        )


def _wrong(pattern: str) -> str:
    """Why, "" when it can be used."""
    try:
        pattern.encode()
    except UnicodeEncodeError:
        return "it is not UTF-8; write ? for each byte that is not"
    if any(character in pattern for character in "\n\r\0"):
        return "it has a line break or a zero byte in it"
    if not pattern.strip():
        return "it is empty"
    if pattern.strip() == "!":
        return "there is no list to clear"
    if pattern[0] in "#;":
        return f"it begins like a comment; write [{pattern[0]}] for a name that begins so"
    if pattern.removeprefix("- ") in ("/", ""):
        return "it matches nothing"
    try:
        Excludes([pattern])
    except UserError:
        return "it includes, and only excluding is possible"
    return ""
