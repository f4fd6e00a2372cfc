"""Counting series asks for all hosts, so that no two questions may do it at once."""

from __future__ import annotations

import asyncio

import pytest

from nodetide_api.census import Census
from nodetide_api.filters import Filters
from nodetide_api.history import plan_history
from nodetide_core.catalogue import select
from nodetide_core.errors import StoreUnavailable
from nodetide_core.points import Point
from nodetide_core.store import Latest, Stream

NOW = 1_772_355_600
PLAN = plan_history(
    Stream("system-metrics", "system-metrics"), select("cpu"), "mean", Filters(),
    start=NOW - 300, stop=NOW + 1, now=NOW, step=None, max_points=None, default_points=1000,
)  # fmt: skip


class Counted:
    """A store whose answers wait until they are let go."""

    def __init__(self) -> None:
        self.series = 1
        self.asked = 0
        self.fails = False
        self.go = asyncio.Event()

    async def latest(self, bucket: str, measurements: frozenset[str], hosts: frozenset[str]) -> list[Latest]:
        self.asked += 1
        found, fails = self.series, self.fails
        await self.go.wait()
        if fails:
            raise StoreUnavailable("away")
        tags = [(("cpu", "cpu-total"), ("host", f"node-{number}")) for number in range(found)]
        return [Latest(Point("cpu", pairs, {"usage_active": 1.0}, NOW), None) for pairs in tags]


async def _settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_many_questions_count_once_and_all_learn_the_number():
    store, census = Counted(), Census()
    asking = [asyncio.ensure_future(census.columns(PLAN, store, NOW)) for _ in range(50)]
    await _settle()
    assert store.asked == 1
    store.go.set()
    assert await asyncio.gather(*asking) == [1] * 50
    assert await census.columns(PLAN, store, NOW + 59) == 1
    assert store.asked == 1


async def test_while_an_old_count_is_made_anew_nobody_else_waits():
    store, census = Counted(), Census()
    store.go.set()
    assert await census.columns(PLAN, store, NOW) == 1
    store.go.clear()
    store.series = 3
    renewing = asyncio.ensure_future(census.columns(PLAN, store, NOW + 60))
    await _settle()
    assert await census.columns(PLAN, store, NOW + 61) == 1
    store.go.set()
    assert await renewing == 3
    assert await census.columns(PLAN, store, NOW + 62) == 3
    assert store.asked == 2


async def test_a_count_that_is_too_old_serves_nobody():
    store, census = Counted(), Census()
    store.go.set()
    await census.columns(PLAN, store, NOW)
    store.go.clear()
    store.series = 3
    asking = [asyncio.ensure_future(census.columns(PLAN, store, NOW + 901)) for _ in range(2)]
    await _settle()
    store.go.set()
    assert await asyncio.gather(*asking) == [3, 3]
    assert store.asked == 2


async def test_after_a_count_that_failed_another_is_made():
    store, census = Counted(), Census()
    store.go.set()
    store.fails = True
    with pytest.raises(StoreUnavailable):
        await census.columns(PLAN, store, NOW)
    store.fails = False
    assert await census.columns(PLAN, store, NOW) == 1
