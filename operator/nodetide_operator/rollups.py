"""Rolling up what tasks have missed, and what it tells of each policy."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from nodetide_core.errors import StoreError, StoreUnavailable
from nodetide_core.store import RollupReport, Stream
from nodetide_core.stores.influx.progress import Progress
from nodetide_core.stores.influx.reports import CollectorReport
from nodetide_operator.knowledge import Knowledge, Known
from nodetide_operator.node_counts import Heard, Report, fresh_after
from nodetide_operator.outcomes import Downsampling

__all__ = ["RollupStore", "Rollups"]

_log = logging.getLogger(__name__)


class RollupStore(Protocol):
    """What of `nodetide_core.stores.influx.store.InfluxStore` this needs."""

    def rollup(self, now: int) -> RollupReport: ...

    def progress(self) -> Mapping[Stream, Progress]:
        """Of every stream, as of the last `rollup`."""

    def reports(self, stream: Stream, since: int) -> Mapping[str, CollectorReport]: ...


class Rollups:
    """Belongs to one thread, but for `end`.

    Args:
        clock: Unix seconds.

    Attributes:
        windows: made so far.
        failure: why rolling up failed the last time; empty where it did not.
    """

    def __init__(self, store: RollupStore, knowledge: Knowledge, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._knowledge = knowledge
        self._clock = clock
        self._ended = False
        self._left = 0
        self.windows = 0
        self.failure = ""

    def turn(self) -> bool:
        """One bounded step; whether more is to be done at once."""
        now = int(self._clock())
        failure = ""
        try:
            self.windows += self._store.rollup(now).windows
        except StoreError as error:
            failure = str(error)
        if self._ended:
            return False
        self._tell(failure)
        self._knowledge.put(self._known(now))
        # What fails, and what does not move, can wait for the next look.
        before = self._left
        self._left = sum(sum(found.behind.values()) for found in self._store.progress().values() if not found.error)
        return 0 < self._left != before

    def end(self) -> None:
        """That the turn under way is given up is no news."""
        self._ended = True

    def _known(self, now: int) -> Known:
        progress = self._store.progress()
        before = self._knowledge.get().reports
        heard = {}
        answers = True
        for stream, item in progress.items():
            bucket = stream.bucket
            if item.empty:
                heard[bucket] = Heard(now, {})
                continue
            try:
                found = self._store.reports(stream, fresh_after(stream.interval, now) - 3_600) if answers else None
            except StoreUnavailable:
                # Said by InfluxReachable already; where one is not answered, the others need not wait, too.
                answers, found = False, None
            except StoreError:
                found = None
            if found is not None:
                told = {host: Report(one.time, one.hash, one.over_budget) for host, one in found.items()}
                heard[bucket] = Heard(now, told)
            elif bucket in before:
                heard[bucket] = before[bucket]
        return Known({stream.bucket: _downsampling(stream, item) for stream, item in progress.items()}, heard)

    def _tell(self, failure: str) -> None:
        if failure and failure != self.failure:
            _log.error("rolling up fails: %s", failure)
        elif self.failure and not failure:
            _log.info("rolling up works again")
        self.failure = failure


def _downsampling(stream: Stream, progress: Progress) -> Downsampling:
    windows = {tier.name: tier.window for tier in stream.tiers.rollups}
    return Downsampling(progress.behind, windows, progress.error)
