"""Flux texts that make the windows of a tier: the definitions of `nodetide_core.rollup`, for InfluxDB.  Pure.

Upkeep makes them at a tenth of the price (`nodetide_core.stores.influx.making`); these are for when it
does not run.  The same text runs as a task, over the windows that have just ended, and by hand, over
chosen ones.  The same series and time overwrites, so any window may be made again at any time.

What can be is pushed down to storage, which takes a ``from()`` of its own for each aggregate.
Row by row (`elapsed`, `filter` on values) Flux is thirty times slower, so such functions see the
ends of windows only, never all the samples.  Storage evaluates a whole predicate for each series, so
two regular expressions are cheaper than a comparison for each field.  See
docs/adr/0007-influxdb-store.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from nodetide_core.catalogue import Catalogue, Kind, Type
from nodetide_core.store import Stream
from nodetide_core.stores.influx.quoting import flux_string, flux_time
from nodetide_core.stores.influx.state import CLAIM, MEASUREMENT
from nodetide_core.tiers import Tier

__all__ = ["LOOK_BACK", "run_text", "task_offset", "task_text"]

#: Windows that a task makes anew at each run, so that points a little late, one missed run and a claim that was not
#: kept cost nothing.
LOOK_BACK = 2
#: Seconds after the end of a window that a task waits; wider tiers wait for the ones before them.
_OFFSET = 60


def task_text(stream: Stream, tier: Tier, catalogue: Catalogue, *, name: str) -> str:
    """The task that makes each window of ``tier`` when it has ended, unless upkeep has claimed it."""
    window = f"{tier.window}s"
    header = [
        f"option task = {{name: {flux_string(name)}, every: {window}, offset: {task_offset(stream, tier)}s}}",
        f"ended = date.truncate(t: now(), unit: {window})",
        f"claims = from(bucket: {flux_string(tier.bucket(stream.bucket))})"
        " |> range(start: ended, stop: experimental.addDuration(d: 1s, to: ended))"
        f' |> filter(fn: (r) => r._measurement == "{MEASUREMENT}" and r.state == "{CLAIM}")'
        ' |> findColumn(fn: (key) => true, column: "_value")',
        # There is nothing so early, and to find nothing costs InfluxDB next to nothing.
        f"stop = if length(arr: claims) > 0 then {flux_time(0)} else ended",
        f"start = experimental.addDuration(d: -{LOOK_BACK * tier.window}s, to: stop)",
    ]
    return _text([*header, *_body(stream, tier, catalogue, ())])


def task_offset(stream: Stream, tier: Tier) -> int:
    """Seconds after the end of a window that its task runs."""
    return min(_OFFSET * (2 * stream.tiers.tiers.index(tier) - 1), tier.window // 2)


def run_text(
    stream: Stream, tier: Tier, catalogue: Catalogue, *, start: int, stop: int, hosts: Collection[str] = ()
) -> str:
    """Makes the windows of ``[start, stop)``, both starts of windows.

    Args:
        hosts: only series of these; empty: all series.
    """
    header = [f"start = {flux_time(start)}", f"stop = {flux_time(stop)}"]
    return _text([*header, *_body(stream, tier, catalogue, hosts)])


def _text(statements: Sequence[str]) -> str:
    """A whole script, with the packages that it uses."""
    script = "\n".join(statements)
    imports = [f'import "{name}"' for name in ("date", "experimental", "strings") if f"{name}." in script]
    return "\n".join([*imports, "", script, ""])


def _body(stream: Stream, tier: Tier, catalogue: Catalogue, hosts: Collection[str]) -> Iterator[str]:
    source = stream.tiers.source(tier)
    only = ""
    if hosts:
        chosen = " or ".join(f"r.host == {flux_string(host)}" for host in sorted(hosts))
        only = f" |> filter(fn: (r) => {chosen})"
    bucket = flux_string(source.bucket(stream.bucket))
    yield f"source = () => from(bucket: {bucket}) |> range(start: start, stop: stop){only}"
    # What was written need not come back as the answer.
    written = flux_string(tier.bucket(stream.bucket))
    yield f"put = (tables=<-) => tables |> to(bucket: {written}) |> filter(fn: (r) => false)"
    yield from (_from_raw(stream, tier, catalogue, bucket, only) if source.window == 0 else _from_tier(tier, catalogue))


def _from_raw(stream: Stream, tier: Tier, catalogue: Catalogue, bucket: str, only: str) -> Iterator[str]:
    window, gap = f"{tier.window}s", stream.tiers.counter_gap
    # Inside of a piece no two samples are further apart than the gap, so only steps between pieces need a look.
    piece = f"{_piece(tier.window, gap)}s"
    names = _Names(catalogue)
    # A table for each series makes `map` a hundred times slower than one for all, which must be of one type.
    yield (
        "named = (suffix, tables=<-) => tables |> group()"
        " |> map(fn: (r) => ({r with _field: r._field + suffix})) |> put()"
    )
    yield f"gauges = {_matching(names.gauges, names.raw)}"
    yield f"source() |> filter(fn: gauges) |> {_windows(window, 'mean')} |> put() {_yield('mean')}"
    counted = f'{_windows(window, "count")} |> named(suffix: "_count")'
    yield f"source() |> filter(fn: gauges) |> {counted} {_yield('count')}"
    for type in (Type.FLOAT, Type.INT):
        those = f"{type.value}_gauges"
        yield f"{those} = {_matching(_fields(catalogue, Kind.GAUGE, type), names.raw)}"
        for aggregate in ("min", "max"):
            yield (
                f"source() |> filter(fn: {those}) |> {_windows(window, aggregate)}"
                f' |> named(suffix: "_{aggregate}") {_yield(f"{aggregate} {type.value}")}'
            )
    yield f"counters = {_matching(names.counters, names.raw)}"
    yield f"source() |> filter(fn: counters) |> {_windows(window, 'last')} |> put() {_yield('last')}"
    yield f"before = experimental.addDuration(d: -{gap}s, to: start)"
    yield f"reach = () => from(bucket: {bucket}) |> range(start: before, stop: stop){only}"
    for type in (Type.FLOAT, Type.INT):
        kind = type.value
        yield f"{kind}s = {_matching(_fields(catalogue, Kind.COUNTER, type), names.raw)}"
        yield (
            f"{kind}_inside = source() |> filter(fn: {kind}s) |> window(every: {piece})"
            " |> difference(nonNegative: true, initialZero: true) |> sum()"
            ' |> duplicate(column: "_start", as: "_time") |> drop(columns: ["_start", "_stop"])'
        )
        edges = f"reach() |> filter(fn: {kind}s) |> window(every: {piece})"
        yield (
            f'{kind}_ends = union(tables: [{edges} |> first() |> set(key: "end", value: "first"), '
            f'{edges} |> last() |> set(key: "end", value: "last")])'
            ' |> window(every: inf) |> sort(columns: ["_time", "end"])'
            " |> difference(nonNegative: true, initialZero: true, keepFirst: true)"
            ' |> elapsed(unit: 1s, columnName: "seconds")'
            f" |> filter(fn: (r) => r.seconds <= {gap} and r._time >= start)"
        )
        between = (
            f'{kind}_ends |> filter(fn: (r) => r.end == "first")'
            ' |> drop(columns: ["end", "seconds", "_start", "_stop"])'
        )
        yield (
            f"union(tables: [{kind}_inside, {between}]) |> range(start: start, stop: stop) |> {_windows(window, 'sum')}"
            f' |> named(suffix: "_increase") {_yield(f"increase {kind}")}'
        )
        yield (
            f'{kind}_ends |> drop(columns: ["_value", "end"]) |> rename(columns: {{seconds: "_value"}})'
            f' |> {_windows(window, "sum")} |> named(suffix: "_seconds") {_yield(f"seconds {kind}")}'
        )


def _from_tier(tier: Tier, catalogue: Catalogue) -> Iterator[str]:
    window = f"{tier.window}s"
    names = _Names(catalogue)
    counts = _suffixed(names.gauges, "_count")
    sums = _joined(counts, _suffixed(names.counters, "_increase"), _suffixed(names.counters, "_seconds"))
    for aggregate, fields in (
        ("sum", sums),
        ("min", _suffixed(names.gauges, "_min")),
        ("max", _suffixed(names.gauges, "_max")),
        ("last", names.counters),
    ):
        yield f"in_{aggregate} = {_matching(fields, names.rolled)}"
        yield f"source() |> filter(fn: in_{aggregate}) |> {_windows(window, aggregate)} |> put() {_yield(aggregate)}"
    yield f"means = {_matching(names.gauges, names.rolled)}"
    yield f"counts = {_matching(counts, names.rolled)}"
    yield (
        "union(tables: ["
        'source() |> filter(fn: means) |> map(fn: (r) => ({r with part: "mean", _value: float(v: r._value)})), '
        'source() |> filter(fn: counts) |> map(fn: (r) => ({r with part: "count", _value: float(v: r._value), '
        '_field: strings.trimSuffix(v: r._field, suffix: "_count")}))])'
        ' |> pivot(rowKey: ["_time"], columnKey: ["part"], valueColumn: "_value")'
        f" |> window(every: {window})"
        " |> reduce(identity: {sum: 0.0, n: 0.0}, fn: (r, accumulator) =>"
        " ({sum: accumulator.sum + r.mean * r.count, n: accumulator.n + r.count}))"
        " |> map(fn: (r) => ({r with _time: r._start, _value: r.sum / r.n}))"
        f' |> drop(columns: ["sum", "n"]) |> put() {_yield("mean")}'
    )


def _yield(name: str) -> str:
    return f'|> yield(name: "{name}")'


def _piece(window: int, gap: int) -> int:
    """The widest part of a window, of equal ones, that is no wider than the gap."""
    return next(size for size in range(min(window, gap), 0, -1) if window % size == 0)


def _windows(window: str, aggregate: str) -> str:
    return f'aggregateWindow(every: {window}, fn: {aggregate}, createEmpty: false, timeSrc: "_start")'


#: Names of fields by measurement.
_Fields = Mapping[str, frozenset[str]]


class _Names:
    """Which fields raw points and rollups have.

    Attributes:
        raw: all fields of raw points.
        rolled: all fields of a rollup.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.gauges = _fields(catalogue, Kind.GAUGE)
        self.counters = _fields(catalogue, Kind.COUNTER)
        self.raw = _joined(self.gauges, self.counters, _fields(catalogue, Kind.INFO))
        self.rolled = _joined(
            self.gauges,
            self.counters,
            *(_suffixed(self.gauges, suffix) for suffix in ("_min", "_max", "_count")),
            *(_suffixed(self.counters, suffix) for suffix in ("_increase", "_seconds")),
        )


def _fields(catalogue: Catalogue, kind: Kind, *types: Type) -> _Fields:
    """The fields of a kind, of certain types or of any."""
    found = {
        item.name: frozenset(
            known.name for known in item.fields if known.kind is kind and (not types or known.type in types)
        )
        for item in catalogue
    }
    return {name: fields for name, fields in found.items() if fields}


def _suffixed(fields: _Fields, suffix: str) -> _Fields:
    return {name: frozenset(item + suffix for item in names) for name, names in fields.items()}


def _joined(*parts: _Fields) -> _Fields:
    found: dict[str, frozenset[str]] = {}
    for part in parts:
        for name, fields in part.items():
            found[name] = found.get(name, frozenset()) | fields
    return found


def _matching(wanted: _Fields, every: _Fields) -> str:
    """A predicate for the fields wanted, of those that there are.

    Measurements share one expression as long as none has, among its other fields, one that another
    wants.
    """
    groups: list[_Group] = []
    for name in sorted(wanted):
        take, leave = wanted[name], every[name] - wanted[name]
        group = next((group for group in groups if not (group.take & leave or group.leave & take)), None)
        if group is None:
            groups.append(group := _Group())
        group.names.append(name)
        group.take |= take
        group.leave |= leave
    return "(r) => " + " or ".join(
        f"(r._measurement =~ {_one_of(group.names)} and r._field =~ {_one_of(group.take)})" for group in groups
    )


@dataclass(slots=True)
class _Group:
    """Measurements that share an expression, with the fields that it takes and those that it must leave."""

    names: list[str] = field(default_factory=list)
    take: set[str] = field(default_factory=set)
    leave: set[str] = field(default_factory=set)


def _one_of(names: Iterable[str]) -> str:
    return f"/^({'|'.join(sorted(names))})$/"
