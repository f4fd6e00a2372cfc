"""Windows from rows are what the definitions say, whatever is missing from the rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.catalogue import CATALOGUE, Kind, Type
from nodetide_core.rollup import Sample, counter_windows, gauge_windows, merge_counters, merge_gauges
from nodetide_core.stores.influx.windows import (
    counters_of,
    fields_of,
    merged_windows,
    rolled_fields,
    sampled_windows,
)
from nodetide_core.tiers import align_down

START, GAP = 1_800_000_000, 70
#: Its fields are floats and integers, gauges and counters.
CPU, NET = CATALOGUE["cpu"], CATALOGUE["net"]

_times = st.lists(st.integers(0, 899), min_size=1, max_size=60, unique=True).map(sorted)
_counts = st.one_of(st.none(), st.integers(0, 50), st.integers(0, 2**62))
#: As JSON has them: whole floats are integers.
_numbers = st.one_of(st.none(), st.integers(0, 100), st.floats(0, 1e6))


def expected(kind: Kind, name: str, samples: list[Sample], window: int, before: Sample | None) -> dict[int, Any]:
    """Fields by the start of their window, by the definitions."""
    found: dict[int, dict[str, Any]] = {}
    if kind is Kind.GAUGE:
        for at, gauge in gauge_windows(samples, window).items():
            mean, low, high, count = gauge
            found[at] = {name: mean, f"{name}_min": low, f"{name}_max": high, f"{name}_count": count}
        return found
    known = [before, *samples] if before else samples
    for at, counter in counter_windows(known, window, GAP).items():
        if at >= START:
            found[at] = {name: counter.last}
            if counter.seconds:
                found[at] |= {f"{name}_increase": counter.increase, f"{name}_seconds": counter.seconds}
    return found


def assert_same(found: Mapping[int, Mapping[str, Any]], wanted: Mapping[int, Mapping[str, Any]]) -> None:
    assert {at: fields.keys() for at, fields in found.items()} == {at: fields.keys() for at, fields in wanted.items()}
    for at, fields in wanted.items():
        for name, value in fields.items():
            # What a float has grown by is a difference of large numbers.
            assert math.isclose(found[at][name], value, rel_tol=1e-12, abs_tol=1e-8), (at, name)


@given(
    st.sampled_from([(CPU, "usage_user"), (CPU, "time_user"), (NET, "bytes_recv"), (NET, "speed")]),
    _times,
    st.data(),
    st.sampled_from([60, 300, 900]),
)
def test_windows_of_samples(which, times, data, window):
    measurement, name = which
    field = measurement.by_name[name]
    values = data.draw(st.lists(_numbers if field.type is Type.FLOAT else _counts, min_size=len(times)))
    other = data.draw(st.sampled_from([None, 1]))
    before = data.draw(st.one_of(st.none(), st.builds(Sample, st.integers(START - GAP, START - 1), st.integers(0, 60))))
    rows = [[START + at, other, value] for at, value in zip(times, values, strict=False)]
    samples = [Sample(at, value) for at, _, value in rows if value is not None]
    last = {name: before} if before and field.kind is Kind.COUNTER else {}
    second = next(item for item in fields_of(measurement) if item != name)
    found = sampled_windows(measurement, ["time", second, name], rows, last, window=window, gap=GAP)
    kept = {at: {key: value for key, value in fields.items() if key.startswith(name)} for at, fields in found.items()}
    mine = {at: fields for at, fields in kept.items() if fields}
    assert_same(mine, expected(field.kind, name, samples, window, before))
    for fields in mine.values():
        types = {key.removeprefix(name): type(value) for key, value in fields.items()}
        exact = float if field.type is Type.FLOAT else int
        assert types.pop("") is (float if field.kind is Kind.GAUGE else exact)
        assert all(types[key] is int for key in ("_count", "_seconds") if key in types)
        assert all(types[key] is exact for key in ("_min", "_max", "_increase") if key in types)


@given(_times, st.data())
def test_windows_of_windows(times, data):
    samples = [Sample(START + at, data.draw(st.integers(0, 10**6))) for at in times]
    for measurement, name in ((NET, "bytes_recv"), (NET, "speed"), (CPU, "time_user"), (CPU, "usage_user")):
        kind = measurement.by_name[name].kind
        narrow = expected(kind, name, samples, 60, None)
        columns = ["time", *rolled_fields(measurement)]
        rows = [[at, *(fields.get(column) for column in columns[1:])] for at, fields in sorted(narrow.items())]
        parts = gauge_windows(samples, 60) if kind is Kind.GAUGE else counter_windows(samples, 60, GAP)
        wanted = {}
        for start, group in groupby(sorted(parts.items()), key=lambda item: align_down(item[0], 300)):
            if kind is Kind.GAUGE:
                mean, low, high, count = merge_gauges([part for _, part in group])
                wanted[start] = {name: mean, f"{name}_min": low, f"{name}_max": high, f"{name}_count": count}
            else:
                last, increase, seconds = merge_counters([part for _, part in group])
                wanted[start] = {name: last}
                if seconds:
                    wanted[start] |= {f"{name}_increase": increase, f"{name}_seconds": seconds}
        assert_same(merged_windows(measurement, columns, rows, window=300), wanted)


def test_text_is_not_rolled_up() -> None:
    for measurement in CATALOGUE:
        text = {field.name for field in measurement.fields if field.kind is Kind.INFO}
        assert not text & {*fields_of(measurement), *counters_of(measurement), *rolled_fields(measurement)}
