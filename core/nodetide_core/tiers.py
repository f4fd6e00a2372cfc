"""Tiers: how long points are kept at which resolution, and which tier answers a question."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from nodetide_core.durations import format_duration

__all__ = [
    "DEFAULT_TIERS",
    "RAW",
    "Choice",
    "Segment",
    "Tier",
    "Tiers",
    "align_down",
    "align_up",
    "choose",
    "describe",
    "segments",
]

RAW = "raw"

#: Steps that `auto` may choose, besides the tiers' own windows.
_NICE_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800)


def align_down(time: int, window: int) -> int:
    """The start of the window that holds ``time``; windows are aligned to the Unix epoch, UTC."""
    return time - time % window


def align_up(time: int, window: int) -> int:
    """``time`` if a window starts there, else the start of the next one."""
    return -(-time // window) * window


@dataclass(frozen=True, slots=True)
class Tier:
    """One resolution.

    Attributes:
        name: ``raw`` or the window's text.
        window: seconds per point; 0 for raw.
        retention: seconds kept; 0 keeps for ever.
    """

    name: str
    window: int
    retention: int

    def holds(self, time: int, now: int) -> bool:
        """Whether a point of ``time`` is still kept at ``now``."""
        return self.retention == 0 or time >= now - self.retention

    def bucket(self, base: str) -> str:
        """The bucket of this tier: ``system-metrics`` for raw, ``system-metrics-5m`` and so on."""
        return base if self.window == 0 else f"{base}-{self.name}"


@dataclass(frozen=True, slots=True)
class Tiers:
    """Raw first, then ever wider windows, each a multiple of the one before.

    Attributes:
        counter_gap: longest distance in seconds between two samples of a counter that still counts
            as an increase: across a longer hole nobody knows what happened.
    """

    tiers: tuple[Tier, ...]
    counter_gap: int = 300

    @property
    def raw(self) -> Tier:
        return self.tiers[0]

    @property
    def rollups(self) -> tuple[Tier, ...]:
        return self.tiers[1:]

    def source(self, tier: Tier) -> Tier:
        """The tier that ``tier`` is made from: the one before it."""
        return self.tiers[self.tiers.index(tier) - 1]

    def by_name(self, name: str) -> Tier | None:
        return next((tier for tier in self.tiers if tier.name == name), None)


#: The default retention table: raw 24 h, 5 m for 7 d, 1 h for 30 d, 1 d for 1 y.
DEFAULT_TIERS = Tiers(
    (
        Tier(RAW, 0, 86_400),
        Tier("5m", 300, 7 * 86_400),
        Tier("1h", 3_600, 30 * 86_400),
        Tier("1d", 86_400, 365 * 86_400),
    )
)

#: By how many times `auto` may miss the points aimed at, to be read from a wider tier.
_FEWER = 4


@dataclass(frozen=True, slots=True)
class Choice:
    """The tier and the step, in seconds, that answer a question; ``tier`` is its coarsest source."""

    tier: Tier
    step: int


def choose(tiers: Tiers, start: int, stop: int, *, now: int, interval: int, step: int | None, points: int) -> Choice:
    """The cheapest tier that still holds ``start`` at no more than the step asked for.

    Args:
        interval: seconds between raw samples: no step is finer.
        step: seconds asked for, or None to aim at ``points`` per series: no more, and a quarter of them
            where that is what a wider tier has.
    """
    holding = [tier for tier in tiers.tiers if tier.holds(start, now)] or [_longest(tiers)]
    if step is None:
        span = max(1, stop - start)
        # A day at 5m has fewer points than at 2m, and is read from 288 windows instead of 86,400 samples.
        ample = (tier.window for tier in holding if span >= tier.window * points / _FEWER)
        step = max((_auto_step(span, interval, points), *ample))
    wanted = max(step, interval)
    fine_enough = [tier for tier in holding if tier.window <= wanted]
    tier = fine_enough[-1] if fine_enough else holding[0]
    # Steps are whole windows of the tier, so that no window is split between two answers.
    exact = [other for other in fine_enough if other.window == 0 or wanted % other.window == 0]
    if exact:
        return Choice(exact[-1], wanted)
    return Choice(tier, align_up(wanted, max(1, tier.window)))


def _longest(tiers: Tiers) -> Tier:
    return max(tiers.tiers, key=lambda tier: math.inf if tier.retention == 0 else tier.retention)


def _auto_step(span: int, interval: int, points: int) -> int:
    widest = _NICE_STEPS[-1]
    fitting = (nice for nice in _NICE_STEPS if nice >= interval and span / nice <= points)
    return next(fitting, align_up(math.ceil(span / points), widest))


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of an answer: ``[start, stop)`` read from one tier."""

    tier: Tier
    start: int
    stop: int


def segments(tiers: Tiers, choice: Choice, start: int, stop: int, watermarks: Mapping[str, int]) -> tuple[Segment, ...]:
    """Where each part of ``[start, stop)`` is read: the chosen tier as far as it is rolled up, then
    ever finer ones, so that an answer reaches to now whatever its step.

    Args:
        watermarks: by tier name, the time up to which the tier is complete; a missing one counts as
            nothing rolled up yet.
    """
    found: list[Segment] = []
    at = start
    for tier in reversed(tiers.tiers[: tiers.tiers.index(choice.tier) + 1]):
        end = stop if tier.window == 0 else min(stop, watermarks.get(tier.name, start))
        if end > at:
            found.append(Segment(tier, at, end))
            at = end
    return tuple(found)


def describe(tiers: Tiers) -> str:
    """One line for people: ``raw 24h, 5m 7d, 1h 30d, 1d 365d``."""
    return ", ".join(
        f"{tier.name} {format_duration(tier.retention) if tier.retention else 'for ever'}" for tier in tiers.tiers
    )
