"""Alerts as the store remembers them: which are asked for, and in what order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nodetide_api.filters import HOST
from nodetide_api.timeparse import format_time
from nodetide_core.alerts.model import AlertKey, Phase
from nodetide_core.alerts.ports import AlertRecord
from nodetide_core.policy.schema import SEVERITIES

__all__ = ["AlertFilter", "Found", "active", "alerts_answer"]


@dataclass(frozen=True, slots=True)
class Found:
    """One alert of one policy, pending or firing."""

    policy: str
    key: AlertKey
    record: AlertRecord


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """What a request is about; whatever is empty filters nothing."""

    states: frozenset[str] = frozenset()
    severities: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()

    def matches(self, found: Found) -> bool:
        return (
            (not self.states or found.record.state.phase.value in self.states)
            and (not self.severities or found.key.severity in self.severities)
            and (not self.hosts or dict(found.key.tags).get(HOST) in self.hosts)
        )


def active(policy: str, records: Mapping[AlertKey, AlertRecord]) -> Iterator[Found]:
    """Those of a policy's alerts that are pending or fire."""
    for key, record in records.items():
        if record.state.phase is not Phase.INACTIVE:
            yield Found(policy, key, record)


def alerts_answer(found: Iterable[Found], wanted: AlertFilter, limit: int, *, evaluated: bool) -> dict[str, Any]:
    """A `models.Alerts` as plain data: the worst first, and of those that are alike the longest."""
    ordered = sorted(filter(wanted.matches, found), key=_rank)
    firing = sum(item.record.state.phase is Phase.FIRING for item in ordered)
    return {
        "evaluated": evaluated,
        "firing": firing,
        "pending": len(ordered) - firing,
        "alerts": [_alert(item) for item in ordered[:limit]],
    }


def _rank(item: Found) -> tuple[bool, int, int, str, AlertKey]:
    state = item.record.state
    severity = item.key.severity
    # A store may hold what a later version wrote.
    worst = SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)
    return state.phase is not Phase.FIRING, worst, state.since, item.policy, item.key


def _alert(item: Found) -> dict[str, Any]:
    state = item.record.state
    return {
        "name": item.key.alert,
        "severity": item.key.severity,
        "state": state.phase.value,
        "policy": item.policy,
        "tags": dict(item.key.tags),
        "labels": dict(item.record.labels),
        "annotations": dict(item.record.annotations),
        "value": state.value if math.isfinite(state.value) else None,
        "since": format_time(state.since),
        "starts_at": format_time(state.fired) if state.phase is Phase.FIRING else None,
        "silenced": item.record.silenced,
    }
