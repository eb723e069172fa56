"""The pieces of an open file: those that hold data, each read whole, with what is no hole in it."""

import errno
import os
import threading
from collections.abc import Iterator

from smc.transfer import native
from smc.wire.messages import PIECE

Extents = tuple[tuple[int, int], ...]  # (offset in the piece, length)
_NONE: Extents = ()
NO_SEEK_HOLE = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOTTY})


class Pieces:
    """Of the first `size` bytes; several threads may read. Raises OSError for what cannot be read."""

    def __init__(self, handle: int, size: int) -> None:
        self._handle = handle
        self._size = size
        self.was_short = False  # a piece had less than `size` promises: the file was shorter for a while
        # Data without holes. Asked for a hole, filesystems in memory look at every page up to it: one asks.
        self._data = (0, 0)
        self._asking = threading.Lock()

    def numbers(self, first: int = 0) -> Iterator[int]:
        """Of the pieces that hold data, from `first` on."""
        number = first
        while (offset := number * PIECE) < self._size:
            start, end = self._data
            if not start <= offset < end:
                at = native.next_data(self._handle, offset)
                if at < 0 or at >= self._size:
                    return
                number = at // PIECE
            yield number
            number += 1

    def length(self, number: int) -> int:
        return min(PIECE, self._size - number * PIECE)

    def read(self, number: int, ahead: int = 0) -> tuple[bytes, Extents]:
        """The piece with zeros in its holes, and the extents that are none; () when there is no hole.

        Padded with zeros when the file became shorter. Behind it are at most `ahead` bytes that follow it.
        """
        offset, length = number * PIECE, self.length(number)
        data, extents = b"", _NONE
        if self._is_data(offset, length):
            data = os.pread(self._handle, length + ahead, offset)
        if len(data) >= length:
            return data, extents
        data, extents = self._read_closely(offset, length)
        return (data + os.pread(self._handle, ahead, offset + length) if ahead else data), extents

    def _read_closely(self, offset: int, length: int) -> tuple[bytes, Extents]:
        """Where there are holes, a read was short, or the file is shorter than it was."""
        data, extents = native.read_piece(self._handle, offset, length)
        if len(data) < length:
            self.was_short = True
            extents = extents or (((0, len(data)),) if data else ())
            data += bytes(length - len(data))
            extents = extents or ((0, length),)
        return data, extents

    def _is_data(self, offset: int, length: int) -> bool:
        start, end = self._data
        if not start <= offset < end:
            with self._asking:
                end = self._end_of_data(offset)
        return offset + length <= end

    def _end_of_data(self, offset: int) -> int:
        """The first hole from `offset` on; `offset` itself where nothing is known of it."""
        start, end = self._data
        if not start <= offset < end:
            try:
                end = os.lseek(self._handle, offset, os.SEEK_HOLE)
            except OSError as e:
                if e.errno not in NO_SEEK_HOLE:  # ENXIO: the file is shorter than it was
                    return offset
                end = self._size
            if end > offset:
                self._data = offset, end
        return end
