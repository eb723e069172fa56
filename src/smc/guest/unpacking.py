"""Unpacking an initramfs with programs of the intermediate instance, where Python has no module for it."""

import os
import tempfile
from pathlib import Path
from typing import BinaryIO

from smc.base.run import Run
from smc.guest import cpio
from smc.guest.cpio import UnknownPacking

UNPACK_SECONDS = 900.0  # seconds natively; emulated up to 100 times slower
UNPACKED_LIMIT = 1 << 30  # on the instance's own disk; real images come to 400 MiB at most
PROGRAMS = {  # packing -> what writes the unpacked bytes to its standard output
    "xz": "xz --decompress --stdout",
    "lzma": "xz --format=lzma --decompress --stdout",
    "bzip2": "bzip2 --decompress --stdout",
    "lz4": "lz4 -d -c",  # also the format of old that the kernel takes
    "lzo": "lzop -d -c",
}
# $1 first byte counted from 1, $2 the image, $3 where to, $4 limit. What lies behind the packed part makes
# some of them complain; what came out is judged instead.
PIPE = 'tail -c "+$1" "$2" | {{ {program} 2>/dev/null || true; }} | head -c "$4" >"$3"'


def names(image: BinaryIO, unknown: UnknownPacking, run: Run) -> list[str]:
    """Every name in the image. Raises `CommandFailed` or `Broken` when this instance cannot unpack it."""
    program = PROGRAMS.get(unknown.packing)
    if program is None:
        raise unknown
    with tempfile.TemporaryDirectory(prefix="smc-initramfs-") as folder:
        to = Path(folder, "unpacked")
        opened = f"/proc/{os.getpid()}/fd/{image.fileno()}"  # the very file, whatever its path leads to now
        run("sh", "-c", f"command -v {program.split()[0]}", timeout=UNPACK_SECONDS)
        words = (str(unknown.start + 1), opened, to, str(UNPACKED_LIMIT))
        run("sh", "-c", PIPE.format(program=program), "sh", *words, timeout=UNPACK_SECONDS)
        with to.open("rb") as unpacked:
            inside = list(cpio.names(unpacked))
    return [*unknown.before, *inside]
