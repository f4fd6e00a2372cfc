"""Lines as they are kept and travel: whole gzip members, which can be joined as they are."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

__all__ = ["Packed", "compress", "pack", "unpack"]

#: zlib's number for its widest window in gzip's format.
_GZIP = 31


@dataclass(frozen=True, slots=True)
class Packed:
    """
    Attributes:
        count: of lines; where it is 1, the line may have newlines in its strings, else none has.
    """

    data: bytes
    count: int


def pack(lines: bytes, count: int) -> Packed:
    """Lines, each ended by a newline."""
    return Packed(compress(lines), count)


def unpack(packed: Packed) -> list[bytes]:
    """The lines, each with its newline."""
    lines = zlib.decompress(packed.data, _GZIP)
    return [lines] if packed.count == 1 else [line + b"\n" for line in lines.split(b"\n")[:-1]]


def compress(data: bytes) -> bytes:
    # Level 6 takes twice the time of 1 for a sixth less (docs/adr/0006-spool.md).
    compressor = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
    return compressor.compress(data) + compressor.flush()
