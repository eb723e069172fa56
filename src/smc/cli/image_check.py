"""`smc image check`: whether a disk image, or a mounted system, would start as an instance."""

import json
import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from smc.base.errors import UserError
from smc.base.run import run
from smc.cli.output import out, show_json, show_table
from smc.guest.image_check import look
from smc.guest.image_file import open_image, take_out
from smc.guest.volumes import Volume
from smc.guest.windows import image as windows
from smc.model.disk import Role
from smc.model.report import Check, Level
from smc.model.server import Firmware

LIST_SECONDS = 60.0
FINDINGS_CRITICAL = 2  # exit status: the image would not start

File = Annotated[Path | None, typer.Argument(help="A disk image: raw, qcow2, vmdk, vhd.")]
Mounted = Annotated[
    Path | None, typer.Option("--root", help="Instead: a folder where the system is mounted.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


def check(image: File = None, root: Mounted = None, as_json: AsJson = False) -> None:
    """Look at an image as the cloud's image check does; needs no root, starts nothing, changes nothing.

    Images with ext2, ext3 or ext4, on partitions or plain volumes of LVM, or with a Windows are read as
    files; mount others read-only and give --root.
    """
    if (image is None) == (root is None):
        raise UserError("give an image or --root FOLDER", code="Image.NotGiven")
    checks = _of_tree(root) if root else _of_file(image or Path())
    if as_json:
        rows = (
            {"Name": c.item, "Level": c.level.value, "Finding": c.finding, "Cure": c.cure} for c in checks
        )
        show_json({"Items": list(rows)})
    else:
        show_table(
            ("CHECK", "LEVEL", "FINDING", "CURE"),
            ((c.item, c.level.value, c.finding, c.cure) for c in checks),
        )
        count = sum(c.level is Level.CRITICAL for c in checks)
        out.print(f"{count} critical, {len(checks)} in all")
    if any(c.level is Level.CRITICAL for c in checks):
        raise typer.Exit(FINDINGS_CRITICAL)


def _of_file(image: Path) -> list[Check]:
    with tempfile.TemporaryDirectory(prefix="smc-image-") as folder:
        opened = open_image(image, Path(folder), run)
        places = [
            windows.Place(part.start, part.filesystem, starts=part.active or part.role is Role.ESP)
            for part in opened.parts
            if part.number
        ]
        found = windows.look(opened.raw, places, opened.firmware, run)
        if found is not None:
            return found
        volumes = take_out(opened, Path(folder), run)
        return look(Path(folder) / "root", volumes, opened.firmware, run)


def _of_tree(root: Path) -> list[Check]:
    """Filesystems are told by what is mounted at and below the folder."""
    if not root.is_dir():
        raise UserError(f"{root} is no folder", code="Image.NotFound")
    base = os.fspath(root.resolve())
    words = ("findmnt", "--json", "--list", "-o", "TARGET,SOURCE,FSTYPE,UUID,LABEL,PARTUUID,PARTLABEL")
    rows = json.loads(run(*words, timeout=LIST_SECONDS).stdout)["filesystems"]
    volumes = [_volume(row, base) for row in rows if f"{row['target']}/".startswith(f"{base}/")]
    uefi = any(volume.filesystem == "vfat" for volume in volumes)
    return look(root.resolve(), volumes, Firmware.UEFI if uefi else Firmware.BIOS, run)


def _volume(row: dict[str, str | None], base: str) -> Volume:
    place = (row["target"] or "").removeprefix(base) or "/"
    return Volume(
        source="0_0",
        number=0,
        device=Path(row["source"] or "/dev/none"),
        role=Role.FILESYSTEM,
        filesystem=row["fstype"] or "",
        mount_point=place,
        uuid=row["uuid"] or "",
        label=row["label"] or "",
        part_uuid=row["partuuid"] or "",
        part_label=row["partlabel"] or "",
    )
