"""What a value means to a level. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from operator import ge, gt, le, lt

from nodetide_core.policy.spec import Alert, Level

__all__ = ["DEADMAN_SEVERITY", "holding", "levels_of", "reaching", "worst"]

#: Of a deadman alert that names none.
DEADMAN_SEVERITY = "critical"


def levels_of(alert: Alert) -> Mapping[str, Level]:
    """The levels of an alert by severity; of a deadman: more seconds of silence than its window."""
    if alert.type != "deadman":
        return alert.levels
    return {severity: Level("above", (alert.window,)) for severity in alert.levels or (DEADMAN_SEVERITY,)}


def reaching(level: Level) -> Callable[[float], bool]:
    """Tells of a value whether it reaches the level from without: it must be past the bound, but ``inside``
    counts its bounds in."""
    low, high = level.bounds[0], level.bounds[-1]
    # For millions of values: without a function of ours for each.
    if level.relation == "above":
        return partial(lt, low)
    if level.relation == "below":
        return partial(gt, low)
    if level.relation == "inside":
        return lambda value: low <= value <= high
    return lambda value: value < low or value > high


def holding(level: Level) -> Callable[[float], bool]:
    """Tells of a value whether a level that was reached still is: until the value is past ``recover``, if there is
    one."""
    if level.recover is None:
        return reaching(level)
    return partial(le if level.relation == "above" else ge, level.recover[0])


def worst(level: Level, values: Collection[float]) -> float:
    """Of several values, at least one, that which is furthest in the level's direction."""
    low, high = level.bounds[0], level.bounds[-1]
    if level.relation == "above":
        return max(values)
    if level.relation == "below":
        return min(values)
    if level.relation == "inside":
        return max(values, key=lambda value: min(value - low, high - value))
    return max(values, key=lambda value: max(low - value, value - high))
