"""A plan for a person: every target disk, what comes on it, from where, and what changes."""

from collections.abc import Iterator

from smc.base.units import readable_size
from smc.cli.output import out, show_table
from smc.client.api import Json

ROLES = {"swap": "(swap)", "bios_boot": "(BIOS boot)", "esp": "(EFI system)"}
NEARLY = 16 << 20  # bytes that a table, or LVM, may take: no change for a person


def print_plan(told: Json) -> None:
    """`told` as DescribePlan has it."""
    disks = told["TargetDisks"]["TargetDisk"]
    show_table(
        ("DISK", "MOUNT POINT", "ON", "SIZE", "AT THE SOURCE", "CHANGE"),
        (row for disk in disks for row in _rows(disk)),
    )
    for left in told["LeftBehind"]:
        out.print(f"left behind: {left['What']}: {left['Why']}", markup=False, soft_wrap=True)
    for warning in told["Warnings"]:
        out.print(f"note: {warning}", markup=False, soft_wrap=True)


def _rows(disk: Json) -> Iterator[tuple[object, ...]]:
    name = f"{disk['Index']}: {disk['Size']} GiB (at least {disk['SmallestSize']})"
    for part in disk["Parts"]["Part"]:
        had = readable_size(part["SourceSizeBytes"]) if part["SourceSizeBytes"] else ""
        yield (
            name,
            part["Path"] or ROLES.get(part["Role"], part["Role"]),
            part["Volume"] or "a partition",
            readable_size(part["SizeBytes"]),
            " ".join(text for text in (part["SourceTitle"], had) if text),
            ", ".join(_changes(disk, part)) or "as it is",
        )
        name = ""


def _changes(disk: Json, part: Json) -> Iterator[str]:
    if not part["SourceTitle"]:
        yield "new"
        return
    if part["SourceDisk"] != disk["Index"]:
        yield f"moves from disk {part['SourceDisk']}"
    if part["Volume"]:
        yield "onto LVM"
    more = part["SizeBytes"] - part["SourceSizeBytes"]
    if abs(more) > NEARLY:
        yield f"{'grows' if more > 0 else 'shrinks'} by {readable_size(abs(more))}"
