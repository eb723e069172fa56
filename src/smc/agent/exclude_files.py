"""The files in which the owner of a source says what to leave out of a copy: one rsync pattern a line."""

import logging
from collections.abc import Iterable
from pathlib import Path

from smc.base.errors import UserError
from smc.transfer.files.patterns import Excludes

log = logging.getLogger(__name__)

FILE_MODE = 0o600
EXPLANATION = """\
# What is not copied of {disk}: one rsync pattern a line, as for rsync --exclude-from.
# A line that begins with # is a comment. Read whenever copying begins; the center has none of it.
#
# Paths are relative to {root}; / is written in between, never the folder itself.
#   /cache/       the folder cache there, with all in it
#   /cache/*      all in it, but not the folder itself
#   *.iso         every file of such a name, wherever it is
#   tmp/*.log     such files in every folder tmp;  ** matches over several folders
# Lines that begin with "+ ", and a line "!", are refused: patterns only leave out.
"""


def file_of(folder: Path, disk: int) -> Path:
    """Disk 0 is the system disk."""
    return folder / (f"rsync_excludes_linux_disk{disk}.txt" if disk else "rsync_excludes_linux.txt")


def explain(folder: Path, disks: Iterable[int]) -> None:
    """Make the files that are missing, each with a comment that tells how to fill it."""
    for disk in disks:
        file = file_of(folder, disk)
        what = f"data disk {disk}" if disk else "the system disk"
        root = "the folder where it is mounted" if disk else "/"
        try:
            if not file.exists():
                file.touch(mode=FILE_MODE)
                file.write_text(EXPLANATION.format(disk=what, root=root))
        except OSError as e:  # a full disk is no reason not to copy it
            log.warning("%s could not be made: %s", file, e.strerror)


def read(folder: Path, disk: int) -> tuple[str, ...]:
    """The patterns for a disk, as rsync reads such a file. Raises `UserError` (`Excludes.Invalid`)."""
    file = file_of(folder, disk)
    try:
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        return ()
    found = (_pattern(line, f"{file}, line {number}") for number, line in enumerate(lines, 1))
    return tuple(pattern for pattern in found if pattern)


def _pattern(line: bytes, place: str) -> str:
    try:
        pattern = line.decode()
        if pattern.rstrip() == "!":
            raise UserError(
                f"{place}: ! clears no list here", code="Excludes.Invalid", hint="Remove the line."
            )
        return pattern if Excludes([pattern]) else ""
    except UnicodeDecodeError as e:
        raise UserError(
            f"{place}: the line is not UTF-8",
            code="Excludes.Invalid",
            hint="Write ? for each byte that is no UTF-8.",
        ) from e
    except UserError as e:
        raise UserError(f"{place}: {e.message}", code=e.code, hint=e.hint) from e
