"""The alerts that are to be evaluated, each with its policy. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from nodetide_core.alerts.levels import levels_of
from nodetide_core.policy.spec import Alert, Level, Policy

__all__ = ["AlertName", "Rule", "rules_of"]


class AlertName(NamedTuple):
    """One alert of one policy, by the raw bucket of its stream."""

    bucket: str
    alert: str


@dataclass(frozen=True, slots=True)
class Rule:
    policy: Policy
    alert: Alert
    levels: Mapping[str, Level]

    @property
    def name(self) -> AlertName:
        return AlertName(self.policy.storage.bucket, self.alert.name)


def rules_of(policies: Iterable[Policy]) -> dict[AlertName, Rule]:
    """Those of policies that are not suspended and leave their alerts to us."""
    found: dict[AlertName, Rule] = {}
    for policy in policies:
        if not policy.suspend and policy.alert_engine == "nodetide":
            for alert in policy.alerts:
                rule = Rule(policy, alert, levels_of(alert))
                # Two policies with one bucket are in conflict; the first has it.
                found.setdefault(rule.name, rule)
    return found
