"""How many series there are, so that an answer of absurd size is refused before it is read."""

from __future__ import annotations

from nodetide_api.plan import Plan, count_columns
from nodetide_core.points import Point
from nodetide_core.store import StoreReader

__all__ = ["Census"]

#: Seconds a count may be old: series come and go slowly, and the limit is a round number.
_KEPT = 60.0


class Census:
    """The series of each measurement asked for, as of the last minute."""

    def __init__(self) -> None:
        self._counted: dict[tuple[str, str], tuple[float, list[Point]]] = {}

    async def columns(self, plan: Plan, store: StoreReader, now: float) -> int:
        """How many series, one per field, the plan gives, going by those alive within the last hour."""
        key = (plan.stream.bucket, plan.measurement)
        known = self._counted.get(key)
        if known is None or not 0 <= now - known[0] < _KEPT:
            found = await store.latest(plan.stream.bucket, frozenset((plan.measurement,)), frozenset())
            known = (now, [latest.point for latest in found])
            self._counted[key] = known
        return count_columns(plan, known[1])
