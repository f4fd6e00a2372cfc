"""What fires when, of values at each evaluation: by the engine's own levels and machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nodetide_core.alerts.levels import holding, levels_of, reaching, worst
from nodetide_core.alerts.machine import Seen, advance, was_reached
from nodetide_core.alerts.model import AlertState, Phase
from nodetide_core.policy import Alert

__all__ = ["fires"]


def fires(alert: Alert, severity: str, values: Sequence[tuple[int, Sequence[float]]]) -> Mapping[int, float | None]:
    """By evaluation, the value with which the severity fires, or None.

    Args:
        values: by evaluation, those of the series of one group; none before there are any.
    """
    level = levels_of(alert)[severity]
    state, found = AlertState(), {}
    for now, seen in values:
        if not seen:
            found[now] = None
            continue
        value = worst(level, seen)
        reached = (holding if was_reached(state) else reaching)(level)(value)
        state = advance(state, Seen(reached, value), now, for_=alert.for_, keep_firing_for=alert.keep_firing_for)
        found[now] = value if state.phase is Phase.FIRING else None
    return found
