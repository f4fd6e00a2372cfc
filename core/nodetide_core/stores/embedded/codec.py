"""Columns of numbers as compressed bytes and back, exactly, bit by bit. Pure.

A column is encoded in whichever of these ways fits and is smallest:

- ``C``: one value throughout;
- ``D``: at most 256 different values, one byte each;
- ``I``: whole numbers, as differences;
- ``S``: decimals that are whole numbers over 100 or 1000, as differences of those;
- ``R``: the bytes themselves, first bytes together, then second bytes, and so on.

Every chunk begins with a CRC over its content and its place, because SQLite does not check pages.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from collections.abc import Sequence
from itertools import accumulate
from operator import sub
from typing import Any, NamedTuple, TypeAlias

__all__ = ["Chunk", "Damaged", "Numbers", "decode", "encode"]

#: ``array('d')`` or ``array('q')``; `Any` because mypy cannot say one of two element types here.
Numbers: TypeAlias = "array[Any]"

_LEVEL = 6
_WIDTHS = (("b", 7), ("h", 15), ("i", 31), ("q", 63))
_SCALES = (100, 1000)
_PLACE = struct.Struct("<qqqi")


class Damaged(ValueError):
    """The bytes of a chunk are not those that were written."""


class Chunk(NamedTuple):
    """One slot over one block of time.

    Attributes:
        first: Unix time of the first sample.
        step: seconds between samples; 0 when they are uneven and the times are in ``data``.
        samples: how many.
    """

    first: int
    step: int
    samples: int
    data: bytes


def encode(slot: int, times: Sequence[int], values: Numbers) -> Chunk:
    """
    Args:
        times: ascending Unix seconds, at least one.
        values: as many; ``array('d')`` finite, or ``array('q')``.
    """
    count = len(times)
    first = times[0]
    step = 1 if count == 1 else times[1] - first
    if step > 0 and times[-1] - first == step * (count - 1) and _even(times, step):
        body = _pack_values(values)
    else:
        step = 0
        packed = _pack_integers(array("q", times))
        body = len(packed).to_bytes(4, "little") + packed + _pack_values(values)
    return Chunk(first, step, count, _crc(slot, first, step, count, body) + body)


def decode(slot: int, chunk: Chunk, code: str) -> tuple[Sequence[int], Sequence[Any]]:
    """Times and values; ``code`` is the type code of the array that was encoded.

    Raises:
        Damaged: the chunk is not what `encode` gave for this slot.
    """
    first, step, count, data = chunk
    body = data[4:]
    if data[:4] != _crc(slot, first, step, count, body):
        raise Damaged("checksum mismatch")
    if step:
        return range(first, first + step * count, step), _unpack_values(body, count, code)
    end = 4 + int.from_bytes(body[:4], "little")
    return _unpack_integers(body[4:end]), _unpack_values(body[end:], count, code)


def _crc(slot: int, first: int, step: int, count: int, body: bytes) -> bytes:
    return zlib.crc32(body, zlib.crc32(_PLACE.pack(slot, first, step, count))).to_bytes(4, "little")


def _even(times: Sequence[int], step: int) -> bool:
    return isinstance(times, range) or all(map(step.__eq__, map(sub, times[1:], times)))


def _pack_values(values: Numbers) -> bytes:
    bits = array("q", values.tobytes())
    distinct = set(bits)
    if len(distinct) == 1:
        return b"C" + bits[:1].tobytes()
    ways = []
    if len(distinct) <= 256:
        keys = array("q", sorted(distinct))
        index = {key: at for at, key in enumerate(keys)}
        ways.append(
            b"D" + bytes([len(keys) - 1]) + keys.tobytes() + zlib.compress(bytes(map(index.__getitem__, bits)), _LEVEL)
        )
    whole = values if values.typecode == "q" else _as_integers(values, 1)
    if whole is not None:
        ways.append(b"I" + _pack_integers(whole))
    else:
        ways.extend(_scaled(values))
    return min(ways, key=len) if ways else b"R" + zlib.compress(_planes(values.tobytes(), 8), _LEVEL)


def _scaled(values: Numbers) -> list[bytes]:
    for at, scale in enumerate(_SCALES):
        found = _as_integers(values, scale)
        if found is not None:
            return [b"S" + bytes([at]) + _pack_integers(found)]
    return []


def _as_integers(values: Numbers, scale: int) -> array[int] | None:
    """The integers that, divided by ``scale``, give these floats to the last bit; or None."""
    # Most columns that do not fit show it at once.
    return None if _scaled_exactly(values[:4], scale) is None else _scaled_exactly(values, scale)


def _scaled_exactly(values: Numbers, scale: int) -> array[int] | None:
    try:
        found = array("q", [round(value * scale) for value in values] if scale > 1 else map(int, values))
    except OverflowError:
        return None
    return found if array("d", [value / scale for value in found]).tobytes() == values.tobytes() else None


def _pack_integers(values: array[int]) -> bytes:
    """The first one, then differences in the narrowest width that holds them all."""
    steps = list(map(sub, values[1:], values))
    low, high = (min(steps), max(steps)) if steps else (0, 0)
    for width, bits in _WIDTHS:
        if -(1 << bits) <= low and high < (1 << bits):
            narrow = array(width, steps)
            planes = _planes(narrow.tobytes(), narrow.itemsize)
            return width.encode() + values[:1].tobytes() + zlib.compress(planes, _LEVEL)
    # Differences of 64-bit numbers may need 65.
    return b"=" + zlib.compress(_planes(values.tobytes(), 8), _LEVEL)


def _unpack_integers(data: bytes) -> list[int]:
    width = chr(data[0])
    if width == "=":
        return array("q", _unplanes(zlib.decompress(data[1:]), 8)).tolist()
    steps = array(width)
    steps.frombytes(_unplanes(zlib.decompress(data[9:]), steps.itemsize))
    return list(accumulate(steps, initial=array("q", data[1:9])[0]))


def _unpack_values(data: bytes, count: int, code: str) -> Sequence[Any]:
    way = data[:1]
    if way == b"C":
        return array(code, data[1:]).tolist() * count
    if way == b"D":
        end = 2 + 8 * (data[1] + 1)
        return list(map(array(code, data[2:end]).tolist().__getitem__, zlib.decompress(data[end:])))
    if way == b"I":
        whole = _unpack_integers(data[1:])
        return whole if code == "q" else list(map(float, whole))
    if way == b"S":
        scale = _SCALES[data[1]]
        return [value / scale for value in _unpack_integers(data[2:])]
    return array(code, _unplanes(zlib.decompress(data[1:]), 8)).tolist()


def _planes(data: bytes, width: int) -> bytes:
    return data if width == 1 else b"".join(data[at::width] for at in range(width))


def _unplanes(data: bytes, width: int) -> bytes:
    if width == 1:
        return data
    count = len(data) // width
    out = bytearray(len(data))
    for at in range(width):
        out[at::width] = data[at * count : (at + 1) * count]
    return bytes(out)
