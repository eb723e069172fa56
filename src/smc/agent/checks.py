"""What is looked at before a machine is imported: who asks, on what, and whether there is room."""

import os
import shutil
from pathlib import Path

from smc.agent.machine import read_text
from smc.base.errors import UserError
from smc.base.units import MIB, readable_size

ROOM = 120 * MIB  # the agent's file (15 MB), what it unpacks (45 MB), and its log
PROGRAMS = ("unshare",)  # of util-linux: each filesystem is read in a namespace of the agent's own
KERNEL = Path("/proc/sys/kernel/osrelease")
WITHIN_WINDOWS = "-microsoft"  # kernels of WSL 1 and 2, and no others
FOLDERS = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")


def check_source(folder: Path) -> None:
    """Raises `UserError` with what to do. `folder` is where the agent will live."""
    if WITHIN_WINDOWS in read_text(KERNEL).lower():
        raise UserError(
            "this Linux runs within a Windows (WSL), which cannot be moved so: neither it nor the Windows",
            code="Agent.WithinWindows",
            hint="There is no agent for Windows; an image of it can be looked at: smc image check FILE",
        )
    if os.geteuid() != 0:
        raise UserError(
            "importing a server needs root: all of its files have to be read",
            code="Agent.NotRoot",
            hint="Run the same command with sudo, or as root.",
        )
    free = shutil.disk_usage(_existing(folder)).free
    if free < ROOM:
        raise UserError(
            f"there is too little room for the agent: {readable_size(free)} free at {_existing(folder)}",
            code="Agent.NoRoom",
            hint=f"Make {readable_size(ROOM)} free and run the command again.",
        )
    for program in PROGRAMS:
        if not any(Path(place, program).exists() for place in FOLDERS):
            raise UserError(
                f"the program {program} is missing on this machine",
                code="Agent.ProgramMissing",
                hint="Install the package util-linux and run the command again.",
            )


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())
