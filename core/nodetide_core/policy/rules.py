"""What a MetricPolicy must satisfy across fields, beyond its structure.

Works on a document that already passed `nodetide_core.policy.validate.check`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from nodetide_core.catalogue import CATALOGUE, Kind
from nodetide_core.durations import format_duration, parse_duration
from nodetide_core.errors import Problem
from nodetide_core.policy.instants import parse_instant
from nodetide_core.policy.schema import DEFAULT_INTERVAL, LABEL_KEY, SEVERITIES
from nodetide_core.tiers import RAW

__all__ = ["OURS_ALONE", "RESERVED_TAGS", "check_rules"]

_HOUR = 3_600
#: Tags that points carry already, so that labels must not claim them.
RESERVED_TAGS = frozenset(
    {"host", "time", "_time", "_field", "_measurement"} | {t.name for m in CATALOGUE for t in m.tags}
)

#: Fields of an alert that InfluxDB's own checks and rules have nothing like.
OURS_ALONE = ("for", "keepFiringFor", "predictAfter", "groupBy")

Document = dict[str, Any]


def check_rules(spec: Document, path: str = "spec") -> Iterator[Problem]:
    yield from _collection(spec.get("collection") or {}, f"{path}.collection")
    yield from _storage(spec.get("storage") or {}, f"{path}.storage")
    yield from _selector(spec.get("nodeSelector") or {}, f"{path}.nodeSelector")
    alerts, receivers = spec.get("alerts") or [], spec.get("notify") or []
    yield from _unique([a["name"] for a in alerts], f"{path}.alerts", "name")
    yield from _unique([n["name"] for n in receivers], f"{path}.notify", "name")
    for index, alert in enumerate(alerts):
        yield from _alert(alert, f"{path}.alerts[{index}]")
    for index, receiver in enumerate(receivers):
        yield from _receiver(receiver, f"{path}.notify[{index}]")
    for index, silence in enumerate(spec.get("silences") or []):
        yield from _silence(silence, f"{path}.silences[{index}]")
    if spec.get("alertEngine") == "influxdb":
        yield from _influxdb_alerts(spec, path)


def _collection(collection: Document, path: str) -> Iterator[Problem]:
    interval = parse_duration(collection.get("interval", DEFAULT_INTERVAL))
    if not 1 <= interval <= _HOUR:
        yield Problem(f"{path}.interval", f"must be 1s to 1h, not {collection['interval']}")
    groups = collection.get("groups")
    if groups is not None and not groups:
        yield Problem(f"{path}.groups", "names no group; leave it out for the default set")
    for name, group in (groups or {}).items():
        if not group or "interval" not in group:
            continue
        own = parse_duration(group["interval"])
        if not 1 <= own <= _HOUR:
            yield Problem(f"{path}.groups.{name}.interval", f"must be 1s to 1h, not {group['interval']}")
        elif own < interval:
            yield Problem(
                f"{path}.groups.{name}.interval",
                f"must be at least {path}.interval ({format_duration(interval)}), not {group['interval']}",
            )
    yield from _tags(collection, path)


def _tags(collection: Document, path: str) -> Iterator[Problem]:
    labels, copied = collection.get("labels") or {}, collection.get("nodeLabels") or []
    taken = "is a tag that points carry already"
    for name, value in labels.items():
        here = f"{path}.labels.{name}"
        if name in RESERVED_TAGS:
            yield Problem(here, f"{taken}; choose another name")
        elif not re.fullmatch(LABEL_KEY, name):
            yield Problem(here, f"the name must match {LABEL_KEY}")
        elif not value:
            yield Problem(here, "must not be empty: a tag without a value cannot be stored")
    for index, name in enumerate(copied):
        here = f"{path}.nodeLabels[{index}]"
        if name in RESERVED_TAGS:
            yield Problem(here, f"{name!r} {taken}")
        elif name in labels or name in copied[:index]:
            yield Problem(here, f"{name!r} stands twice among labels and nodeLabels")


def _storage(storage: Document, path: str) -> Iterator[Problem]:
    tiers = storage.get("tiers") or []
    yield from _unique([tier["name"] for tier in tiers], f"{path}.tiers", "name")
    previous: Document | None = None
    previous_window = 0
    for index, tier in enumerate(tiers):
        here = f"{path}.tiers[{index}]"
        retention = parse_duration(tier["retention"])
        if 0 < retention < _HOUR:
            yield Problem(f"{here}.retention", f"must be at least 1h, or 0 for ever, not {tier['retention']}")
        window = parse_duration(tier["window"]) if "window" in tier else 0
        if index == 0:
            if tier["name"] != RAW or window:
                yield Problem(here, "the first tier must be named raw and have no window")
        elif not window:
            yield Problem(f"{here}.window", "is required and greater than 0 for every tier but raw")
        else:
            yield from _window(window, tier, previous_window, previous or {}, here)
        previous, previous_window = tier, window


def _window(window: int, tier: Document, before_window: int, before: Document, here: str) -> Iterator[Problem]:
    if before_window and (window <= before_window or window % before_window):
        yield Problem(
            f"{here}.window",
            f"must be a multiple of the tier before ({format_duration(before_window)}), not {tier['window']}",
        )
    source = parse_duration(before["retention"]) if "retention" in before else 0
    if 0 < source < 2 * window:
        yield Problem(
            f"{here}.window",
            f"the tier before keeps {before['retention']}, and must keep at least twice this window ({tier['window']})",
        )


def _selector(selector: Document, path: str) -> Iterator[Problem]:
    for index, expression in enumerate(selector.get("matchExpressions") or []):
        here = f"{path}.matchExpressions[{index}].values"
        takes_values = expression["operator"] in ("In", "NotIn")
        if takes_values and not expression.get("values"):
            yield Problem(here, f"is required for operator {expression['operator']}")
        if not takes_values and expression.get("values"):
            yield Problem(here, f"must be left out for operator {expression['operator']}")


def _alert(alert: Document, path: str) -> Iterator[Problem]:
    kind = alert["type"]
    every, window = parse_duration(alert.get("every", "30s")), parse_duration(alert.get("window", "1m"))
    if not 5 <= every <= _HOUR:
        yield Problem(f"{path}.every", f"must be 5s to 1h, not {alert['every']}")
    if not 1 <= window <= 24 * _HOUR:
        yield Problem(f"{path}.window", f"must be 1s to 24h, not {alert['window']}")
    if kind == "flux":
        if not alert.get("flux", "").strip():
            yield Problem(f"{path}.flux", "is required for type flux")
    elif "flux" in alert:
        yield Problem(f"{path}.flux", f"is for type flux only, and the type is {kind}")
    if kind != "flux":
        yield from _metric(alert, path)
    yield from _aggregate(alert, path)
    yield from _prediction(alert, path)
    levels = [severity for severity in SEVERITIES if severity in alert]
    if kind == "deadman":
        for severity in levels:
            if set(alert[severity] or {}):
                yield Problem(f"{path}.{severity}", "takes no bounds for type deadman")
    elif not levels:
        yield Problem(path, f"needs at least one of {', '.join(SEVERITIES)}")
    else:
        for severity in levels:
            yield from _level(alert[severity] or {}, f"{path}.{severity}")


def _aggregate(alert: Document, path: str) -> Iterator[Problem]:
    # The default may be written out: it is what a rate is.
    if alert["type"] == "threshold" and alert.get("aggregate", "mean") != "mean" and _kind(alert) is Kind.COUNTER:
        yield Problem(
            f"{path}.aggregate",
            f"must be mean, or left out: {alert['metric']} is a counter, which is compared by its rate over the window",
        )


def _kind(alert: Document) -> Kind | None:
    """Of the field that an alert looks at, if there is one."""
    name, _, field = (alert.get("metric") or "").partition(".")
    known = CATALOGUE.field(name, field)
    return None if known is None else known.kind


def _prediction(alert: Document, path: str) -> Iterator[Problem]:
    if "predictAfter" not in alert:
        return
    kind = _kind(alert)
    if alert["type"] != "threshold":
        yield Problem(f"{path}.predictAfter", f"is for type threshold only, and the type is {alert['type']}")
    elif kind is not None and kind is not Kind.GAUGE:
        yield Problem(f"{path}.predictAfter", f"is for gauges, and {alert['metric']} is a {kind.value}")
    elif not 1 <= parse_duration(alert["predictAfter"]) <= 30 * 24 * _HOUR:
        yield Problem(f"{path}.predictAfter", f"must be 1s to 30d, not {alert['predictAfter']}")


def _silence(silence: Document, path: str) -> Iterator[Problem]:
    if not silence["match"]:
        yield Problem(f"{path}.match", "needs a label; to be told of nothing, take spec.notify out")
    try:
        parse_instant(silence["until"])
    except ValueError:
        yield Problem(f"{path}.until", f"is a day that there is not: {silence['until']}")


def _influxdb_alerts(spec: Document, path: str) -> Iterator[Problem]:
    with_us = "is evaluated by alertEngine nodetide only; leave it out, or the engine"
    for index, alert in enumerate(spec.get("alerts") or []):
        here = f"{path}.alerts[{index}]"
        yield from (Problem(f"{here}.{name}", with_us) for name in OURS_ALONE if name in alert)
        yield from (
            Problem(f"{here}.{severity}.recover", with_us)
            for severity in SEVERITIES
            if "recover" in (alert.get(severity) or {})
        )
    if spec.get("silences"):
        yield Problem(f"{path}.silences", with_us)
    for index, receiver in enumerate(spec.get("notify") or []):
        if receiver["type"] == "alertmanager":
            yield Problem(f"{path}.notify[{index}].type", "alertmanager needs alertEngine nodetide")


def _metric(alert: Document, path: str) -> Iterator[Problem]:
    metric = alert.get("metric")
    if metric is None:
        yield Problem(f"{path}.metric", f"is required for type {alert['type']}")
        return
    name, _, field = metric.partition(".")
    if name not in CATALOGUE:
        yield Problem(f"{path}.metric", f"{name!r} is not a measurement (see the metric reference)")
    elif not field and alert["type"] == "threshold":
        yield Problem(f"{path}.metric", f"must name a field, such as {name}.{CATALOGUE[name].fields[0].name}")
    elif field and (known := CATALOGUE.field(name, field)) is None:
        yield Problem(f"{path}.metric", f"{name!r} has no field {field!r} (see the metric reference)")
    elif field and known is not None and known.kind is Kind.INFO:
        yield Problem(f"{path}.metric", f"{metric} is text and cannot be compared")


def _level(level: Document, path: str) -> Iterator[Problem]:
    given = [relation for relation in ("above", "below", "outside", "inside") if relation in level]
    if len(given) != 1:
        yield Problem(path, "needs exactly one of above, below, outside, inside")
        return
    relation = given[0]
    bounds = level[relation] if isinstance(level[relation], list) else [level[relation]]
    if not all(map(_is_finite, bounds)):
        yield Problem(f"{path}.{relation}", "must be a finite number")
        return
    if len(bounds) == 2 and bounds[0] > bounds[1]:
        yield Problem(f"{path}.{relation}", "the low bound comes first")
    recover = level.get("recover")
    if recover is None:
        return
    if relation in ("outside", "inside"):
        yield Problem(f"{path}.recover", f"goes with above or below, not with {relation}")
    elif not _is_finite(recover):
        yield Problem(f"{path}.recover", "must be a finite number")
    elif (relation == "above" and recover > bounds[0]) or (relation == "below" and recover < bounds[0]):
        side = "at most" if relation == "above" else "at least"
        yield Problem(f"{path}.recover", f"must be {side} the bound it recovers from ({bounds[0]}), not {recover}")


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer beyond every float
        return False


def _receiver(receiver: Document, path: str) -> Iterator[Problem]:
    kind = receiver["type"]
    if kind in ("alertmanager", "http") and "url" not in receiver:
        yield Problem(f"{path}.url", f"is required for type {kind}")
    if kind in ("slack", "pagerduty") and "secretRef" not in receiver:
        yield Problem(f"{path}.secretRef", f"is required for type {kind}")
    if kind in ("slack",) and "url" in receiver:
        yield Problem(f"{path}.url", "a Slack webhook address is a secret; put it in secretRef")


def _unique(names: Sequence[str], path: str, field: str) -> Iterator[Problem]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Problem(f"{path}[{index}].{field}", f"{name!r} stands twice")
