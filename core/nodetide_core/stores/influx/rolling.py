"""Making the windows that are due: what tasks missed, what changed, and what came before the tasks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from nodetide_core.catalogue import Catalogue
from nodetide_core.errors import StoreUnavailable
from nodetide_core.store import Stream
from nodetide_core.stores.influx.answers import ask
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.due import (
    Run,
    advance_with_tasks,
    claims,
    next_run,
    oldest_windows,
    target,
    wider_marks,
    windows_due,
)
from nodetide_core.stores.influx.influxql import first_points
from nodetide_core.stores.influx.making import Maker
from nodetide_core.stores.influx.state import Marker, State, StateKeeper
from nodetide_core.tiers import align_down

__all__ = ["Roller"]

#: Seconds after which a call ends, and within which one run should stay.
_CALL, _RUN = 10.0, 5.0
#: Windows made in one go: at first, and at most by seconds of source.
_FIRST_SPAN, _WIDEST = 16, 4 * 86_400


class Roller:
    """
    Args:
        caller: with a time-out that suits minutes of work.
    """

    def __init__(
        self,
        caller: Caller,
        keeper: StateKeeper,
        *,
        org: str,
        catalogue: Catalogue,
        marker: Marker,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._caller = caller
        self._keeper = keeper
        self._catalogue = catalogue
        self._maker = Maker(caller, org=org, catalogue=catalogue)
        self._marker = marker
        self._monotonic = monotonic
        self._spans: dict[tuple[str, int], int] = {}
        self._claimed: dict[tuple[str, int], int] = {}

    def claim(self, stream: Stream, now: int) -> None:
        """Take windows that have just ended from the tasks.

        To be done for every stream before any is rolled up, which may take longer than a task waits.

        Raises:
            StoreUnavailable, StoreRejected
        """
        rollups = stream.tiers.rollups
        if all(align_down(now, tier.window) == self._claimed.get((stream.bucket, tier.window)) for tier in rollups):
            return
        found = claims(stream, self._keeper.load(stream, oldest_windows(stream, now)), now)
        for tier in rollups:
            until, key = found.get(tier.window), (stream.bucket, tier.window)
            if until is not None and until != self._claimed.get(key):
                self._keeper.claim(stream, tier, until)
                self._claimed[key] = until

    def roll(self, stream: Stream, now: int, succeeded: Mapping[int, int]) -> tuple[int, dict[str, int]]:
        """Make what is due, for some seconds at most.

        Args:
            succeeded: by a tier's window, the time that the last run of its task was for, if it succeeded.

        Returns:
            Windows made, and windows left by tier.
        """
        began = self._monotonic()
        state = self._keeper.load(stream, oldest_windows(stream, now))
        made = 0
        # Tiers one after the other, since each needs the watermark of the one before.
        while True:
            self._begin(stream, state, now)
            moved = advance_with_tasks(stream, state, now, succeeded)
            for tier in stream.tiers.rollups:
                if tier.window in moved:
                    self._keeper.done(stream, tier, (), moved[tier.window])
            run = next_run(stream, state, now, spans=self._of(stream))
            if run is None or (made and self._monotonic() - began > _CALL):
                return made, windows_due(stream, state, now)
            self._make(stream, run, state, now)
            made += (run.stop - run.start) // run.tier.window

    def _begin(self, stream: Stream, state: State, now: int) -> None:
        """Find where tiers without a watermark begin: at the first window of what their source has."""
        oldest = oldest_windows(stream, now)
        for tier in stream.tiers.rollups:
            end = target(stream, tier, state, now)
            if tier.window in state.until or end is None:
                continue
            source = stream.tiers.source(tier)
            since = max(0, now - source.retention) if source.retention else 0
            request = first_points(source.bucket(stream.bucket), self._catalogue.names, since)
            answers = ask(self._caller, request, doing=f"looking where {request.bucket} begins")
            first = min((rows.values[0][0] for answer in answers for rows in answer), default=None)
            if first is None:
                return
            start = align_down(first, tier.window)
            if start < oldest[tier.window] and first - since < tier.window:
                start = oldest[tier.window]  # older points of the first window may be gone
            if start >= end:
                return
            state.until[tier.window] = start

    def _make(self, stream: Stream, run: Run, state: State, now: int) -> None:
        window = run.tier.window
        key = (stream.bucket, window)
        span, began = self._spans.get(key, _FIRST_SPAN), self._monotonic()
        try:
            self._maker.make(stream, run, now)
        except StoreUnavailable:
            self._spans[key] = max(1, span // 4)  # it may have been too much
            raise
        took = self._monotonic() - began
        if took > _RUN:
            self._spans[key] = max(1, span // 2)
        elif took < _RUN / 4 and (run.stop - run.start) // window >= span:
            self._spans[key] = min(2 * span, max(1, _WIDEST // window))
        if (wider := wider_marks(stream, run, state, self._marker.next())) is not None:
            tier, marks = wider
            self._keeper.mark(stream, tier, marks)
            known = {(mark.start, mark.host): mark for mark in (*state.marks.get(tier.window, ()), *marks)}
            state.marks[tier.window] = [known[at] for at in sorted(known)]
        self._keeper.done(stream, run.tier, run.marks, run.stop if run.ended else None)
        answered = set(run.marks)
        state.marks[window] = [mark for mark in state.marks.get(window, ()) if mark not in answered]
        if run.ended:
            state.until[window] = run.stop

    def _of(self, stream: Stream) -> dict[int, int]:
        return {
            tier.window: self._spans.get((stream.bucket, tier.window), _FIRST_SPAN) for tier in stream.tiers.rollups
        }
