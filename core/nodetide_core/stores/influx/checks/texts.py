"""The Flux of checks.  Pure; whatever users write goes in as string literals.

All are custom checks, for of the kinds that InfluxDB writes itself a threshold replaces the window by ``every``,
knows no bounds counted in, takes ``${`` in a message for Flux, and writes each value under the name of its field,
so that of two alerts on fields of one name and two types only the first works.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from nodetide_core.alerts.levels import levels_of
from nodetide_core.catalogue import Field, Kind
from nodetide_core.policy import Alert, Level
from nodetide_core.store import Stream
from nodetide_core.stores.influx.checks.scripts import PREFIX, Script
from nodetide_core.stores.influx.quoting import flux_string

__all__ = ["ESCAPED", "LEVELS", "READING", "check_text", "offset_of", "rule_every"]

#: InfluxDB's levels by severity.
LEVELS = {"critical": "crit", "warning": "warn", "info": "info"}
#: The column of the value; beginning with ``_``, it cannot be a tag.
READING = "_reading"
#: The column of what a message says after the level, as Slack wants text: so that it holds no mention and no link.
ESCAPED = "_escaped"
_SECOND = 1_000_000_000
#: Seconds for which a deadman looks for series, and how many times its window, if that is more.
_LOOK_BACK, _WINDOWS_BACK = 86_400, 2
#: Annotations that go into the message, in this order.
_SAID = ("summary", "description", "runbook_url")


@dataclass(frozen=True, slots=True)
class _Body:
    """Statements that end in the definition of the readings.

    Attributes:
        imports: import declarations.
        tags: of series that the message names, where a series has them.
    """

    statements: Sequence[str]
    imports: Sequence[str] = ()
    tags: Sequence[str] = ()


def offset_of(every: int) -> int:
    """Seconds that a check waits for what collectors are about to send."""
    return max(1, min(5, every // 5))


def rule_every(every: int) -> int:
    """Seconds between two looks at statuses that come each ``every``: a rule finds a change only where it sees the
    status before, too, and it sees twice its own interval; so one run of the check may be missed."""
    return 2 * every


def check_text(
    name: str,
    alert: Alert,
    stream: Stream,
    *,
    measured: Field | None,
    tags: Sequence[str],
    labels: Mapping[str, str],
    script: Script | None,
) -> str:
    """The whole check, without an id.

    Args:
        measured: the field that the alert looks at, if it looks at one.
        tags: of the alert's measurement.
        labels: tags of its statuses, beside those of the series.
        script: of an alert of type ``flux``.
    """
    body = _of_flux(script) if script is not None else _of_stream(alert, stream, measured, tags)
    imports = dict.fromkeys(
        (f'import {PREFIX}monitor "influxdata/influxdb/monitor"', f'import {PREFIX}strings "strings"', *body.imports)
    )
    every = f"{alert.every}s"
    written = ", ".join(f"{flux_string(key)}: {flux_string(value)}" for key, value in sorted(labels.items()))
    levels = levels_of(alert)
    return "\n".join(
        [
            *imports,
            "",
            f"option task = {{name: {flux_string(name)}, every: {every}, offset: {offset_of(alert.every)}s}}",
            f'check = {{_check_id: "", _check_name: {flux_string(name)}, _type: "custom", tags: {{{written}}}}}',
            *body.statements,
            *_known(name, alert, per_host=script is None),
            f"{PREFIX}said = (r) => {_said(alert, body.tags)}",
            f"{PREFIX}message = (r) => {flux_string(f'{alert.name} is ')} + r._level + {PREFIX}said(r: r)",
            f"{PREFIX}readings |> map(fn: (r) => ({{r with {ESCAPED}: {_escaped(f'{PREFIX}said(r: r)')}}}))"
            f" |> {PREFIX}monitor.check(data: check, messageFn: {PREFIX}message, "
            + ", ".join(
                f"{LEVELS[severity]}: (r) => {PREFIX}known(r: r) and ({_reached(level)})"
                for severity, level in levels.items()
            )
            + ")",
            "",
        ]
    )


def _of_stream(alert: Alert, stream: Stream, measured: Field | None, tags: Sequence[str]) -> _Body:
    measurement = (alert.metric or "").partition(".")[0]
    conditions = [f"r._measurement == {flux_string(measurement)}"]
    if measured is not None:
        conditions.append(f"r._field == {flux_string(measured.name)}")
    conditions += [f"r[{flux_string(key)}] == {flux_string(value)}" for key, value in sorted(alert.filter.items())]
    if alert.type == "deadman":
        steps = _silence()
        seconds = max(_LOOK_BACK, _WINDOWS_BACK * alert.window)
    elif measured is not None and measured.kind is Kind.COUNTER:
        steps = _rate(alert.window, stream.tiers.counter_gap)
        seconds = alert.window + stream.tiers.counter_gap
    else:
        steps = [f"{alert.aggregate}()", _with_reading("float(v: r._value)")]
        seconds = alert.window
    source = [
        f"from(bucket: {flux_string(stream.bucket)})",
        f"range(start: -{seconds}s)",
        f"filter(fn: (r) => {' and '.join(conditions)})",
    ]
    readings = f"{PREFIX}readings = {' |> '.join([*source, *steps, _bare()])}"
    return _Body([readings], tags=("host", *tags) if alert.type != "deadman" else ("host",))


def _of_flux(script: Script) -> _Body:
    """The last row of each table counts, as it does for `nodetide_core.alerts.ports.AlertSource.flux`."""
    last = (
        "tail(n: 1) |> filter(fn: (r) => exists r._value)"
        f" |> reduce(identity: {{{READING}: 0.0}}, fn: (r, accumulator) => ({{{READING}: float(v: r._value)}}))"
        " |> map(fn: (r) => ({r with _time: now(), "
        '_measurement: if exists r._measurement then r._measurement else "flux"}))'
        # InfluxDB writes no status without it.
        f' |> {PREFIX}experimental.group(mode: "extend", columns: ["_measurement"])'
    )
    statements = [*script.statements, f"{PREFIX}readings = ({script.result}) |> {last} |> {_bare()}"]
    imports = (*script.imports, f'import {PREFIX}experimental "experimental"')
    return _Body(statements, imports, ("host",))


def _silence() -> list[str]:
    """Of a host, whichever of its series was heard of last, as `nodetide_core.alerts.grouping.silences`."""
    seconds = f"float(v: int(v: now()) - int(v: r._time)) / {_SECOND}.0"
    keep = 'keep(columns: ["_time", "_measurement", "host"])'
    return ["last()", keep, 'max(column: "_time")', _with_reading(seconds)]


def _rate(window: int, gap: int) -> list[str]:
    """What the counter grew by, over the seconds in which that was seen, as `nodetide_core.rollup` has it."""
    start = f"int(v: now()) - {window * _SECOND}"
    return [
        "difference(nonNegative: true, initialZero: true, keepFirst: true)",
        'elapsed(unit: 1s, columnName: "_seconds")',
        f"filter(fn: (r) => r._seconds <= {gap} and int(v: r._time) >= {start})",
        "reduce(identity: {_grown: 0.0, _over: 0.0}, fn: (r, accumulator) => "
        "({_grown: accumulator._grown + float(v: r._value), _over: accumulator._over + float(v: r._seconds)}))",
        _with_reading("r._grown / r._over"),
    ]


def _with_reading(value: str) -> str:
    return f"map(fn: (r) => ({{r with _time: now(), {READING}: {value}}}))"


def _bare() -> str:
    """What is left would be written with each status."""
    return 'drop(columns: ["_value", "_field", "_start", "_stop", "_grown", "_over"])'


def _known(name: str, alert: Alert, *, per_host: bool) -> Iterator[str]:
    """A status that has none before it is no change to a notification rule, and would never be told of: whoever had
    no status lately begins with ``ok``."""
    seen = (
        f'from(bucket: "_monitoring") |> range(start: -{rule_every(alert.every)}s)'
        f' |> filter(fn: (r) => r._measurement == "statuses" and r._check_name == {flux_string(name)}'
        ' and r._field == "_message") |> last()'
    )
    column = "host" if per_host else "_check_name"
    yield (
        f'{PREFIX}seen = {seen} |> keep(columns: ["{column}"]) |> group() |> distinct(column: "{column}")'
        ' |> findColumn(fn: (key) => true, column: "_value")'
    )
    known = f"not exists r.host or contains(value: r.host, set: {PREFIX}seen)"
    yield f"{PREFIX}known = (r) => {known if per_host else f'length(arr: {PREFIX}seen) > 0'}"


def _reached(level: Level) -> str:
    """As `nodetide_core.alerts.levels.reaching`."""
    low, high = _number(level.bounds[0]), _number(level.bounds[-1])
    value = f"r.{READING}"
    return {
        "above": f"{value} > {low}",
        "below": f"{value} < {low}",
        "inside": f"{value} >= {low} and {value} <= {high}",
        "outside": f"{value} < {low} or {value} > {high}",
    }[level.relation]


def _number(number: float) -> str:
    """A float literal, which has no exponent in Flux."""
    text = format(Decimal(repr(float(number))), "f")
    return text if "." in text else f"{text}.0"


def _escaped(text: str) -> str:
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = f'{PREFIX}strings.replaceAll(v: {text}, t: "{character}", u: "{entity}")'
    return text


def _said(alert: Alert, tags: Iterable[str]) -> str:
    """What follows ``HighCPU is crit``: ``: host=a cpu=cpu-total 97.5``, and below it what the annotations say."""
    named = [
        f'(if exists r[{flux_string(tag)}] then {flux_string(f" {tag}=")} + r[{flux_string(tag)}] else "")'
        for tag in tags
    ]
    said = [flux_string(f"\n{alert.annotations[name]}") for name in _SAID if alert.annotations.get(name)]
    return " + ".join([flux_string(":"), *named, f'" " + string(v: r.{READING})', *said])
