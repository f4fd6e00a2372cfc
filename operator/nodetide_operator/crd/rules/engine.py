"""Rules of what InfluxDB's own checks and notification rules have nothing like.

To name the alert in the message would cost more than the API server allows.
"""

from __future__ import annotations

from collections.abc import Iterator

from nodetide_core.policy.rules import OURS_ALONE
from nodetide_core.policy.schema import SEVERITIES
from nodetide_operator.crd.rule import Rule

__all__ = ["ENGINE_RULES"]

_OURS = "!has(self.alertEngine) || self.alertEngine != 'influxdb'"
_ONLY = "is evaluated by alertEngine nodetide only; leave it out, or the engine"
#: Words that CEL keeps for itself, as Kubernetes spells them.
_ESCAPED = {"for": "__for__"}


def _no_alert(name: str, has: str) -> Rule:
    """Refuses alerts with ``name``; ``has`` is CEL over ``a``, an alert."""
    return Rule("spec", f"{_OURS} || !has(self.alerts) || !self.alerts.exists(a, {has})", f"{name} {_ONLY}", "alerts")


def _rules() -> Iterator[Rule]:
    for name in OURS_ALONE:
        yield _no_alert(name, f"has(a.{_ESCAPED.get(name, name)})")
    recovers = (f"has(a.{severity}) && has(a.{severity}.recover)" for severity in SEVERITIES)
    yield _no_alert("recover", " || ".join(recovers))
    yield Rule("spec", f"{_OURS} || !has(self.silences) || size(self.silences) == 0", _ONLY, "silences")
    yield Rule(
        "spec",
        f"{_OURS} || !has(self.notify) || !self.notify.exists(n, n.type == 'alertmanager')",
        "type alertmanager needs alertEngine nodetide",
        "notify",
    )


ENGINE_RULES = tuple(_rules())
