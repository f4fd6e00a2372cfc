"""Lines as they are kept and travel: whole gzip members, which together are a gzip file as they are."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Packed", "compress", "join", "pack", "unpack"]

#: zlib's number for its widest window in gzip's format.
_GZIP = 31
#: Below this size on average, in bytes, members compressed again as one are half as large: ticks repeat each other,
#: and the window of gzip, 32 KiB of text, then reaches back over several.
_SMALL = 6_000


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


def join(packed: Sequence[Packed]) -> bytes:
    """All of them as one gzip file."""
    size = sum(len(each.data) for each in packed)
    if len(packed) < 2 or size / len(packed) > _SMALL:
        return b"".join(each.data for each in packed)
    return compress(b"".join(zlib.decompress(each.data, _GZIP) for each in packed), level=6)


def compress(data: bytes, level: int = 1) -> bytes:
    """A gzip member."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, _GZIP)
    return compressor.compress(data) + compressor.flush()
