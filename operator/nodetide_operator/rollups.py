"""Rolling up what tasks have missed, and what it tells of each policy."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from nodetide_core.errors import StoreError
from nodetide_core.store import RollupReport, Stream
from nodetide_core.stores.influx.progress import Progress
from nodetide_core.stores.influx.reports import CollectorReport
from nodetide_operator.knowledge import Knowledge, Known
from nodetide_operator.node_counts import Report, fresh_after
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
    """Belongs to one thread.

    Args:
        clock: Unix seconds.
    """

    def __init__(self, store: RollupStore, knowledge: Knowledge, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._knowledge = knowledge
        self._clock = clock
        self._told = ""
        self.windows = 0

    def turn(self) -> bool:
        """One bounded step; whether more is to be done at once."""
        now = int(self._clock())
        failure = ""
        left = 0
        try:
            report = self._store.rollup(now)
            self.windows += report.windows
            left = report.remaining
        except StoreError as error:
            failure = str(error)
        self._tell(failure)
        self._knowledge.put(self._known(now))
        return left > 0

    def _known(self, now: int) -> Known:
        progress = self._store.progress()
        before = self._knowledge.get().reports
        reports = {}
        for stream in progress:
            try:
                found = self._store.reports(stream, fresh_after(stream.interval, now) - 3_600)
            except StoreError:
                # Said by InfluxReachable already; what was known last is kept.
                if stream.bucket in before:
                    reports[stream.bucket] = before[stream.bucket]
                continue
            reports[stream.bucket] = {
                host: Report(item.time, item.hash, item.over_budget) for host, item in found.items()
            }
        return Known({stream.bucket: _downsampling(stream, item) for stream, item in progress.items()}, reports)

    def _tell(self, failure: str) -> None:
        if failure and failure != self._told:
            _log.error("rolling up fails: %s", failure)
        elif self._told and not failure:
            _log.info("rolling up works again")
        self._told = failure


def _downsampling(stream: Stream, progress: Progress) -> Downsampling:
    windows = {tier.name: tier.window for tier in stream.tiers.rollups}
    return Downsampling(progress.behind, windows, progress.error)
