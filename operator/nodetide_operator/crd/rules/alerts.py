"""Rules of alerts: what each type needs, which metrics there are, and the bounds of each severity."""

from __future__ import annotations

from collections.abc import Iterator

from nodetide_core.catalogue import CATALOGUE, Kind
from nodetide_core.policy.schema import SEVERITIES
from nodetide_operator.crd.cel import given, strings, text
from nodetide_operator.crd.rule import Rule

__all__ = ["ALERT_RULES"]

_PATH = "spec.alerts[]"
_RELATIONS = ("above", "below", "outside", "inside")
_REFERENCE = "(see the metric reference)"


def _types() -> Iterator[Rule]:
    yield Rule(
        _PATH,
        "self.type != 'flux' || (has(self.flux) && self.flux.trim() != '')",
        "is required for type flux",
        "flux",
    )
    yield Rule(_PATH, "self.type == 'flux' || !has(self.flux)", "is for type flux only", "flux")
    levels = " || ".join(given(severity) for severity in SEVERITIES)
    yield Rule(
        _PATH,
        f"self.type == 'deadman' || {levels}",
        f"types threshold and flux need at least one of {', '.join(SEVERITIES)}",
    )


def _metrics() -> Iterator[Rule]:
    measurements = strings(CATALOGUE.names)
    watched = "self.type == 'flux' || !has(self.metric)"
    yield Rule(
        _PATH, "self.type == 'flux' || has(self.metric)", "is required for the types threshold and deadman", "metric"
    )
    yield Rule(
        _PATH,
        f"{watched} || self.type != 'threshold' || self.metric.contains('.')",
        "must name a field, such as cpu.usage_active, for type threshold",
        "metric",
    )
    yield Rule(
        _PATH,
        f"{watched} || self.metric.split('.')[0] in {measurements}",
        f"is not of a measurement that there is {_REFERENCE}",
        "metric",
        f"self.metric + {text(f' is not of a measurement that there is {_REFERENCE}')}",
    )
    numbers = (f"{m.name}.{field.name}" for m in CATALOGUE for field in m.fields if field.kind is not Kind.INFO)
    # An unknown measurement is the rule before's.
    yield Rule(
        _PATH,
        f"{watched} || !self.metric.contains('.') || !(self.metric.split('.')[0] in {measurements})"
        f" || self.metric in {strings(numbers)}",
        f"is not a field that there is, or not a number {_REFERENCE}",
        "metric",
        f"self.metric + {text(f' is not a field that there is, or not a number {_REFERENCE}')}",
    )


def _counters() -> Iterator[Rule]:
    counters = strings(f"{m.name}.{field.name}" for m in CATALOGUE for field in m.fields if field.kind is Kind.COUNTER)
    of_others = f"self.type != 'threshold' || !has(self.metric) || !(self.metric in {counters})"
    yield Rule(
        _PATH,
        f"!has(self.aggregate) || self.aggregate == 'mean' || {of_others}",
        "must be mean, or left out, for a counter, which is compared by its rate over the window",
        "aggregate",
    )
    yield Rule(
        _PATH, "!has(self.predictAfter) || self.type == 'threshold'", "is for type threshold only", "predictAfter"
    )
    yield Rule(
        _PATH,
        f"!has(self.predictAfter) || {of_others}",
        "is for gauges, and the metric is a counter",
        "predictAfter",
    )


def _level(severity: str) -> Iterator[Rule]:
    here = f"{_PATH}.{severity}"
    bounds = [f"has(self.{severity}.{relation})" for relation in _RELATIONS]
    yield Rule(
        _PATH,
        f"!has(self.{severity}) || self.type == 'deadman' || [{', '.join(bounds)}].filter(b, b).size() == 1",
        f"needs exactly one of {', '.join(_RELATIONS)}",
        severity,
    )
    yield Rule(
        _PATH,
        f"!has(self.{severity}) || self.type != 'deadman'"
        f" || !({' || '.join([*bounds, f'has(self.{severity}.recover)'])})",
        "takes no bounds for type deadman",
        severity,
    )
    for pair in ("outside", "inside"):
        yield Rule(f"{here}.{pair}", "size(self) != 2 || self[0] <= self[1]", "the low bound comes first")
    yield Rule(
        here,
        "!has(self.recover) || has(self.above) || has(self.below)",
        "goes with above or below, not with outside or inside",
        "recover",
    )
    for relation, holds, side in (("above", "<=", "most"), ("below", ">=", "least")):
        yield Rule(
            here,
            f"!has(self.recover) || !has(self.{relation}) || self.recover {holds} self.{relation}",
            f"must be at {side} the bound it recovers from ({relation})",
            "recover",
        )


ALERT_RULES = (*_types(), *_metrics(), *_counters(), *(rule for severity in SEVERITIES for rule in _level(severity)))
