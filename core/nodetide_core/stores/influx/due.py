"""Which windows to make next.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nodetide_core.store import Stream
from nodetide_core.stores.influx.flux import LOOK_BACK
from nodetide_core.stores.influx.state import EVERYONE, Mark, State
from nodetide_core.stores.retention import first_whole_window
from nodetide_core.tiers import Tier, align_down

__all__ = [
    "SETTLE",
    "Run",
    "advance_with_tasks",
    "changed_by",
    "claims",
    "next_moment",
    "next_run",
    "oldest_windows",
    "target",
    "wider_marks",
    "windows_due",
]

#: Seconds after its end that a window of raw points is made: collectors write every 5 s, each at its own moment.
SETTLE = 10
#: Above so many hosts, windows are made again for all.
_HOSTS = 50


@dataclass(frozen=True, slots=True)
class Run:
    """Windows to make in one go: ``[start, stop)``.

    Attributes:
        hosts: of the series to make; empty: all.
        marks: what is answered by it.
        ended: whether they are made for the first time, so that the watermark moves to ``stop``.
    """

    tier: Tier
    start: int
    stop: int
    hosts: frozenset[str]
    marks: tuple[Mark, ...]
    ended: bool


def oldest_windows(stream: Stream, now: int) -> dict[int, int]:
    """By a tier's window, the first one whose source is certainly all there."""
    found = {}
    for tier in stream.tiers.rollups:
        source = stream.tiers.source(tier)
        edge = now - source.retention if source.retention else None
        found[tier.window] = 0 if edge is None else max(0, first_whole_window(stream.tiers, source, tier.window, edge))
    return found


def target(stream: Stream, tier: Tier, state: State, now: int) -> int | None:
    """The time up to which the source of a tier is complete, in whole windows; None before it has any."""
    source = stream.tiers.source(tier)
    done = now - SETTLE if source.window == 0 else state.until.get(source.window)
    return None if done is None else align_down(done, tier.window)


def advance_with_tasks(stream: Stream, state: State, now: int, succeeded: Mapping[int, int]) -> dict[int, int]:
    """Watermarks that move because a task has made the windows; their new values, by window.

    Args:
        succeeded: by window, the time that the last run of its task was for, if it succeeded.
    """
    moved = {}
    for tier in stream.tiers.rollups:
        until, end = state.until.get(tier.window), target(stream, tier, state, now)
        made = min(align_down(succeeded.get(tier.window, 0), tier.window), end or 0)
        if made <= state.claimed.get(tier.window, 0):
            continue  # the task found the claim, and did nothing
        if until is not None and made > until >= made - LOOK_BACK * tier.window:
            state.until[tier.window] = moved[tier.window] = made
    return moved


def claims(stream: Stream, state: State, now: int) -> dict[int, int]:
    """Up to when upkeep may claim windows, by window: only the newest one, where all before it are made.

    So what it fails over, or leaves when it ends, is at most one window behind when the task looks
    again, and `LOOK_BACK` reaches that.
    """
    found = {}
    for tier in stream.tiers.rollups:
        ended, until = align_down(now, tier.window), state.until.get(tier.window)
        if until is not None and until >= ended - tier.window:
            found[tier.window] = ended
    return found


def next_run(stream: Stream, state: State, now: int, *, spans: Mapping[int, int]) -> Run | None:
    """What to make next, changed windows first, finer tiers first; None when nothing is due.

    Args:
        spans: by a tier's window, how many windows to make in one go.
    """
    oldest = oldest_windows(stream, now)
    for tier in stream.tiers.rollups:
        until, end = state.until.get(tier.window), target(stream, tier, state, now)
        if until is None or end is None:
            continue
        reach = spans[tier.window] * tier.window
        due = _due(tier, state, until, end)
        if due:
            return _changed(tier, due, reach)
        start = max(until, oldest[tier.window])
        if start < end:
            stop = min(end, start + reach)
            inside = tuple(mark for mark in state.marks.get(tier.window, ()) if until <= mark.start < stop)
            return Run(tier, start, stop, frozenset(), inside, ended=True)
    return None


def _due(tier: Tier, state: State, until: int, end: int) -> list[Mark]:
    """Changed windows that are made already, and whose source is complete."""
    return [mark for mark in state.marks.get(tier.window, ()) if mark.start < min(until, end)]


def _changed(tier: Tier, due: list[Mark], reach: int) -> Run:
    start = due[0].start
    marks = tuple(mark for mark in due if mark.start < start + reach)
    hosts = frozenset(mark.host for mark in marks)
    if EVERYONE in hosts or len(hosts) > _HOSTS:
        hosts = frozenset()
    return Run(tier, start, marks[-1].start + tier.window, hosts, marks, ended=False)


def wider_marks(stream: Stream, run: Run, state: State, number: int) -> tuple[Tier, tuple[Mark, ...]] | None:
    """The windows of the next tier that this run changes, where they are made already."""
    tiers = stream.tiers.tiers
    at = tiers.index(run.tier) + 1
    if at == len(tiers) or not run.marks:
        return None
    wider = tiers[at]
    until = state.until.get(wider.window, 0)
    found = {(align_down(mark.start, wider.window), mark.host) for mark in run.marks}
    marks = tuple(Mark(start, host, number) for start, host in sorted(found) if start < until)
    return (wider, marks) if marks else None


def windows_due(stream: Stream, state: State, now: int) -> dict[str, int]:
    """Windows still to be made, changed ones included, by tier."""
    oldest = oldest_windows(stream, now)
    found = {}
    for tier in stream.tiers.rollups:
        until, end = state.until.get(tier.window), target(stream, tier, state, now)
        count = 0
        if until is not None and end is not None:
            count += max(0, end - max(until, oldest[tier.window])) // tier.window
            count += len({mark.start for mark in _due(tier, state, until, end)})
        found[tier.name] = count
    return found


def next_moment(stream: Stream, now: int) -> int:
    """When something may be due again of a stream of which nothing is: its next window ends, to be claimed, or has
    settled. What another process has written late may wait until then, too."""
    if not stream.tiers.rollups:
        return now
    window = stream.tiers.rollups[0].window
    ended = align_down(now, window)
    return ended + SETTLE if now < ended + SETTLE else ended + window


def changed_by(stream: Stream, points: Iterable[tuple[int, str, bool]], now: int) -> set[tuple[int, str]]:
    """Windows of the first tier, with hosts, that points change after they may have been made.

    A counter also changes the step of the sample after it, up to ``counter_gap`` later.

    Args:
        points: time, host (or `EVERYONE`) and whether it has counters.
    """
    if not stream.tiers.rollups:
        return set()
    window, gap = stream.tiers.rollups[0].window, stream.tiers.counter_gap
    ended = align_down(now, window)
    return {
        (start, host)
        for time, host, has_counter in points
        if time < ended
        for start in range(align_down(time, window), min(ended, time + (gap if has_counter else 0) + 1), window)
    }
