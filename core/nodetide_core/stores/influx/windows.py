"""Windows of one series, made of an answer's rows as `nodetide_core.rollup` defines them.  Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from nodetide_core.catalogue import Field, Kind, Measurement, Type
from nodetide_core.points import Value
from nodetide_core.rollup import CounterRollup, GaugeRollup, Sample, merge_counters, merge_gauges
from nodetide_core.stores.influx.steps import growth, present

__all__ = ["Windows", "counters_of", "fields_of", "merged_windows", "rolled_fields", "sampled_windows"]

#: The fields of a series' windows, by the start of each.
Windows: TypeAlias = dict[int, dict[str, Value]]

_T = TypeVar("_T")


def fields_of(measurement: Measurement) -> tuple[str, ...]:
    """The fields that are rolled up."""
    return tuple(field.name for field in measurement.fields if field.kind is not Kind.INFO)


def counters_of(measurement: Measurement) -> tuple[str, ...]:
    return tuple(field.name for field in measurement.fields if field.kind is Kind.COUNTER)


def rolled_fields(measurement: Measurement) -> tuple[str, ...]:
    """The same in a tier: all that is held of each."""
    return tuple(name for field in measurement.fields for name in _names(field))


def sampled_windows(
    measurement: Measurement,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    before: Mapping[str, Sample],
    *,
    window: int,
    gap: int,
) -> Windows:
    """Windows of samples.

    Args:
        columns: ``time`` and fields of the measurement.
        rows: in the order of time, and whole windows of them.
        before: by counter, its last sample before the first row, if that is no further back than ``gap``.
    """
    times, *values = zip(*rows, strict=True)
    spans = list(_spans(times, window))
    found: Windows = {start: {} for start, _, _ in spans}
    for name, column in zip(columns[1:], values, strict=True):
        field = measurement.by_name[name]
        # Nearly always a series has all of its fields at each time.
        seconds: Sequence[int] = times
        samples: Sequence[Any] = column
        parts = spans
        if None in column:
            seconds, samples = present(times, column)
            parts = list(_spans(seconds, window))
        last = before.get(name)
        for start, begin, end in parts:
            part = samples[begin:end]
            if field.kind is Kind.GAUGE:
                _put_gauge(found[start], field, GaugeRollup(sum(part) / len(part), min(part), max(part), len(part)))
            else:
                at = seconds[begin:end]
                _put_counter(found[start], field, _grown(last, at, part, gap))
                last = Sample(at[-1], part[-1])
    return {start: fields for start, fields in found.items() if fields}


def merged_windows(
    measurement: Measurement, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, window: int
) -> Windows:
    """Windows of narrower ones.

    Args:
        columns: ``time`` and all `rolled_fields` of the measurement.
        rows: in the order of time.
    """
    times, *values = zip(*rows, strict=True)
    starts = [time - time % window for time in times]
    by_name = dict(zip(columns[1:], values, strict=True))
    found: Windows = {}
    for field in measurement.fields:
        parts = zip(starts, *(by_name[name] for name in _names(field)), strict=True)
        if field.kind is Kind.GAUGE:
            for start, gauges in _grouped((at, GaugeRollup(*held)) for at, *held in parts if None not in held):
                _put_gauge(found.setdefault(start, {}), field, merge_gauges(gauges))
        elif field.kind is Kind.COUNTER:
            # A window without growth has its last value alone.
            for start, counters in _grouped(
                (at, CounterRollup(last, increase or 0, seconds or 0))
                for at, last, increase, seconds in parts
                if last is not None
            ):
                _put_counter(found.setdefault(start, {}), field, merge_counters(counters))
    return found


def _grouped(parts: Iterable[tuple[int, _T]]) -> Iterable[tuple[int, list[_T]]]:
    found: dict[int, list[_T]] = {}
    for start, part in parts:
        found.setdefault(start, []).append(part)
    return found.items()


def _names(field: Field) -> tuple[str, ...]:
    """What a tier holds of a field, in the order of a `GaugeRollup` or a `CounterRollup`."""
    if field.kind is Kind.GAUGE:
        return (field.name, f"{field.name}_min", f"{field.name}_max", f"{field.name}_count")
    if field.kind is Kind.COUNTER:
        return (field.name, f"{field.name}_increase", f"{field.name}_seconds")
    return ()


def _put_gauge(fields: dict[str, Value], field: Field, rollup: GaugeRollup) -> None:
    mean, low, high, count = _names(field)
    fields[mean] = float(rollup.mean)
    fields[low], fields[high], fields[count] = _typed(field, rollup.min), _typed(field, rollup.max), rollup.samples


def _put_counter(fields: dict[str, Value], field: Field, rollup: CounterRollup) -> None:
    last, increase, seconds = _names(field)
    fields[last] = _typed(field, rollup.last)
    if rollup.seconds:
        fields[increase], fields[seconds] = _typed(field, rollup.increase), rollup.seconds


def _typed(field: Field, value: float) -> float:
    """JSON writes a whole float as an integer, and InfluxDB keeps one type for a field."""
    return float(value) if field.type is Type.FLOAT else int(value)


def _spans(times: Sequence[int], window: int) -> Iterator[tuple[int, int, int]]:
    """Start of each window that has samples, and where they begin and end among all."""
    begin = 0
    while begin < len(times):
        start = times[begin] - times[begin] % window
        end = bisect_left(times, start + window, begin)
        yield start, begin, end
        begin = end


def _grown(before: Sample | None, times: Sequence[int], values: Sequence[float], gap: int) -> CounterRollup:
    """One window: its samples, and the one before them."""
    if before is not None and times[0] - before.time <= gap:
        times, values = (before.time, *times), (before.value, *values)
    return CounterRollup(values[-1], *growth(times, values, gap))
