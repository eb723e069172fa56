"""What a tool that makes target disks has to say, with what a person can do about it."""

from collections.abc import Iterator
from contextlib import contextmanager

from smc.base.errors import Broken, CommandFailed

MISSING = "No such file or directory"  # ENOENT, of the program itself
BUSY = ("Device or resource busy", "in use", "is mounted", "Can't open", "contains a mounted filesystem")
AGAIN = "Start the job again. If it stays so, delete the job and create it again: it gets another disk then."
WORDS_KEPT = 400  # characters of what the tool printed


@contextmanager
def told(what: str, code: str) -> Iterator[None]:
    """Raises `Broken` with `code`, or `Receiver.ToolMissing`, `Disk.Busy`, in place of `CommandFailed`."""
    try:
        yield
    except CommandFailed as e:
        raise _explained(e, what, code) from e


def _explained(error: CommandFailed, what: str, code: str) -> Broken:
    tool = error.argv[0]
    if error.message == f"{tool}: {MISSING}":
        return Broken(
            f"{what} cannot be made: the intermediate instance has no program {tool}",
            code="Receiver.ToolMissing",
            hint="It could not be installed at the first boot. Let the instance reach the package mirror of"
            f" its image, or install {tool} on it, and start the job again.",
        )
    said = " ".join(error.stderr.split())[-WORDS_KEPT:]
    if any(words in error.stderr for words in BUSY):
        return Broken(
            f"{what} cannot be made: something on the intermediate instance uses the disk ({tool}: {said})",
            code="Disk.Busy",
            hint="Reboot the intermediate instance, which lets go of it, and start the job again.",
        )
    return Broken(
        f"{what} cannot be made: {error.message}{f': {said}' if said else ''}", code=code, hint=AGAIN
    )
