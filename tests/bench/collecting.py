"""A collector whose passes a bench can take one by one."""

from __future__ import annotations

import time
from collections.abc import Sequence

from nodetide_collector.collector import Collector, CollectorConfig
from nodetide_collector.host import Host
from nodetide_collector.sinks.sink import SinkStats
from nodetide_core.points import Point

__all__ = ["Passes"]


class _Nowhere:
    """A sink that keeps nothing."""

    def write(self, bucket: str, points: Sequence[Point]) -> None:
        pass

    def flush(self, timeout: float) -> int:
        return 0

    def close(self) -> None:
        pass

    def stats(self) -> SinkStats:
        return SinkStats()


class Passes:
    """Passes of all default groups, as the collector's loop takes them."""

    def __init__(self, host: Host | None = None) -> None:
        self._collector = Collector(CollectorConfig(host="bench"), _Nowhere(), host=host)
        self._second = int(time.time())

    def take(self) -> list[Point]:
        """One pass of every group, whatever its interval."""
        self._second += 1
        found = self._collector._sample(self._second, time.monotonic(), everything=True)
        return [point for _, points in found for point in points]

    def close(self) -> None:
        self._collector._passes.close()
