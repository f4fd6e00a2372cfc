"""What an alert looks at, in PromQL, over the names and labels of the API's ``/metrics``.  Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from nodetide_core.catalogue import CATALOGUE, Field, Kind, Measurement, label_name, prometheus_name
from nodetide_core.durations import format_duration
from nodetide_core.points import writable
from nodetide_core.policy.spec import Alert, Level, Policy

__all__ = ["HELD", "LAST_SAMPLE", "held", "reached", "series_labels", "silent"]

#: Series in which a rule keeps that a level is reached, where it is left at another value than it is reached at.
HELD = "nodetide_alert_held"
#: What the API says of when it last had a sample, by measurement and by the labels that all series of a node have.
LAST_SAMPLE = "nodetide_last_sample_timestamp_seconds"
_STORE_UP = "nodetide_api_store_up"

_OVER_TIME = {"mean": "avg", "min": "min", "max": "max", "last": "last"}
_UNREADABLE = "\ufffd"
_MEANS_MORE = re.compile(r"[\\.+*?()|\[\]{}^$]")
#: Seconds for which a series that is silent is remembered, at least.
_DAY = 86_400


def series_labels(policy: Policy, alert: Alert) -> tuple[str, ...]:
    """Labels that tell one series of the alert from another, sorted: the cluster's, and those of `Alert.group_by`,
    else of a deadman the host, of others all that a series may have. Labels that Prometheus adds for where it
    scrapes are not among them."""
    tags: Iterable[str] = alert.group_by or ("host",)
    if not alert.group_by and alert.type != "deadman":
        collection = policy.collection
        own = (tag.name for tag in _measured(alert)[0].tags)
        tags = ("host", *own, *collection.labels, *collection.node_labels)
    return tuple(sorted({"cluster", *map(label_name, tags)}))


def reached(policy: Policy, alert: Alert, level: Level) -> str:
    """Series of which the level is reached, with their values."""
    value, by = _value(policy, alert), _by(policy, alert)
    low, high = _number(level.bounds[0]), _number(level.bounds[-1])
    if level.relation == "above":
        return f"max {by} ({value}) > {low}"
    if level.relation == "below":
        return f"min {by} ({value}) < {low}"
    if level.relation == "inside":
        return f"max {by} ({value} >= {low} <= {high})"
    return f"max {by} ({value}) > {high} or min {by} ({value}) < {low}"


def held(policy: Policy, alert: Alert, severity: str) -> tuple[str, str, Mapping[str, str]]:
    """For a level with ``recover``, a rule that records `HELD` while it is reached, and is asked for its own last
    outcome: the series ALERTS would not do, which goes on while an alert is kept firing.

    Returns:
        What to record, what of it makes the alert, and the labels of what is recorded.
    """
    level = alert.levels[severity]
    (bound,) = level.recover or level.bounds
    name = f"{policy.namespace}/{policy.name}"
    identity = {"nodetide_policy": name, "nodetide_alert": alert.name, "nodetide_severity": severity}
    before = HELD + _matchers(identity)
    labels = ", ".join(series_labels(policy, alert))
    aggregate, relation = ("max", ">=") if level.relation == "above" else ("min", "<=")
    value, by = _value(policy, alert), _by(policy, alert)
    still = f"{aggregate} {by} ({value}) {relation} {_number(bound)}"
    record = f"{reached(policy, alert, level)} or ({still} and on ({labels}) {before})"
    return record, f"{aggregate} {by} ({before})", identity


def silent(policy: Policy, alert: Alert) -> str:
    """Series seen lately that are silent for longer than the window, with the seconds of it; with the window, where
    the alert looks at some of a node's series only, of which the API does not tell the time.

    Silence counts as of the newest scrape at which the store answered: where nobody can be asked, nobody is silent.
    """
    measurement, field = _measured(alert)
    by, window = _by(policy, alert), alert.window
    back = format_duration(max(_DAY, 2 * window))
    if {tag.name for tag in measurement.tags}.isdisjoint({*alert.filter, *alert.group_by}):
        of_node = LAST_SAMPLE + _matchers(_filter(policy, alert), measurement=measurement.name)
        asked = f"scalar(max(timestamp({_STORE_UP}) and {_STORE_UP} == 1))"
        return f"{asked} - max {by} (last_over_time({of_node}[{back}])) > {window}"
    selector = prometheus_name(measurement, field) + _matchers(_filter(policy, alert))
    seen = f"group {by} (last_over_time({selector}[{back}]))"
    lately = f"group {by} (last_over_time({selector}[{format_duration(window)}]))"
    asked = f"(time() - timestamp({_STORE_UP}) < {window} and {_STORE_UP} == 1)"
    return f"({window} * {seen} unless {lately}) and on () {asked}"


def _value(policy: Policy, alert: Alert) -> str:
    measurement, field = _measured(alert)
    selector = prometheus_name(measurement, field) + _matchers(_filter(policy, alert))
    window = f"{selector}[{format_duration(alert.window)}]"
    if alert.predict_after:
        return f"predict_linear({window}, {alert.predict_after})"
    if field.kind is Kind.COUNTER:
        return f"rate({window})"
    return f"{_OVER_TIME[alert.aggregate]}_over_time({window})"


def _measured(alert: Alert) -> tuple[Measurement, Field]:
    """A field stands for its measurement where none is named."""
    name, _, field = (alert.metric or "").partition(".")
    measurement = CATALOGUE[name]
    numeric = next(item for item in measurement.fields if item.kind is not Kind.INFO)
    return measurement, measurement.by_name.get(field, numeric)


def _filter(policy: Policy, alert: Alert) -> list[tuple[str, str]]:
    """The policy's own labels are what tells its series from those of others."""
    return [*alert.filter.items(), *policy.collection.labels.items()]


def _matchers(pairs: Mapping[str, str] | Iterable[tuple[str, str]], **more: str) -> str:
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    found = sorted({f"{label_name(key)}{_equals(writable(value))}" for key, value in (*items, *more.items())})
    return f"{{{', '.join(found)}}}" if found else ""


def _equals(text: str) -> str:
    """What a label must be; JSON writes strings as PromQL reads them. In the sign of what could not be read, which
    names of mounts may hold, Prometheus sees a mistake; there, any character will do."""
    if _UNREADABLE not in text:
        return "=" + json.dumps(text, ensure_ascii=False)
    pattern = _MEANS_MORE.sub(r"\\\g<0>", text).replace(_UNREADABLE, ".")
    return "=~" + json.dumps(pattern, ensure_ascii=False)


def _by(policy: Policy, alert: Alert) -> str:
    return f"by ({', '.join(series_labels(policy, alert))})"


def _number(value: float) -> str:
    return repr(float(value)).removesuffix(".0")
