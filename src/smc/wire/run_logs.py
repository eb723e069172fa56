"""Logs that travel: the end of each file, bounded before and after it is packed."""

import io
from collections.abc import Iterable
from pathlib import Path

import zstandard

from smc.base.errors import UserError
from smc.wire.orders import LogFile

LARGEST_LOG = 1 << 20  # bytes of the end of one file: some ten thousand lines
MOST_FILES = 8
LARGEST_MESSAGE = 12 << 20  # all of them, should nothing compress, in base64


def pack(path: Path) -> LogFile | None:
    """None for one that is not there or cannot be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(max(0, size - LARGEST_LOG))
            content = file.read(LARGEST_LOG)
    except OSError:
        return None
    return LogFile(name=path.name, content=zstandard.ZstdCompressor().compress(content)) if content else None


def pack_all(paths: Iterable[Path]) -> tuple[LogFile, ...]:
    found = (pack(path) for path in paths)
    return tuple(file for file in found if file is not None)[:MOST_FILES]


def unpack(file: LogFile) -> bytes:
    """Never more than `LARGEST_LOG` bytes, whatever was sent. Raises `UserError` (`Logs.Invalid`)."""
    try:
        with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(file.content)) as reader:
            return reader.read(LARGEST_LOG)
    except zstandard.ZstdError as e:
        raise UserError(f"the log {file.name[:60]!r} cannot be unpacked", code="Logs.Invalid") from e
