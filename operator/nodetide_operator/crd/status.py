"""The schema of ``status``: what the operator says is true. Nobody else writes it."""

from __future__ import annotations

from typing import Any

from nodetide_core.alerts.report import MOST_FIRING

__all__ = ["status_schema"]

Schema = dict[str, Any]

_MOST_TIERS = 8
_MOST_ALERTS = 100


def status_schema() -> Schema:
    return _object(
        "What is true of the policy, as the operator last saw it.",
        {
            "observedGeneration": _count("The generation of the spec that this status is about.", format="int64"),
            "conditions": _by_key("type", "Conditions, each of one type.", _condition(), 16),
            "buckets": _by_key("name", "Buckets in InfluxDB, one for each tier.", _bucket(), _MOST_TIERS),
            "tasks": _by_key("name", "Rollup tasks in InfluxDB, one for each tier but raw.", _task(), _MOST_TIERS),
            "alerts": _by_key("name", "Alert rules and what they say.", _alert(), _MOST_ALERTS),
            "firing": _count("What fires, of all alerts together."),
            "lag": _text("The longest lag of a tier, as a duration of at most two units, rounded up."),
            "nodes": _nodes(),
        },
    )


def _condition() -> Schema:
    return _object(
        "One condition, as Kubernetes' own objects have them.",
        {
            "type": _text(
                "Ready, Accepted, InfluxReachable, Reconciled, DownsamplingUpToDate, AlertsReady or Conflicted.", 316
            ),
            "status": {**_text("Whether it is so."), "enum": ["True", "False", "Unknown"]},
            "observedGeneration": _count("The generation of the spec that the condition is about.", format="int64"),
            "lastTransitionTime": _time("When status last changed."),
            "reason": {
                **_text("Why, in one word for programs.", 1024),
                "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                "minLength": 1,
            },
            "message": _text("Why, for people, and what to do.", 32768),
        },
        "type",
        "status",
        "lastTransitionTime",
        "reason",
        "message",
    )


def _bucket() -> Schema:
    return _object(
        "One bucket.",
        {
            "name": _text("Its name."),
            "tier": _text("The tier it holds."),
            "id": _text("Its id in InfluxDB."),
            "retention": _text("How long points are kept, as a duration; 0s is for ever."),
        },
        "name",
    )


def _task() -> Schema:
    return _object(
        "One task.",
        {
            "name": _text("Its name."),
            "tier": _text("The tier it fills."),
            "id": _text("Its id in InfluxDB."),
            "lag": _text("How far the tier is behind what it could hold, as a duration, rounded up; 0s is up to date."),
        },
        "name",
    )


def _alert() -> Schema:
    series = _object(
        "One series.",
        {
            "series": _text("Its tags, as in `cpu=cpu-total,host=node-1`; empty where the alert has one series.", 1024),
            "severity": _text("The severity that fires; each fires for itself."),
            "since": _time("Since when it fires."),
        },
        "series",
        "severity",
    )
    return _object(
        "One alert.",
        {
            "name": _text("Its name in the spec."),
            "state": {
                **_text("ok, pending (reached, but not yet for long enough), firing, or unknown (not evaluated)."),
                "enum": ["ok", "pending", "firing", "unknown"],
            },
            "severity": _text("The highest severity that fires."),
            "pending": _count("How many severities of series are reached, but not yet for long enough."),
            "firing": _count("How many severities of series fire, each an alert to Alertmanager."),
            "series": _by_key(
                ("series", "severity"),
                f"Those that fire, the longest first, {MOST_FIRING} at most.",
                series,
                MOST_FIRING,
            ),
            "message": _text("Why it cannot be evaluated.", 1024),
        },
        "name",
        "state",
    )


def _nodes() -> Schema:
    return _object(
        "Nodes, as their collectors report.",
        {
            "matched": _count("Nodes that the selector matches."),
            "applied": _count("Matched nodes whose collector runs the policy as it is now."),
            "stale": _count("Matched nodes whose collector runs an older one, or does not report."),
            "overBudget": _count("Matched nodes that have more series than maxSeriesPerNode."),
            "summary": _text("applied/matched, for the column of `kubectl get`."),
        },
    )


def _text(description: str, longest: int = 256) -> Schema:
    return {"type": "string", "description": description, "maxLength": longest}


def _time(description: str) -> Schema:
    return {"type": "string", "format": "date-time", "description": description}


def _count(description: str, **keywords: Any) -> Schema:
    return {"type": "integer", "description": description, "minimum": 0, **keywords}


def _object(description: str, properties: dict[str, Schema], *required: str) -> Schema:
    found: Schema = {"type": "object", "description": description, "properties": properties}
    return {**found, "required": list(required)} if required else found


def _by_key(key: str | tuple[str, ...], description: str, items: Schema, limit: int) -> Schema:
    return {
        "type": "array",
        "description": description,
        "items": items,
        "maxItems": limit,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": [key] if isinstance(key, str) else list(key),
    }
