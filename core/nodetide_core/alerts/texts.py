"""Labels, annotations and the id of an alert. Pure."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping

from nodetide_core.alerts.model import AlertKey
from nodetide_core.policy.spec import Alert, Policy, Silence

__all__ = ["alert_id", "annotations_of", "format_value", "labels_of", "silenced"]

_PLACE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_./-]*)\s*\}\}")


def alert_id(key: AlertKey) -> str:
    """The same for every severity."""
    return hashlib.sha256(json.dumps([key.bucket, key.alert, key.tags]).encode()).hexdigest()[:32]


def labels_of(policy: Policy, alert: Alert, key: AlertKey, cluster: str) -> dict[str, str]:
    """What names the alert comes last, so that no tag and no label of the policy can take its place."""
    return {
        **({"cluster": cluster} if cluster else {}),
        **dict(key.tags),
        **alert.labels,
        "alertname": alert.name,
        "severity": key.severity,
        "policy": policy.name,
        "namespace": policy.namespace,
    }


def annotations_of(alert: Alert, labels: Mapping[str, str], value: float) -> dict[str, str]:
    """The alert's texts, ``{{ value }}`` and ``{{ <label> }}`` filled in; what is no label stays as it stands, and
    what is filled in is not looked through again."""
    known = {**labels, "value": format_value(value)}
    return {name: _PLACE.sub(lambda m: known.get(m[1], m[0]), text) for name, text in alert.annotations.items()}


def format_value(value: float) -> str:
    """For people: two decimals at most, small numbers with three digits."""
    if not math.isfinite(value):
        return str(value)
    if value == int(value):
        return str(int(value))
    return f"{value:.3g}" if abs(value) < 0.1 else f"{value:.2f}".rstrip("0").rstrip(".")


def silenced(silences: Iterable[Silence], labels: Mapping[str, str], now: float) -> bool:
    """Whether one of them has not ended and matches all it names."""
    return any(
        now < silence.until and all(labels.get(name) == value for name, value in silence.match.items())
        for silence in silences
    )
