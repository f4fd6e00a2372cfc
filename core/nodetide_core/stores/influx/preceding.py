"""What counters grow from: of each, the last sample before some windows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from nodetide_core.catalogue import Catalogue
from nodetide_core.points import SeriesKey
from nodetide_core.rollup import Sample
from nodetide_core.stores.influx import influxql
from nodetide_core.stores.influx.answers import Rows, ask
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.windows import counters_of

__all__ = ["preceding_samples"]


def preceding_samples(
    caller: Caller,
    found: Iterable[Rows],
    catalogue: Catalogue,
    *,
    bucket: str,
    hosts: frozenset[str],
    start: int,
    gap: int,
) -> Mapping[SeriesKey, Mapping[str, Sample]]:
    """By series and counter, its last sample within ``gap`` seconds before ``start``.

    Args:
        found: samples from ``start`` on; other series and counters may be missing from the answer.

    Raises:
        StoreUnavailable, StoreRejected
    """
    by_key = {rows.key: rows for rows in found}
    counters = {key.measurement: counters_of(catalogue[key.measurement]) for key in by_key}
    counters = {name: fields for name, fields in counters.items() if fields}
    doing = f"reading what counters of {bucket} grow from"

    def read(request: influxql.Request) -> dict[SeriesKey, dict[str, Sample]]:
        return {rows.key: _last(rows) for answer in ask(caller, request, doing=doing) for rows in answer}

    last = read(influxql.points_before(bucket, counters, hosts, start - gap, start))
    # Where the last point of a series has not all of its counters, one before it may have the others.
    partial = {
        key.measurement
        for key, samples in last.items()
        if key in by_key and _has_any(by_key[key], frozenset(counters[key.measurement]) - samples.keys())
    }
    if partial:
        some = {name: counters[name] for name in partial}
        last |= read(influxql.points_of(bucket, some, hosts, start - gap, start))
    return last


def _has_any(rows: Rows, names: Collection[str]) -> bool:
    """Whether one of these columns has a value."""
    at = [index for index, name in enumerate(rows.columns) if name in names]
    return any(row[index] is not None for index in at for row in rows.values)


def _last(rows: Rows) -> dict[str, Sample]:
    """The last sample of each column that has one; the rows are in the order of time."""
    return {
        name: Sample(row[0], row[index])
        for row in rows.values
        for index, name in enumerate(rows.columns)
        if index and row[index] is not None
    }
