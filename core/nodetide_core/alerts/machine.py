"""What follows from levels over time, for one severity of one series. Pure.

::

    inactive ──reached──► pending ──for──► firing ──left, then keepFiringFor──► inactive
                             └──left──► inactive

Without data a state is held for `HOLD` seconds, and then ends; whose node, alert or policy is gone ends at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

from nodetide_core.alerts.model import AlertState, Phase

__all__ = ["ENDED", "HOLD", "Absence", "Observation", "Seen", "advance", "due", "forgettable", "was_reached"]

#: Seconds for which a series without data keeps its state.
HOLD = 300
#: Seconds for which it is told that an alert has ended.
ENDED = 900
#: Seconds by which an evaluation's time may lie before one that led to the state: the longest time between two.
_BEFORE = 3_600


class Absence(str, Enum):
    """Why there is no value; the text is the reason of the transition that follows from it."""

    NO_DATA = "no data"
    NODE_GONE = "node is gone"
    SUSPENDED = "suspended"
    REMOVED = "alert removed"


@dataclass(frozen=True, slots=True)
class Seen:
    """
    Attributes:
        reached: whether the level is; by `levels.holding` where it `was_reached`, else by `levels.reaching`.
    """

    reached: bool
    value: float


#: What one evaluation sees of one series.
Observation: TypeAlias = Seen | Absence


def was_reached(state: AlertState) -> bool:
    """Whether the level was reached when it was last seen."""
    return state.phase is Phase.PENDING or (state.phase is Phase.FIRING and not state.left)


def advance(
    state: AlertState, observation: Observation, now: int, *, for_: int, keep_firing_for: int, asked_since: int = 0
) -> AlertState:
    """The state after an evaluation.

    Args:
        now: time of the evaluation; where those that led to ``state`` are far ahead of it, the clock was set back
            since, and they count as if they were now.
        asked_since: time since which no evaluation was missed: silence of which nobody could have known is no
            lack of data.
    """
    state = _not_ahead(state, now)
    if isinstance(observation, Absence):
        held = observation is Absence.NO_DATA and now < max(state.seen, asked_since) + HOLD
        return state if held or state.phase is Phase.INACTIVE else _ended(state, now)
    if observation.reached:
        return _reached(state, observation.value, now, for_)
    if state.phase is Phase.INACTIVE:
        return state
    state = replace(state, seen=now, value=observation.value)
    if state.phase is Phase.PENDING:
        return _ended(state, now)
    left = state.left or now
    return _ended(state, now) if now - left >= keep_firing_for else replace(state, left=left)


def _not_ahead(state: AlertState, now: int) -> AlertState:
    if max(state.since, state.fired, state.left, state.seen) <= now + _BEFORE:
        return state
    since, fired, left, seen = (min(time, now) for time in (state.since, state.fired, state.left, state.seen))
    return AlertState(state.phase, since, fired, left, seen, state.value)


def _reached(state: AlertState, value: float, now: int, for_: int) -> AlertState:
    if state.phase is Phase.FIRING:
        return replace(state, left=0, seen=now, value=value)
    since = now if state.phase is Phase.INACTIVE else state.since
    if now - since >= for_:
        return AlertState(Phase.FIRING, since, now, 0, now, value)
    return AlertState(Phase.PENDING, since, state.fired, state.left, now, value)


def _ended(state: AlertState, now: int) -> AlertState:
    if state.phase is Phase.FIRING:
        return AlertState(Phase.INACTIVE, 0, state.fired, now, state.seen, state.value)
    return AlertState(Phase.INACTIVE, 0, state.fired, state.left, state.seen, state.value)


def due(state: AlertState, *, for_: int, keep_firing_for: int) -> int | None:
    """When the next step is due, if there is a time for it."""
    if state.phase is Phase.PENDING:
        return state.since + for_
    if state.phase is Phase.FIRING and state.left:
        return state.left + keep_firing_for
    return None


def forgettable(state: AlertState, now: int) -> bool:
    """Whether nothing of it needs to be remembered any more: it is inactive, and did not end lately."""
    return state.phase is Phase.INACTIVE and not (state.fired and now - state.left < ENDED)
