"""Samples of a few fields in Flux: the query, and its answer read.  Pure."""

from __future__ import annotations

import csv
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from nodetide_core.errors import StoreRejected, StoreUnavailable
from nodetide_core.points import SeriesKey
from nodetide_core.store import RangeQuery
from nodetide_core.stores.influx.failures import in_answer
from nodetide_core.stores.influx.quoting import flux_string, flux_time

__all__ = ["ANNOTATIONS", "Found", "Samples", "last_text", "read_samples", "samples_text"]

#: That `read_samples` needs.
ANNOTATIONS = ("datatype",)
_NUMBERS = {"double": float, "long": int, "unsignedLong": int}
#: What an answer that is no error begins its columns with.
_FIRST = ["", "result", "table", "_time", "_value"]
_LINE = "\r\n"
#: Characters of a time as far as the seconds.
_TO_SECONDS = 19


class Samples(NamedTuple):
    """In the order of time."""

    times: Sequence[int]
    values: Sequence[float]


#: By series and field.
Found: TypeAlias = Mapping[tuple[SeriesKey, str], Samples]


def samples_text(query: RangeQuery, start: int) -> str:
    """The samples of ``[start, query.stop)``."""
    return _text(query, start, query.stop, "")


def last_text(query: RangeQuery, start: int, stop: int) -> str:
    """The last of ``[start, stop)`` of each series and field."""
    return _text(query, start, stop, " |> last()")


def _text(query: RangeQuery, start: int, stop: int, reduced: str) -> str:
    wanted = [
        f"r._measurement == {flux_string(query.measurement)}",
        _one_of("_field", query.fields),
        *(_one_of(tag, values) for tag, values in sorted(query.tags.items())),
    ]
    # What is the same in every row need not come with each.
    return (
        f"from(bucket: {flux_string(query.tier.bucket(query.bucket))})"
        f" |> range(start: {flux_time(start)}, stop: {flux_time(stop)})"
        f" |> filter(fn: (r) => {' and '.join(wanted)}){reduced}"
        ' |> drop(columns: ["_start", "_stop", "_measurement"])'
    )


def _one_of(column: str, values: Iterable[str]) -> str:
    return f"({' or '.join(f'r[{flux_string(column)}] == {flux_string(value)}' for value in sorted(values))})"


def read_samples(answer: bytes, measurement: str, *, doing: str) -> Found:
    """
    Args:
        answer: in CSV with `ANNOTATIONS`.

    Raises:
        StoreUnavailable, StoreRejected: the query failed as it ran, or gives no numbers.
    """
    found: dict[tuple[SeriesKey, str], Samples] = {}
    try:
        for part in answer.decode().split(_LINE * 2):
            lines = part.strip(_LINE).split(_LINE)
            if lines != [""]:
                found.update(_tables(lines, measurement, doing))
    except (csv.Error, ValueError, IndexError) as error:
        raise StoreUnavailable(f"{doing}: the answer broke off") from error
    return found


def _tables(lines: Sequence[str], measurement: str, doing: str) -> Iterator[tuple[tuple[SeriesKey, str], Samples]]:
    """Those that have the same columns."""
    begin = 1 + lines[0].startswith("#")
    kinds, header, rows = _cells(lines[0]), _cells(lines[begin - 1]), lines[begin:]
    if header[: len(_FIRST)] != _FIRST:
        at = header.index("error")
        raise in_answer("; ".join(row[at] for row in csv.reader(rows)), doing)
    names = header[len(_FIRST) :]
    field_at = names.index("_field")
    start = 0
    while start < len(rows):
        _, result, table, time, value, *same = _cells(rows[start])
        number = _NUMBERS.get(kinds[len(_FIRST) - 1])
        if number is None:
            raise StoreRejected(f"{doing}: {same[field_at]} is no number there")
        # In the rows of one table all is the same but the time and the value; so the text between these goes at once,
        # for to take each row apart would take four times as long.
        before = f",{result},{table},"
        after = rows[start][len(f"{before}{time},{value}") :]
        stop = bisect_left(rows, True, start, key=lambda row: not row.startswith(before))
        inner = _LINE.join(rows[start:stop])[len(before) : -len(after)]
        cells = inner.replace(f"{after}{_LINE}{before}", ",").split(",")
        tags = {name: cell for at, (name, cell) in enumerate(zip(names, same, strict=True)) if cell and at != field_at}
        samples = Samples([*map(_seconds, cells[::2])], [*map(number, cells[1::2])])
        yield (SeriesKey(measurement, tuple(sorted(tags.items()))), same[field_at]), samples
        start = stop


def _cells(line: str) -> list[str]:
    return next(csv.reader([line]))


@lru_cache(maxsize=4_096)
def _seconds(time: str) -> int:
    return int(datetime.fromisoformat(time[:_TO_SECONDS]).replace(tzinfo=timezone.utc).timestamp())
