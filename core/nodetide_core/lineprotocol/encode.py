"""Points to line protocol, fast: what does not change in a series is escaped once and kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

from nodetide_core.catalogue import CATALOGUE, Catalogue, Type
from nodetide_core.points import Point, Tags, Value, writable

__all__ = ["Encoder", "encode"]

_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1
#: Of up to 2**20 numbers, none below -_LOW and together at most _SUM, the greatest is below 2**63.
_LOW, _SUM = 2**40, 2**62

_MEASUREMENT = str.maketrans({",": r"\,", " ": r"\ "})
_KEY = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})
_STRING = str.maketrans({'"': r"\"", "\\": r"\\"})


class Encoder:
    """Encodes points with second precision.

    The type on the wire comes from the catalogue, so that one stray value can never make a field
    change its type (InfluxDB then drops the point): a fraction is cut off for an integer field, and
    text for a numeric field left out.  Fields it does not know keep their Python type.  NaN,
    infinities and integers beyond 64 bits are left out, and a point left without fields too.  What
    line protocol cannot carry is written as `make_tags` has it, so that no name and no value can
    end a line early.

    Args:
        extra: tags added to every point; a point's own tags win.
        cache: number of (measurement, tags) objects kept; past it the cache starts afresh, so that churning
            series cannot grow it without bound. Hand out one tags tuple per series, not a new one per point.
    """

    def __init__(self, extra: Tags = (), *, catalogue: Catalogue = CATALOGUE, cache: int = 5_000) -> None:
        self._extra = extra
        self._cache = cache
        self._shapes: dict[tuple[str, Tags], _Shape] = {}
        self._by_id: dict[tuple[str, int], _Shape] = {}
        self._names: dict[str, Mapping[str, tuple[str, Type]]] = {
            measurement.name: {f.name: (f.name.translate(_KEY) + "=", f.type) for f in measurement.fields}
            for measurement in catalogue
        }

    def line(self, point: Point) -> str | None:
        """One line without its newline, or None where no field can be written."""
        lines = self.lines((point,))
        return lines[0] if lines else None

    def lines(self, points: Iterable[Point]) -> list[str]:
        """One line each, less the points that have nothing to write."""
        # One loop with everything in reach: a call per point would cost a tenth of the whole.
        found: list[str] = []
        append, by_id, low, high, least = found.append, self._by_id, -_SUM, _SUM, -_LOW
        for measurement, tags, fields, time in points:
            # By identity first: hashing a tuple of tags costs more than all the rest, and a stream hands
            # out the same tuple every time. The shape holds on to the tuple, so its id stays its own.
            shape = by_id.get((measurement, id(tags)))
            if shape is None:
                shape = self._remember(measurement, tags)
            # A series has the same fields of the same types nearly always: then one format does it all.
            values: list[Any] = [*fields.values()]
            if shape.types == [*map(type, values)] and shape.names == [*fields]:
                numbers = values
                if shape.text:
                    numbers = [value for value in values if type(value) is not str]
                    values = [_quoted(value) if type(value) is str else value for value in values]
                # With none far below zero and a sum in bounds, none is NaN, infinite or beyond 64 bits.
                if low <= sum(numbers) <= high and (not shape.whole or min(numbers) >= least):
                    append(shape.template % (*values, time))
                    continue
            text = self._slow_line(shape, measurement, fields, time)
            if text is not None:
                append(text)
        return found

    def _slow_line(self, shape: _Shape, measurement: str, fields: Mapping[str, Value], time: int) -> str | None:
        known = self._names.get(measurement, {})
        parts: list[str] = []
        formats: list[str] = []
        for name, value in fields.items():
            key, wire = known.get(name) or (writable(name).translate(_KEY) + "=", None)
            text = _text(wire, value)
            if text is not None:
                parts.append(key + text)
                formats.append(_format(key, wire, value))
        if not parts:
            return None
        if len(parts) == len(fields) and all(formats):
            shape.names, shape.types = [*fields], [*map(type, fields.values())]
            shape.whole, shape.text = int in shape.types, str in shape.types
            shape.template = f"{shape.prefix.replace('%', '%%')}{','.join(formats)} %d"
        return f"{shape.prefix}{','.join(parts)} {time}"

    def encode(self, points: Iterable[Point]) -> bytes:
        """UTF-8 lines, each ended by a newline."""
        lines = self.lines(points)
        if not lines:
            return b""
        lines.append("")
        return "\n".join(lines).encode()

    def _remember(self, measurement: str, tags: Tags) -> _Shape:
        if len(self._by_id) >= self._cache:
            self._by_id.clear()
            self._shapes.clear()
        shape = self._shapes.get((measurement, tags))
        if shape is None:
            merged = {**dict(self._extra), **dict(tags)} if self._extra else dict(tags)
            text = writable(measurement).translate(_MEASUREMENT)
            for key in sorted(merged):
                text += f",{writable(key).translate(_KEY)}={writable(merged[key]).translate(_KEY)}"
            shape = self._shapes[(measurement, tags)] = _Shape(text + " ")
        shape.holds.append(tags)
        self._by_id[(measurement, id(tags))] = shape
        return shape


class _Shape:
    """What is known of a series: its escaped prefix, and the format of the fields it last had."""

    __slots__ = ("holds", "names", "prefix", "template", "text", "types", "whole")

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.holds: list[Tags] = []
        self.names: list[str] | None = None
        self.types: list[type] = []
        self.whole = self.text = False
        self.template = ""


def encode(points: Iterable[Point], extra: Tags = ()) -> bytes:
    """Line protocol of a few points; for many, keep an `Encoder`."""
    return Encoder(extra).encode(points)


def _text(wire: Type | None, value: Value) -> str | None:
    """How a value is written, or None where it can't be; ``wire`` is None for unknown fields."""
    if wire is None:
        if isinstance(value, bool):
            return "true" if value else "false"
        wire = Type.INT if isinstance(value, int) else Type.FLOAT if isinstance(value, float) else Type.STRING
    if wire is Type.STRING or isinstance(value, str):
        return _quoted(str(value)) if wire is Type.STRING else None
    try:
        number = float(value)
    except OverflowError:  # an integer beyond every float
        return None
    if not isfinite(number):
        return None
    if wire is Type.FLOAT:
        return repr(number)
    whole = int(value)
    return f"{whole:d}i" if _INT_MIN <= whole <= _INT_MAX else None


def _format(key: str, wire: Type | None, value: Value) -> str:
    """The %-format that writes such a value, or nothing where only the careful way is right."""
    if type(value) is float and wire in (None, Type.FLOAT):
        return f"{key.replace('%', '%%')}%r"
    if type(value) is int and wire in (None, Type.INT):
        return f"{key.replace('%', '%%')}%di"
    if type(value) is str:
        return f"{key.replace('%', '%%')}%s"
    return ""


def _quoted(text: str) -> str:
    # A lone surrogate is no character, and UTF-8 has no bytes for it.
    whole = text if text.isascii() else text.encode("utf-8", "replace").decode()
    return f'"{whole.translate(_STRING)}"'
