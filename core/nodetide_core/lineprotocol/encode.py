"""Points to line protocol, fast: what does not change in a series is escaped once and kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from nodetide_core.catalogue import CATALOGUE, Catalogue, Type
from nodetide_core.points import Point, Tags, Value

__all__ = ["Encoder", "encode"]

_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1

_MEASUREMENT = str.maketrans({",": r"\,", " ": r"\ "})
_KEY = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})
_STRING = str.maketrans({'"': r"\"", "\\": r"\\"})


class Encoder:
    """Encodes points with second precision.

    The type on the wire comes from the catalogue, so that one stray value can never make a field
    change its type (InfluxDB then drops the point); fields it does not know keep their Python type.
    NaN, infinities and integers beyond 64 bits are left out, and a point left without fields too.

    Args:
        extra: tags added to every point; a point's own tags win.
        cache: number of series whose prefix is kept; past it the cache starts afresh, so that
            churning series cannot grow it without bound.
    """

    def __init__(self, extra: Tags = (), *, catalogue: Catalogue = CATALOGUE, cache: int = 20_000) -> None:
        self._extra = extra
        self._cache = cache
        self._prefixes: dict[tuple[str, Tags], str] = {}
        self._names: dict[str, Mapping[str, tuple[str, Type]]] = {
            measurement.name: {f.name: (f.name.translate(_KEY) + "=", f.type) for f in measurement.fields}
            for measurement in catalogue
        }

    def line(self, point: Point) -> str | None:
        """One line without its newline, or None where no field can be written."""
        measurement, tags, fields, time = point
        known = self._names.get(measurement, {})
        parts: list[str] = []
        for name, value in fields.items():
            text = _typed(known[name], value) if name in known else _untyped(name, value)
            if text is not None:
                parts.append(text)
        if not parts:
            return None
        prefix = self._prefixes.get((measurement, tags))
        if prefix is None:
            prefix = self._remember(measurement, tags)
        return f"{prefix}{','.join(parts)} {time}"

    def lines(self, points: Iterable[Point]) -> list[str]:
        """One line each, less the points that have nothing to write."""
        line = self.line
        return [text for text in map(line, points) if text is not None]

    def encode(self, points: Iterable[Point]) -> bytes:
        """UTF-8 lines, each ended by a newline."""
        lines = self.lines(points)
        if not lines:
            return b""
        lines.append("")
        return "\n".join(lines).encode()

    def _remember(self, measurement: str, tags: Tags) -> str:
        if len(self._prefixes) >= self._cache:
            self._prefixes.clear()
        merged = {**dict(self._extra), **dict(tags)} if self._extra else dict(tags)
        text = measurement.translate(_MEASUREMENT)
        for key in sorted(merged):
            text += f",{key.translate(_KEY)}={merged[key].translate(_KEY)}"
        prefix = self._prefixes[(measurement, tags)] = text + " "
        return prefix


def encode(points: Iterable[Point], extra: Tags = ()) -> bytes:
    """Line protocol of a few points; for many, keep an `Encoder`."""
    return Encoder(extra).encode(points)


def _typed(field: tuple[str, Type], value: Value) -> str | None:
    key, type = field
    if isinstance(value, str) or type is Type.STRING:
        return f'{key}"{str(value).translate(_STRING)}"' if type is Type.STRING else None
    if type is Type.FLOAT:
        number = float(value)
        return f"{key}{number!r}" if math.isfinite(number) else None
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        value = int(value)
    return f"{key}{value:d}i" if _INT_MIN <= value <= _INT_MAX else None


def _untyped(name: str, value: Value) -> str | None:
    key = name.translate(_KEY)
    if isinstance(value, bool):
        return f"{key}={'true' if value else 'false'}"
    if isinstance(value, int):
        return f"{key}={value}i" if _INT_MIN <= value <= _INT_MAX else None
    if isinstance(value, float):
        return f"{key}={value!r}" if math.isfinite(value) else None
    return f'{key}="{value.translate(_STRING)}"'
