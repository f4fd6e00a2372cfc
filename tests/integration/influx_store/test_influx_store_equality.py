"""The same points in InfluxDB and in the embedded store: every tier, every aggregate, the same answers."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from tests.contracts.store_contract import roll

from nodetide_core.points import Point, make_tags
from nodetide_core.store import Aggregate, Column, RangeQuery, Store, Stream
from nodetide_core.stores.embedded import EmbeddedStore
from nodetide_core.tiers import RAW, Tier, Tiers

pytestmark = pytest.mark.peer

GAUGES = (Aggregate.MEAN, Aggregate.MIN, Aggregate.MAX, Aggregate.COUNT)
COUNTERS = (Aggregate.LAST, Aggregate.INCREASE, Aggregate.RATE)
#: One whose first window is wider than the gap, and one whose gap reaches over several windows.
SHAPES = {
    "gap-of-a-window": Tiers((Tier(RAW, 0, 43_200), Tier("5m", 300, 86_400), Tier("1h", 3_600, 0)), 300),
    "short-gap": Tiers((Tier(RAW, 0, 43_200), Tier("5m", 300, 86_400), Tier("15m", 900, 0)), 70),
    "long-gap": Tiers((Tier(RAW, 0, 43_200), Tier("1m", 60, 0), Tier("5m", 300, 0), Tier("15m", 900, 0)), 200),
}


def make_points(start: int, random: random.Random) -> Iterator[Point]:
    """Two hours of hosts that pause, restart and have odd tags; floats and integers, gauges and counters."""
    for host in ("a", "b,=c d", "é"):
        switches, busy, restart = random.randrange(10**12), random.random() * 1e6, random.randrange(7_200)
        received, pauses = (
            random.randrange(2**62),
            [(random.randrange(7_200), random.randrange(20, 900)) for _ in "123"],
        )
        for at in range(0, 7_200, random.choice([1, 7, 10, 60])):
            if at >= restart:
                switches, busy, received, restart = at % 5, 0.25, 0, 10**9
            switches, busy, received = switches + random.randrange(900), busy + random.random(), received + 10**9
            if any(begin <= at < begin + length for begin, length in pauses):
                continue
            tags = make_tags({"host": host})
            yield Point("kernel", tags, {"context_switches": switches, "boot_time": 7}, start + at)
            yield Point("system", tags, {"load1": random.random() * 100, "n_cpus": random.randrange(64)}, start + at)
            for cpu in ("cpu0", "cpu-total"):
                fields = {"usage_user": random.random() * 100, "time_user": busy}
                yield Point("cpu", make_tags({"host": host, "cpu": cpu}), fields, start + at)
            net = make_tags({"host": host, "interface": "eth0"})
            yield Point("net", net, {"bytes_recv": received, "speed": random.randrange(-1, 10_000)}, start + at)


QUESTIONS = [
    ("system", ("load1", "n_cpus"), GAUGES),
    ("cpu", ("usage_user",), GAUGES),
    ("net", ("speed",), GAUGES),
    ("kernel", ("context_switches",), COUNTERS),
    ("net", ("bytes_recv",), COUNTERS),
    ("cpu", ("time_user",), COUNTERS),
]


def read(store: Store, tier: Tier, question: Any, aggregate: Aggregate, start: int, step: int) -> list[Column]:
    measurement, fields, _ = question
    query = RangeQuery("b", tier, measurement, fields, start, start + 7_300, step, aggregate)
    return asyncio.run(store.read(query))


def assert_same(mine: list[Column], theirs: list[Column], scale: float) -> None:
    assert [(c.key, c.field) for c in mine] == [(c.key, c.field) for c in theirs]
    for a, b in zip(mine, theirs, strict=True):
        assert (list(a.t), list(a.n)) == (list(b.t), list(b.n)), (a.key, a.field)
        for at, x, y in zip(a.t, a.v, b.v, strict=True):
            # What a float counter has grown by is a difference of large numbers.
            assert math.isclose(x, y, rel_tol=1e-12, abs_tol=scale * 1e-14), (a.key, a.field, at, x, y)


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
                    for aggregate in question[2]:
                        for step in steps:
                            args = (tier, question, aggregate, t, step)
                            mine, theirs = read(store, *args), read(other, *args)
                            assert mine
                            assert_same(mine, theirs, 1e6 if question[1] == ("time_user",) else 0.0)
            assert asyncio.run(store.hosts("b")) == asyncio.run(other.hosts("b"))
            nobody: frozenset[str] = frozenset()
            assert asyncio.run(store.latest("b", nobody, nobody)) == asyncio.run(other.latest("b", nobody, nobody))
        finally:
            other.close()
