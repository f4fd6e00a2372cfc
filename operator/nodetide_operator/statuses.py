"""The status of a policy, from what is known of it.  Pure.

Nothing in it changes by time alone: a status that is true is not written again.  So there are no
times of last runs here (the metrics have them), and a lag is rounded up to a power of two of windows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nodetide_core.durations import format_about, format_duration
from nodetide_core.policy import LOSS_HINT
from nodetide_operator.alert_news import AlertsNews, alert_notices, alert_status, alerts_ready
from nodetide_operator.checks import checks_ready
from nodetide_operator.judging import Judged
from nodetide_operator.outcomes import Downsampling, NodeCounts, Notice, Outcome

__all__ = ["Notice", "notices", "status_of"]

#: Characters of a message, of the many that Kubernetes allows.
_LONGEST = 2_000
Status = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Condition:
    type: str
    status: str
    reason: str
    message: str


def status_of(
    judged: Judged,
    outcome: Outcome | None,
    downsampling: Downsampling | None,
    nodes: NodeCounts | None,
    alerts: AlertsNews | None = None,
    *,
    shared: str = "",
    now: str,
) -> Status:
    """The whole status; equal to the one before where nothing has changed.

    Args:
        outcome: None where the policy cannot be carried out.
        downsampling, nodes, alerts: None where they are not known yet.
        shared: what failed that all policies share; empty where nothing did.
        now: RFC 3339, for conditions that change.
    """
    before = judged.object.status
    found: Status = {"observedGeneration": judged.object.generation}
    conditions = list(_conditions(judged, outcome, downsampling, alerts, shared))
    found["conditions"] = [_rendered(item, before, judged.object.generation, now) for item in conditions]
    parts = outcome.parts if outcome is not None else ()
    if parts:
        found["buckets"] = [
            {"name": part.bucket, "tier": part.tier, "id": part.bucket_id, "retention": format_duration(part.retention)}
            for part in parts
            if part.bucket_id
        ]
        found["tasks"] = [
            {"name": part.task, "tier": part.tier, "id": part.task_id, **_lag(part.tier, downsampling)}
            for part in parts
            if part.task_id
        ]
    elif judged.good:
        # While InfluxDB cannot be asked, what was seen last is better than nothing.
        found |= {name: before[name] for name in ("buckets", "tasks") if name in before}
    if judged.good and downsampling is not None:
        found["lag"] = format_about(max((_rounded(tier, downsampling) for tier in downsampling.behind), default=0))
    if judged.good and nodes is not None:
        found["nodes"] = {
            "matched": nodes.matched,
            "applied": nodes.applied,
            "stale": nodes.stale,
            "overBudget": nodes.over_budget,
            "summary": f"{nodes.applied}/{nodes.matched}",
        }
    if _has_alerts(judged) or (alerts is not None and alerts.alerts):
        found |= alert_status(alerts, before)
    return found


def notices(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Notice]:
    """What changed between two statuses that a person would want to be told."""
    old = {item["type"]: item for item in before.get("conditions") or ()}
    found = []
    for item in after["conditions"]:
        was = old.get(item["type"])
        if was is not None and (was["status"], was["reason"]) == (item["status"], item["reason"]):
            continue
        bad = item["status"] == "False"
        if item["type"] == "Ready" and (bad or was is None or was["status"] != item["status"]):
            found.append(Notice(bad, item["reason"], item["message"]))
        elif item["type"] == "DownsamplingUpToDate" and bad:
            found.append(Notice(item["reason"] == "RollupFailed", item["reason"], item["message"]))
        elif item["type"] == "AlertsReady" and bad:
            found.append(Notice(True, item["reason"], item["message"]))
    return found + alert_notices(before, after)


def _conditions(
    judged: Judged,
    outcome: Outcome | None,
    downsampling: Downsampling | None,
    alerts: AlertsNews | None,
    shared: str,
) -> Iterator[_Condition]:
    accepted = _accepted(judged)
    conflicted = _conflicted(judged)
    reachable = _reachable(outcome)
    reconciled = _reconciled(judged, outcome, shared)
    failing = next((item for item in (accepted, reachable, reconciled) if item.status == "False"), None)
    if conflicted.status == "True":
        failing = conflicted
    if failing is not None:
        yield _Condition("Ready", "False", failing.reason, failing.message)
    elif reconciled.status == "Unknown":
        yield _Condition("Ready", "Unknown", reconciled.reason, reconciled.message)
    else:
        yield _Condition("Ready", "True", "InEffect", "The policy is in effect.")
    yield from (accepted, conflicted, reachable, reconciled)
    yield _downsampled(judged, downsampling)
    if _has_alerts(judged) or (alerts is not None and alerts.alerts):
        by_influxdb = judged.policy is not None and judged.policy.alert_engine == "influxdb"
        ready = (
            checks_ready(outcome.checks if outcome is not None else None)
            if by_influxdb
            else alerts_ready(alerts, as_before=not judged.good)
        )
        yield _Condition("AlertsReady", *ready)


def _accepted(judged: Judged) -> _Condition:
    if judged.policy is None:
        return _Condition("Accepted", "False", "Invalid", "; ".join(map(str, judged.problems)))
    return _Condition("Accepted", "True", "Valid", "The spec is valid.")


def _conflicted(judged: Judged) -> _Condition:
    conflict = judged.conflict
    if conflict is None:
        return _Condition("Conflicted", "False", "NoConflict", "No other policy has one of its buckets.")
    holder = "/".join(conflict.holder)
    message = f"The older policy {holder} has the bucket {conflict.bucket}; choose another spec.storage.bucket."
    return _Condition("Conflicted", "True", "BucketTaken", message)


def _reachable(outcome: Outcome | None) -> _Condition:
    if outcome is None:
        return _Condition("InfluxReachable", "Unknown", "NotAsked", "The policy cannot be carried out as it is.")
    if outcome.unreachable:
        return _Condition("InfluxReachable", "False", "InfluxUnreachable", outcome.unreachable)
    return _Condition("InfluxReachable", "True", "Answers", "InfluxDB answers.")


def _reconciled(judged: Judged, outcome: Outcome | None, shared: str) -> _Condition:
    if outcome is None or outcome.unreachable:
        why = "The policy cannot be carried out as it is." if outcome is None else "InfluxDB could not be asked."
        return _Condition("Reconciled", "Unknown", "NotAsked", why)
    if outcome.loses:
        return _Condition("Reconciled", "False", "DataLossNotAllowed", f"{outcome.refused}; {LOSS_HINT}")
    if outcome.refused:
        return _Condition("Reconciled", "False", "Refused", outcome.refused)
    if shared:
        return _Condition("Reconciled", "False", "SharedObjectsFailed", shared)
    count = len(judged.parts)
    return _Condition("Reconciled", "True", "AsDesired", f"{count} buckets and {count - 1} tasks are as the spec says.")


def _downsampled(judged: Judged, downsampling: Downsampling | None) -> _Condition:
    kind = "DownsamplingUpToDate"
    if not judged.good or downsampling is None:
        return _Condition(kind, "Unknown", "NotAsked", "It is not known yet how far tiers are rolled up.")
    if downsampling.error:
        return _Condition(kind, "False", "RollupFailed", downsampling.error)
    late = {tier: _rounded(tier, downsampling) for tier, behind in downsampling.behind.items() if behind > 0}
    if late:
        told = ", ".join(f"{tier} by up to {format_about(lag)}" for tier, lag in late.items())
        return _Condition(kind, "False", "Backfilling", f"Tiers are being filled; behind: {told}.")
    return _Condition(kind, "True", "UpToDate", "Every window that has ended is rolled up.")


def _has_alerts(judged: Judged) -> bool:
    return bool(judged.object.spec.get("alerts") if judged.policy is None else judged.policy.alerts)


def _lag(tier: str, downsampling: Downsampling | None) -> dict[str, str]:
    if downsampling is None or tier not in downsampling.behind:
        return {}
    return {"lag": format_about(_rounded(tier, downsampling))}


def _rounded(tier: str, downsampling: Downsampling) -> int:
    """Seconds that a tier is behind, rounded up to windows times a power of two."""
    behind = downsampling.behind[tier]
    return 0 if behind <= 0 else downsampling.windows[tier] * (1 << (behind - 1).bit_length())


def _rendered(item: _Condition, before: Mapping[str, Any], generation: int, now: str) -> Status:
    old = next((was for was in before.get("conditions") or () if was.get("type") == item.type), None)
    since = old.get("lastTransitionTime", now) if old is not None and old.get("status") == item.status else now
    return {
        "type": item.type,
        "status": item.status,
        "reason": item.reason,
        "message": item.message[:_LONGEST],
        "observedGeneration": generation,
        "lastTransitionTime": since,
    }
