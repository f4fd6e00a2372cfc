"""Every duration gets one rule, whose message says in words what its pattern says in signs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nodetide_core.durations import DURATION_PATTERN
from nodetide_operator.crd.cel import is_duration, let, seconds
from nodetide_operator.crd.rule import Rule

__all__ = ["duration_rules"]

#: Bounds by path: what holds of ``s``, the seconds, and how to say it.
_BOUNDS = {
    "spec.collection.interval": ("s >= 1 && s <= 3600", "must be a duration of 1s to 1h"),
    "spec.alerts[].every": ("s >= 5 && s <= 3600", "must be a duration of 5s to 1h"),
    "spec.alerts[].window": ("s >= 1 && s <= 86400", "must be a duration of 1s to 24h"),
    "spec.alerts[].predictAfter": ("s >= 1 && s <= 2592000", "must be a duration of 1s to 30d"),
    "spec.storage.tiers[].retention": (
        "s == 0 || s >= 3600",
        "must be a duration of at least 1h, such as 24h or 7d, or 0 for ever",
    ),
}
_GROUPS = "spec.collection.groups."
_ANY = "must be a duration such as 1s, 5m, 24h or 7d"


def duration_rules(schema: dict[str, Any], path: str) -> Iterator[Rule]:
    """A rule for each duration in ``schema``, which stands at ``path``."""
    if schema.get("pattern") == DURATION_PATTERN:
        yield _rule(path)
    for name, inner in schema.get("properties", {}).items():
        yield from duration_rules(inner, f"{path}.{name}")
    if schema["type"] == "array":
        yield from duration_rules(schema["items"], f"{path}[]")


def _rule(path: str) -> Rule:
    # A group is sampled within the bounds that the policy is.
    bounds = _BOUNDS.get("spec.collection.interval" if path.startswith(_GROUPS) else path)
    if bounds is None:
        return Rule(path, is_duration("self"), _ANY)
    holds, message = bounds
    return Rule(path, f"{is_duration('self')} && {let('s', seconds('self'), holds)}", message)
