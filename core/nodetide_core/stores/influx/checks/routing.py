"""Which alerts InfluxDB is to tell which receivers of.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nodetide_core.alerts.levels import levels_of
from nodetide_core.errors import StoreRejected
from nodetide_core.policy import Alert, Notify, Policy
from nodetide_core.stores.influx.checks.marking import fingerprint
from nodetide_core.stores.influx.checks.texts import LEVELS, rule_every

__all__ = ["SEVERITY", "Route", "fixed_labels", "matching", "route_of"]

#: Labels that each status has; a policy's own cannot have these names.
_ALERT, _POLICY, _NAMESPACE, SEVERITY = "alertname", "policy", "namespace", "severity"
#: What Flux takes for an expression inside of a string, in places where InfluxDB lets nobody write it otherwise.
_INTERPOLATION = "${"


def fixed_labels(alert: Alert, policy: Policy) -> Mapping[str, str]:
    """Of every status of an alert, beside its level."""
    return {_ALERT: alert.name, _POLICY: policy.name, _NAMESPACE: policy.namespace}


@dataclass(frozen=True, slots=True)
class Route:
    """The way of an alert's statuses to a receiver."""

    receiver: str
    every: int
    levels: tuple[str, ...]
    tags: tuple[tuple[str, str], ...]

    @property
    def tag(self) -> str:
        return f"_to_{self.receiver}"

    @property
    def name(self) -> str:
        only = f" {fingerprint(repr(self.tags))[:8]}" if self.tags else ""
        return f"{self.every}s {'+'.join(self.levels)}{only}"


def matching(receiver: Notify) -> Notify:
    """The receiver, if InfluxDB can match what it matches.

    Raises:
        StoreRejected
    """
    for key, value in receiver.match.items():
        if _INTERPOLATION in key + value or not key or not value:
            raise StoreRejected(
                f"it matches {key!r}: {value!r}; in InfluxDB's rules neither may be empty, or have {_INTERPOLATION}"
            )
    return receiver


def route_of(receiver: Notify, alert: Alert, policy: Policy) -> Route | None:
    """None: the receiver is not told of the alert."""
    known = {**alert.labels, **fixed_labels(alert, policy)}
    severities = [item for item in LEVELS if item in levels_of(alert) and item in receiver.severities]
    if SEVERITY in receiver.match:
        severities = [item for item in severities if item == receiver.match[SEVERITY]]
    elsewhere = any(known[key] != value for key, value in receiver.match.items() if key in known)
    if elsewhere or not severities:
        return None
    levels = tuple(LEVELS[severity] for severity in severities)
    tags = tuple(sorted((key, value) for key, value in receiver.match.items() if key not in (SEVERITY, *known)))
    return Route(receiver.name, rule_every(alert.every), levels, tags)
