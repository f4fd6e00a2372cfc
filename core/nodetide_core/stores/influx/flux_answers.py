"""InfluxDB's answers to Flux, read: annotated CSV.  Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from math import isfinite

from nodetide_core.alerts.model import Reading
from nodetide_core.errors import StoreRejected
from nodetide_core.points import make_tags
from nodetide_core.stores.influx.failures import in_answer

__all__ = ["readings"]

_NUMBERS = frozenset({"double", "long", "unsignedLong"})
_VALUE = "_value"
Row = Mapping[str, str]


def readings(answer: bytes, *, limit: int) -> list[Reading]:
    """The ``_value`` of the last row of each table, with its string columns; those that begin with ``_`` and
    ``result`` are no tags.  A table that ends without a number gives no reading.

    Args:
        limit: rows of the longest answer.

    Raises:
        StoreRejected: the query failed as it ran, gives no numbers, or too many rows.
        StoreUnavailable: InfluxDB failed over it.
    """
    found = []
    rows = 0
    for types, tables in _sections(answer):
        for table in tables:
            rows += len(table)
            if rows > limit:
                raise StoreRejected(f"the query gives more than {limit} rows; group or limit them")
            reading = _reading(types, table[-1])
            if reading is not None:
                found.append(reading)
    return found


def _sections(answer: bytes) -> Iterator[tuple[Mapping[str, str], Sequence[Sequence[Row]]]]:
    """The type of each column, and the tables that have these columns."""
    try:
        lines = list(csv.reader(io.StringIO(answer.decode(), newline="")))
    except (csv.Error, UnicodeDecodeError) as error:
        raise StoreRejected(f"the answer to the query cannot be read: {error}") from None
    for filled, group in groupby(lines, key=bool):
        if filled:
            yield from _section(list(group))


def _section(lines: Sequence[Sequence[str]]) -> Iterator[tuple[Mapping[str, str], Sequence[Sequence[Row]]]]:
    annotations = {line[0]: line for line in lines if line[0].startswith("#")}
    header, *body = [line for line in lines if not line[0].startswith("#")] or [[]]
    defaults = annotations.get("#default", [""] * len(header))
    rows = [
        {name: cell or default for name, cell, default in zip(header, line, defaults, strict=False)} for line in body
    ]
    if "error" in header and "table" not in header:
        # Rows may have been sent before it failed.
        raise in_answer("; ".join(row["error"] for row in rows), "the query")
    types = dict(zip(header, annotations.get("#datatype", ()), strict=False))
    yield types, [list(table) for _, table in groupby(rows, key=lambda row: (row.get("result"), row.get("table")))]


def _reading(types: Mapping[str, str], row: Row) -> Reading | None:
    if types.get(_VALUE) not in _NUMBERS:
        what = f"a column _value of numbers, and has {types[_VALUE]}s" if _VALUE in types else "a column _value"
        raise StoreRejected(f"the query must give {what}; it gives {', '.join(name for name in types if name)}")
    if not row[_VALUE] or not isfinite(value := float(row[_VALUE])):
        return None
    tags = {name: row[name] for name, kind in types.items() if kind == "string" and _is_tag(name)}
    return Reading(make_tags(tags), value)


def _is_tag(name: str) -> bool:
    return not name.startswith("_") and name not in ("result", "table")
