"""Frames: how a spool's files hold lines so that damage is found and passed over.

A frame is a header and a body (lines, gzipped). The header numbers the lines of the spool from its
beginning of time, so that a reader that had to pass over damage knows how many are missing.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from nodetide_core.stores.influx.packed import Packed

__all__ = ["HEADER_SIZE", "Batch", "Found", "Frame", "encode_frame", "find_frame"]

#: Magic, CRC of the body, length of the body, lines, number of the first line, first and last time; then the CRC
#: of all that.
_FIELDS = struct.Struct(">4sIIIQqq")
_CRC = struct.Struct(">I")
HEADER_SIZE = _FIELDS.size + _CRC.size
_MAGIC = b"nTf1"


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines that a sink took at once, all of one hour.

    Attributes:
        first, last: times of the oldest and newest of them, in Unix seconds.
    """

    packed: Packed
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Frame:
    """A batch as a spool's file holds it.

    Attributes:
        line: number of its first line.
    """

    batch: Batch
    line: int

    @property
    def end(self) -> int:
        """Number of the line after its last."""
        return self.line + self.batch.packed.count


@dataclass(frozen=True, slots=True)
class Found:
    """Where a search ended.

    Attributes:
        frame: None where there is no whole frame any more.
        at: offset behind it.
        damaged: bytes passed over.
        torn: the header, whole, of a frame whose body the file does not have to its end; gives the
            number of the line after it.
    """

    frame: Frame | None
    at: int
    damaged: int = 0
    torn: int | None = None


#: Reads so many bytes at an offset, less where the file ends.
Read = Callable[[int, int], bytes]


def encode_frame(batch: Batch, line: int) -> bytes:
    """The bytes of a batch whose first line has this number."""
    body = batch.packed.data
    fields = _FIELDS.pack(_MAGIC, zlib.crc32(body), len(body), batch.packed.count, line, batch.first, batch.last)
    return fields + _CRC.pack(zlib.crc32(fields)) + body


def find_frame(read: Read, at: int, end: int) -> Found:
    """The first whole frame at or after an offset, over whatever damage lies between.

    Args:
        end: offset up to which the file is read.
    """
    start = at
    torn = None
    while True:
        header = read(at, HEADER_SIZE) if at + HEADER_SIZE <= end else b""
        if not header:
            return Found(None, end, end - start, torn)
        parsed = _parse(header)
        if parsed is not None:
            crc, length, batch_end = parsed[0], parsed[1], parsed[2]
            behind = at + HEADER_SIZE + length
            body = read(at + HEADER_SIZE, length) if behind <= end else None
            if body is not None and zlib.crc32(body) == crc:
                return Found(_frame(header, body), behind, at - start)
            if body is None:
                torn = batch_end
        at = _next_magic(read, at + 1, end)


def _parse(header: bytes) -> tuple[int, int, int] | None:
    """CRC and length of the body, and the number of the line behind it; None if it is no header."""
    if len(header) < HEADER_SIZE or header[:4] != _MAGIC:
        return None
    if zlib.crc32(header[: _FIELDS.size]) != _CRC.unpack_from(header, _FIELDS.size)[0]:
        return None
    _, crc, length, count, line, _, _ = _FIELDS.unpack_from(header)
    return crc, length, line + count


def _frame(header: bytes, body: bytes) -> Frame:
    _, _, _, count, line, first, last = _FIELDS.unpack_from(header)
    return Frame(Batch(Packed(body, count), first, last), line)


def _next_magic(read: Read, at: int, end: int) -> int:
    """Offset of the next bytes that look like a frame, or ``end``."""
    step = 2**16
    while at < end:
        chunk = read(at, min(step, end - at))
        found = chunk.find(_MAGIC)
        if found >= 0:
            return at + found
        if len(chunk) < len(_MAGIC):
            return end
        at += len(chunk) - len(_MAGIC) + 1
    return end
