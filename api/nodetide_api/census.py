"""How many series there are, so that an answer of absurd size is refused before it is read."""

from __future__ import annotations

from itertools import chain

from nodetide_api.filters import HOST
from nodetide_api.plan import Plan, count_columns
from nodetide_core.points import Point, tag
from nodetide_core.store import StoreReader

__all__ = ["Census"]

#: Seconds a count may be old: series come and go slowly, and the limit is a round number.
_KEPT = 60.0


class Census:
    """The series of each measurement asked for, as of the last minute."""

    def __init__(self) -> None:
        self._counted: dict[tuple[str, str], tuple[float, dict[str, list[Point]]]] = {}

    async def columns(self, plan: Plan, store: StoreReader, now: float) -> int:
        """How many series, one per field, the plan gives, going by those alive within the last hour."""
        key = (plan.stream.bucket, plan.measurement)
        known = self._counted.get(key)
        if known is None or not 0 <= now - known[0] < _KEPT:
            found = await store.latest(plan.stream.bucket, frozenset((plan.measurement,)), frozenset())
            by_host: dict[str, list[Point]] = {}
            for latest in found:
                by_host.setdefault(tag(latest.point.tags, HOST) or "", []).append(latest.point)
            self._counted[key] = known = (now, by_host)
        points = known[1]
        # Nearly always one host of many is asked for.
        mine = (points.get(host, ()) for host in plan.filters.hosts) if plan.filters.hosts else points.values()
        return count_columns(plan, chain.from_iterable(mine))
