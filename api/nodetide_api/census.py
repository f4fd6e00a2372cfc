"""How many series there are, so that an answer of absurd size is refused before it is read."""

from __future__ import annotations

from itertools import chain
from typing import NamedTuple

from nodetide_api.filters import HOST
from nodetide_api.flights import Flights
from nodetide_api.plan import Plan, count_columns
from nodetide_core.points import Point, tag
from nodetide_core.store import StoreReader

__all__ = ["Census"]

#: Seconds after which a count is made anew: series come and go slowly, and the limit is a round number.
_FRESH = 60.0
#: Seconds for which the count before still serves while that is done.
_USABLE = 900.0


class _Count(NamedTuple):
    """
    Attributes:
        points: the newest, by host.
    """

    at: float
    points: dict[str, list[Point]]


class Census:
    """The series of each measurement asked for.

    Counting asks for all hosts: of many questions that come at once, one counts.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], _Count] = {}
        self._counting: set[tuple[str, str]] = set()
        self._flights = Flights()

    async def columns(self, plan: Plan, store: StoreReader, now: float) -> int:
        """How many series, one per field, the plan gives, going by those alive within the last hour."""
        count = await self._count(plan.stream.bucket, plan.measurement, store, now)
        # Nearly always one host of many is asked for.
        hosts = plan.filters.hosts
        mine = (count.points.get(host, ()) for host in hosts) if hosts else count.points.values()
        return count_columns(plan, chain.from_iterable(mine))

    async def _count(self, bucket: str, measurement: str, store: StoreReader, now: float) -> _Count:
        key = (bucket, measurement)
        known = self._counts.get(key)
        if known is not None:
            age = now - known.at
            if 0 <= age < _FRESH or (key in self._counting and 0 <= age < _USABLE):
                return known

        async def ask() -> _Count:
            self._counting.add(key)
            try:
                points: dict[str, list[Point]] = {}
                for latest in await store.latest(bucket, frozenset((measurement,)), frozenset()):
                    points.setdefault(tag(latest.point.tags, HOST) or "", []).append(latest.point)
            finally:
                self._counting.discard(key)
            self._counts[key] = _Count(now, points)
            return self._counts[key]

        return await self._flights.share(key, ask)
