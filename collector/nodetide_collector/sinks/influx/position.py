"""One number in a file, written in place: how far a spool has been acknowledged."""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from pathlib import Path

__all__ = ["Position"]

_NUMBER = struct.Struct(">Q")
_WHOLE = struct.Struct(">QI")


class Position:
    """
    Raises:
        OSError: the file cannot be made or opened.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def read(self) -> int:
        """The number; 0 where there is none or it is damaged: then more than needed is sent again."""
        data = os.pread(self._descriptor, _WHOLE.size, 0)
        if len(data) < _WHOLE.size:
            return 0
        number, crc = _WHOLE.unpack(data)
        return int(number) if crc == zlib.crc32(data[: _NUMBER.size]) else 0

    def write(self, number: int) -> None:
        """Keep a number; where that fails, the one before stays, and more than needed is sent again."""
        data = _NUMBER.pack(number)
        with contextlib.suppress(OSError):
            os.pwrite(self._descriptor, _WHOLE.pack(number, zlib.crc32(data)), 0)

    def close(self) -> None:
        os.close(self._descriptor)
