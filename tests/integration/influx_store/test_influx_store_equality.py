"""The same points in InfluxDB and in the embedded store: every tier, every aggregate, the same answers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from tests.contracts.played_points import QUESTIONS, ask, assert_same_answers, make_points
from tests.contracts.store_contract import roll

from nodetide_core.store import Stream
from nodetide_core.stores.embedded import EmbeddedStore
from nodetide_core.tiers import RAW, Tier, Tiers

pytestmark = pytest.mark.peer

#: One whose first window is wider than the gap, and one whose gap reaches over several windows.
SHAPES = {
    "gap-of-a-window": Tiers((Tier(RAW, 0, 43_200), Tier("5m", 300, 86_400), Tier("1h", 3_600, 0)), 300),
    "short-gap": Tiers((Tier(RAW, 0, 43_200), Tier("5m", 300, 86_400), Tier("15m", 900, 0)), 70),
    "long-gap": Tiers((Tier(RAW, 0, 43_200), Tier("1m", 60, 0), Tier("5m", 300, 0), Tier("15m", 900, 0)), 200),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_embedded_store_says_the_same(
    worlds: Callable[[], AbstractContextManager[Any]], tmp_path: Path, shape: str
) -> None:
    tiers = SHAPES[shape]
    dice = random.Random(shape)
    with worlds() as world:
        store, t = world.open(), world.epoch
        other = EmbeddedStore.open(tmp_path, clock=world.clock)
        points = list(make_points(t, dice))
        late = [point for point in points if dice.random() < 0.02]
        in_time = [point for point in points if point not in late]
        for each in (store, other):
            each.ensure([Stream("p", "b", tiers)])
        middle = len(in_time) // 2
        for now, batch in ((t + 4_000, in_time[:middle]), (t + 8_000, in_time[middle:]), (t + 9_000, late)):
            world.clock.now = now
            for each in (store, other):
                for begin in range(0, len(batch), 4_000):
                    assert each.write("b", batch[begin : begin + 4_000]).rejected == ()
                roll(each, now)
            store = world.open()
        try:
            assert asyncio.run(store.watermarks("b")) == asyncio.run(other.watermarks("b"))
            for tier in tiers.tiers:
                steps = (tier.window, 3 * tier.window) if tier.window else (1, 5, 30, 7_200)
                for question in QUESTIONS:
                    for aggregate in question.aggregates:
                        for step in steps:
                            mine, theirs = (
                                ask(each, "b", tier, question, aggregate, start=t, stop=t + 7_300, step=step)
                                for each in (store, other)
                            )
                            assert mine
                            assert_same_answers(mine, theirs, question.scale)
            assert asyncio.run(store.hosts("b")) == asyncio.run(other.hosts("b"))
            nobody: frozenset[str] = frozenset()
            assert asyncio.run(store.latest("b", nobody, nobody)) == asyncio.run(other.latest("b", nobody, nobody))
        finally:
            other.close()
