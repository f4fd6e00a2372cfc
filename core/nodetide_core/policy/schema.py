"""The structural schema of a MetricPolicy, as data in the form the CRD uses (OpenAPI v3).

One source for the parser's checks, the CRD, the reference in the docs and the error messages.
Only keywords that both Kubernetes' structural schemas and `nodetide_core.policy.validate` know are
used here.
"""

from __future__ import annotations

from typing import Any

from nodetide_core.catalogue import CATALOGUE
from nodetide_core.durations import DURATION_PATTERN
from nodetide_core.policy.instants import INSTANT_PATTERN

__all__ = ["API_VERSION", "DEFAULT_INTERVAL", "DEFAULT_MAX_SERIES", "KIND", "LABEL_KEY", "POLICY_SCHEMA", "SEVERITIES"]

API_VERSION = "nodetide.io/v1alpha1"
KIND = "MetricPolicy"
DEFAULT_INTERVAL = "1s"
DEFAULT_MAX_SERIES = 2000
SEVERITIES = ("critical", "warning", "info")

Schema = dict[str, Any]

#: Metric and tag keys: what InfluxDB, Prometheus and line protocol all take unescaped.
_TAG_KEY = r"^[a-zA-Z]([a-zA-Z0-9_.-]*[a-zA-Z0-9])?$"
_DNS_LABEL = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
_BUCKET = r"^[a-zA-Z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?$"
#: Label keys, as Kubernetes has them.
LABEL_KEY = r"^([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[a-zA-Z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?$"
_METRIC = r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_-]*)?$"


def _string(description: str, **keywords: Any) -> Schema:
    return {"type": "string", "description": description, "maxLength": 256, **keywords}


def _duration(description: str, **keywords: Any) -> Schema:
    return _string(description, pattern=DURATION_PATTERN, **{"maxLength": 32, **keywords})


def _list(description: str, items: Schema, limit: int, **keywords: Any) -> Schema:
    return {"type": "array", "description": description, "items": items, "maxItems": limit, **keywords}


def _map(description: str, limit: int, values: Schema | None = None) -> Schema:
    inner = values or _string("Value.")
    return {"type": "object", "description": description, "additionalProperties": inner, "maxProperties": limit}


def _object(description: str, properties: dict[str, Schema], required: tuple[str, ...] = (), **keywords: Any) -> Schema:
    found: Schema = {"type": "object", "description": description, "properties": properties, **keywords}
    if required:
        found["required"] = list(required)
    return found


def _groups() -> Schema:
    properties = {}
    for measurement in CATALOGUE:
        options: dict[str, Schema] = {
            "interval": _duration("Time between samples of this group; at least the policy's, at most 1h."),
        }
        if measurement.filter_tag:
            glob = _string("Glob, as in a shell: *, ?, [abc].", minLength=1)
            tag = measurement.filter_tag
            options["include"] = _list(f"Globs of `{tag}`: only these, and none of the usual exclusions.", glob, 64)
            options["exclude"] = _list(f"Globs of `{tag}` to leave out, besides the usual exclusions.", glob, 64)
        if measurement.name == "disk":
            options["excludeFsTypes"] = _list(
                "Globs of file system types to leave out, instead of the usual ones (network and virtual ones).",
                _string("Glob.", minLength=1),
                64,
            )
        if measurement.name in ("cpu", "softnet"):
            options["perCpu"] = {
                "type": "boolean",
                "description": "Write each CPU, beside the total.",
                "default": True,
            }
        properties[measurement.name] = _object(measurement.help, options)
    return _object(
        "Groups to sample, by name, each `{}` for its defaults; left out: all of the default set. Always: `collector`.",
        properties,
    )


def _level(severity: str) -> Schema:
    number: Schema = {"type": "number", "description": "Bound."}
    pair = _list("Low and high bound.", number, 2, minItems=2)
    return _object(
        f"When the alert is {severity}: exactly one of above, below, outside, inside.",
        {
            "above": {**number, "description": "Reached when the value is greater."},
            "below": {**number, "description": "Reached when the value is less."},
            "outside": {
                **pair,
                "description": "Reached when the value is less than the first or greater than the second.",
            },
            "inside": {**pair, "description": "Reached when the value is between the two, bounds included."},
            "recover": {**number, "description": "With above or below: left only when the value is back past this."},
        },
    )


def _alert() -> Schema:
    return _object(
        "One alert rule.",
        {
            "name": _string("Name of the alert, unique in the policy.", pattern=_TAG_KEY, maxLength=63),
            "type": _string(
                "threshold, deadman (no data) or flux (your own query).", enum=["threshold", "deadman", "flux"]
            ),
            "metric": _string("measurement.field of the catalogue; a counter is watched by its rate.", pattern=_METRIC),
            "filter": _map("Only series with these tag values.", 16),
            "groupBy": _list(
                "Tags that tell one alert from another; left out: every tag.", _string("Tag.", pattern=_TAG_KEY), 16
            ),
            "every": _duration("Time between evaluations, 5s to 1h.", default="30s"),
            "window": _duration("How much data one evaluation looks at.", default="1m"),
            "aggregate": _string(
                "What the window is reduced to; for gauges.", enum=["mean", "min", "max", "last"], default="mean"
            ),
            **{severity: _level(severity) for severity in SEVERITIES},
            "predictAfter": _duration(
                "Compare, instead of the aggregate, what a straight line through the window reaches after this time; "
                "for gauges."
            ),
            "for": _duration("How long the level must hold before the alert fires.", default="0s"),
            "keepFiringFor": _duration("How long it goes on firing after the level is left.", default="0s"),
            "labels": _map("Labels added to the alert.", 32),
            "annotations": _map(
                "Text for people: summary, description, runbook_url.", 32, _string("Text.", maxLength=4096)
            ),
            "flux": _string("For type flux: a query that gives a numeric `_value` per series.", maxLength=16384),
        },
        ("name", "type"),
    )


def _notify() -> Schema:
    return _object(
        "Where alerts go.",
        {
            "name": _string("Name, unique in the policy.", pattern=_DNS_LABEL, maxLength=63),
            "type": _string("Kind of receiver.", enum=["alertmanager", "http", "slack", "pagerduty"]),
            "url": _string("Address of the receiver.", pattern=r"^https?://[^\s]+$", maxLength=2048),
            "secretRef": _object(
                "Secret of the receiver, in the policy's namespace: a bearer token (alertmanager, http), "
                "a webhook address (slack), a routing key (pagerduty).",
                {
                    "name": _string("Name of the Secret.", maxLength=253, minLength=1),
                    "key": _string("Key in it.", maxLength=253, minLength=1),
                },
                ("name", "key"),
            ),
            "severities": _list("Only these; left out: all.", _string("Severity.", enum=list(SEVERITIES)), 3),
            "match": _map("Only alerts with these labels.", 16),
        },
        ("name", "type"),
    )


def _silence() -> Schema:
    return _object(
        "Alerts of which receivers are not told, for a time.",
        {
            "match": _map("Alerts with these labels: alertname, severity, host, other tags, the alert's own.", 16),
            "until": _string(
                "When it ends, in RFC 3339, such as 2026-01-31T18:00:00Z.", pattern=INSTANT_PATTERN, maxLength=35
            ),
            "comment": _string("Why, for people.", maxLength=1024),
        },
        ("match", "until"),
    )


def _selector() -> Schema:
    return _object(
        "Nodes the policy applies to, by label; empty: every node.",
        {
            "matchLabels": _map("Labels a node must have.", 32),
            "matchExpressions": _list(
                "Conditions a node must meet.",
                _object(
                    "One condition.",
                    {
                        "key": _string("Label.", pattern=LABEL_KEY, maxLength=317),
                        "operator": _string("Relation.", enum=["In", "NotIn", "Exists", "DoesNotExist"]),
                        "values": _list("Values, for In and NotIn.", _string("Value.", maxLength=63), 64),
                    },
                    ("key", "operator"),
                ),
                32,
            ),
        },
    )


_TIER = _object(
    "One resolution.",
    {
        "name": _string(
            "`raw` for the first; for the others any short name, such as the window.", pattern=_DNS_LABEL, maxLength=16
        ),
        "window": _duration("Width of a point; none for raw, a multiple of the tier before for the others."),
        "retention": _duration("How long points are kept: at least 1h, or 0 for ever."),
    },
    ("name", "retention"),
)

POLICY_SCHEMA: Schema = _object(
    "What to collect on which nodes, how long to keep it, and when to alert.",
    {
        "suspend": {"type": "boolean", "description": "Stop sampling; stored data stays.", "default": False},
        "nodeSelector": _selector(),
        "collection": _object(
            "What is sampled, and how often.",
            {
                "interval": _duration("Time between samples, 1s to 1h.", default=DEFAULT_INTERVAL),
                "groups": _groups(),
                "labels": _map("Constant tags on every point.", 32),
                "nodeLabels": _list(
                    "Node labels to copy as tags.", _string("Label.", pattern=LABEL_KEY, maxLength=317), 32
                ),
                "maxSeriesPerNode": {
                    "type": "integer",
                    "description": "Series past this number are not collected, and the status says so.",
                    "minimum": 10,
                    "maximum": 100000,
                    "default": DEFAULT_MAX_SERIES,
                },
            },
        ),
        "storage": _object(
            "Where data goes, and how long each resolution is kept.",
            {
                "bucket": _string(
                    "Bucket of the raw tier; the policy's name if left out. Cannot change.",
                    pattern=_BUCKET,
                    maxLength=200,
                ),
                "tiers": _list(
                    "From raw to ever wider windows; left out: raw 24h, 5m 7d, 1h 30d, 1d 365d.", _TIER, 8, minItems=1
                ),
                "deletionPolicy": _string(
                    "What becomes of the data when the policy is deleted.", enum=["Retain", "Delete"], default="Retain"
                ),
            },
        ),
        "alerts": _list("Alert rules.", _alert(), 100),
        "alertEngine": _string(
            "Who evaluates the alerts: nodetide, or influxdb by checks and notification rules of its own, which go on "
            "where nothing of Nodetide runs, and know no for, keepFiringFor, recover, predictAfter, groupBy, silences "
            "and alertmanager.",
            enum=["nodetide", "influxdb"],
            default="nodetide",
        ),
        "silences": _list("Times during which receivers are not told of some alerts.", _silence(), 50),
        "notify": _list("Receivers of alerts.", _notify(), 20),
    },
)
