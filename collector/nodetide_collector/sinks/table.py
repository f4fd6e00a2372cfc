"""Points as an aligned table, for people."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from nodetide_core.catalogue import CATALOGUE, Field, Unit
from nodetide_core.points import Point, Tags, Value

__all__ = ["render_table"]

_HEADER = ("MEASUREMENT", "SERIES", "FIELD", "VALUE", "UNIT")
_SUFFIX: dict[Unit, str] = {
    Unit.PERCENT: "%",
    Unit.SECONDS: "s",
    Unit.MILLISECONDS: "ms",
    Unit.MICROSECONDS: "µs",
    Unit.KILOHERTZ: "kHz",
    Unit.MEGABITS: "Mbit/s",
    Unit.CELSIUS: "°C",
    Unit.PAGES: "pages",
}
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def render_table(points: Iterable[Point]) -> str:
    """A line per field, under a line with the time and the tags that all points share.

    Bytes are shown in binary units, moments as UTC; every other number as it is.
    """
    ordered = list(points)
    if not ordered:
        return "no points\n"
    common = set.intersection(*(set(point.tags) for point in ordered))
    rows = [_HEADER, *(row for point in ordered for row in _rows(point, common))]
    return f"{_summary(ordered, sorted(common))}\n\n{_align(rows)}"


def _summary(points: Sequence[Point], common: Iterable[tuple[str, str]]) -> str:
    moment = _moment(max(point.time for point in points))
    return "  ".join([moment, *(f"{key}={value}" for key, value in common)])


def _rows(point: Point, common: set[tuple[str, str]]) -> Iterable[tuple[str, ...]]:
    series = _series(point.tags, common)
    measurement = CATALOGUE.get(point.measurement)
    order = [] if measurement is None else list(measurement.by_name)
    fields = sorted(point.fields.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order))
    for name, value in fields:
        yield (point.measurement, series, name, *_shown(value, CATALOGUE.field(point.measurement, name)))


def _series(tags: Tags, common: set[tuple[str, str]]) -> str:
    return " ".join(f"{key}={value}" for key, value in tags if (key, value) not in common) or "-"


def _shown(value: Value, field: Field | None) -> tuple[str, str]:
    unit = Unit.NONE if field is None else field.unit
    if isinstance(value, str) or field is None:
        return str(value), ""
    if unit is Unit.BYTES:
        return _bytes(value)
    if unit is Unit.TIMESTAMP:
        return _moment(int(value)), ""
    return (f"{value:.2f}" if isinstance(value, float) else str(value)), _SUFFIX.get(unit, "")


def _bytes(value: float) -> tuple[str, str]:
    size, index = float(value), 0
    while abs(size) >= 1024 and index < len(_BINARY) - 1:
        size /= 1024
        index += 1
    return (f"{size:.1f}" if index else f"{value:.0f}"), _BINARY[index]


def _moment(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _align(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    lines = []
    for name, series, field, value, unit in rows:
        line = f"{name:<{widths[0]}}  {series:<{widths[1]}}  {field:<{widths[2]}}  {value:>{widths[3]}}  {unit}"
        lines.append(line.rstrip() + "\n")
    return "".join(lines)
