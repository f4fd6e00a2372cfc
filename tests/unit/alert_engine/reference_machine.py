"""Where an alert stands, worked out anew from all that was ever observed: slow, and as the decision says it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nodetide_core.alerts.model import AlertState, Phase

HOLD = 300


class Look(NamedTuple):
    """One evaluation of one series.

    Attributes:
        kind: ``reached``, ``left``, ``nothing`` (no data) or ``gone``.
        asked_since: first of the evaluations since which none was missed.
    """

    at: int
    kind: str
    value: float
    asked_since: int


class Episode(NamedTuple):
    """From the evaluation that saw the level reached to the one that ended it, if there was one."""

    looks: Sequence[Look]
    ended: Look | None


def state_of(history: Sequence[Look], for_: int, keep: int) -> AlertState:
    episodes = _episodes(history, for_, keep)
    over = [episode for episode in episodes if episode.ended and _fired(episode.looks, for_) is not None]
    fired_last = _fired(over[-1].looks, for_) or 0 if over else 0
    ended_last = over[-1].ended.at if over and over[-1].ended else 0
    if not episodes or episodes[-1].ended is not None:
        return AlertState(Phase.INACTIVE, 0, fired_last, ended_last)
    looks = episodes[-1].looks
    since, seen = looks[0].at, [look for look in looks if look.kind in ("reached", "left")][-1]
    fired = _fired(looks, for_)
    if fired is None:
        return AlertState(Phase.PENDING, since, fired_last, ended_last, seen.at, seen.value)
    return AlertState(Phase.FIRING, since, fired, _left(looks) or 0, seen.at, seen.value)


def _episodes(history: Sequence[Look], for_: int, keep: int) -> list[Episode]:
    found: list[Episode] = []
    at = 0
    while at < len(history):
        if history[at].kind != "reached":
            at += 1
            continue
        start, at = at, at + 1
        while at < len(history) and not _ends(history[start : at + 1], for_, keep):
            at += 1
        found.append(Episode(history[start:at], history[at] if at < len(history) else None))
        at += 1
    return found


def _ends(looks: Sequence[Look], for_: int, keep: int) -> bool:
    """Whether the last of these, which follow a level reached, ends it."""
    last = looks[-1]
    if last.kind == "nothing":
        seen = max(look.at for look in looks if look.kind in ("reached", "left"))
        return last.at >= max(seen, last.asked_since) + HOLD
    if last.kind == "left":
        left = _left(looks)
        return _fired(looks, for_) is None or (left is not None and last.at - left >= keep)
    return last.kind == "gone"


def _fired(looks: Sequence[Look], for_: int) -> int | None:
    return next((look.at for look in looks if look.kind == "reached" and look.at - looks[0].at >= for_), None)


def _left(looks: Sequence[Look]) -> int | None:
    """When the level was left after it was reached last."""
    reached = max(look.at for look in looks if look.kind == "reached")
    return next((look.at for look in looks if look.kind == "left" and look.at > reached), None)
