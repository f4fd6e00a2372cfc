"""What alerts read of all hosts at once: the same as the embedded store says, whatever comes late, goes or returns."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from tests.contracts.played_points import QUESTIONS, ask, assert_same_answers, make_points
from tests.integration.influx_store.conftest import InfluxWorld

from nodetide_core.points import Point, Tags, make_tags
from nodetide_core.store import Aggregate, RangeQuery, Stream
from nodetide_core.stores.embedded import EmbeddedStore
from nodetide_core.stores.influx.store import InfluxStore
from nodetide_core.tiers import RAW, Tier, Tiers

pytestmark = pytest.mark.peer

Worlds = Callable[[], AbstractContextManager[InfluxWorld]]
#: Without rollups, so that nothing but raw points answers; shards of an hour.
RAW_ONLY = Tiers((Tier(RAW, 0, 43_200),), 300)
_HOUR = 3_600


@pytest.fixture(name="both")
def _both(worlds: Worlds, tmp_path: Path) -> Iterator[tuple[InfluxWorld, InfluxStore, EmbeddedStore]]:
    with worlds() as world:
        store, other = world.open(), EmbeddedStore.open(tmp_path, clock=world.clock)
        try:
            yield world, store, other
        finally:
            other.close()


@pytest.mark.parametrize("interval", [1, 20])
def test_counters_of_short_ranges(both: tuple[InfluxWorld, InfluxStore, EmbeddedStore], interval: int) -> None:
    world, store, other = both
    t, dice = world.epoch, random.Random(interval)
    points = list(make_points(t, dice, intervals=(interval, 7, 60, 200)))
    dice.shuffle(points)
    world.clock.now = t + 8_000
    for each in (store, other):
        each.ensure([Stream("p", "b", RAW_ONLY, interval)])
        for begin in range(0, len(points), 4_000):
            assert each.write("b", points[begin : begin + 4_000]).rejected == ()
    counters = [question for question in QUESTIONS if Aggregate.RATE in question.aggregates]
    answered = 0
    for _ in range(40):
        start, width = t + dice.randrange(7_200), dice.choice([1, 30, 60, 300])
        step = dice.choice([width, 1, 60])
        for question in counters:
            for aggregate in question.aggregates:
                mine, theirs = (
                    ask(each, "b", RAW_ONLY.raw, question, aggregate, start=start, stop=start + width, step=step)
                    for each in (store, other)
                )
                assert_same_answers(mine, theirs, question.scale)
                answered += len(mine)
    assert answered > 300, "there was something to compare"


def test_a_host_alone_is_asked_for_in_another_way_and_says_the_same(
    both: tuple[InfluxWorld, InfluxStore, EmbeddedStore],
) -> None:
    world, store, _ = both
    at, tags = world.epoch, make_tags({"host": 'a "b",=', "interface": "result", "table": "t"})
    world.clock.now = at + 100
    store.ensure([Stream("p", "b", RAW_ONLY)])
    store.write("b", [Point("net", tags, {"err_in": n, "drop_in": 2 * n}, at + n) for n in (0, 30, 70, 90)])
    store.write("b", [Point("net", make_tags({"host": "c"}), {"err_in": 5}, at + 80)])

    def read(**only: str) -> list[tuple[Tags, str, list[float]]]:
        query = {name: frozenset({value}) for name, value in only.items()}
        found = asyncio.run(
            store.read(_rates(at + 60, at + 120, query))  # the one before it lies past all that is near
        )
        return [(column.key.tags, column.field, list(column.v)) for column in found]

    wanted = [(tags, "drop_in", [2.0]), (tags, "err_in", [1.0])]
    assert read() == read(host='a "b",=') == read(table="t", interface="result") == wanted
    assert read(interface='" or true or "') == []


def _rates(start: int, stop: int, tags: dict[str, frozenset[str]]) -> RangeQuery:
    return RangeQuery("b", RAW_ONLY.raw, "net", ("drop_in", "err_in"), start, stop, stop - start, Aggregate.RATE, tags)


@pytest.mark.parametrize("seed", range(4))
def test_when_series_were_seen_last(both: tuple[InfluxWorld, InfluxStore, EmbeddedStore], seed: int) -> None:
    """Some a moment ago, some hours ago, some so long ago that it does not count, some without a host."""
    world, store, other = both
    dice = random.Random(seed)
    now = world.epoch + 6 * _HOUR
    world.clock.now = now
    names = [{"host": name} for name in ("a", "b", "c", "d=,e", "f")]
    names += [{**tags, "interface": "eth1"} for tags in names[: seed + 1]] + ([{"interface": "eth0"}] if seed else [])
    points = []
    for tags in names:
        newest = now - dice.choice([0, 30, 299, 300, 301, 1_800, 2 * _HOUR, 4 * _HOUR])
        for age in (0, 10, dice.randrange(20, _HOUR)):
            fields = {"err_in": 1} if dice.random() < 0.5 else {"err_in": 1, "drop_in": 2}
            points.append(Point("net", make_tags(tags), fields, newest - age))
    for each in (store, other):
        each.ensure([Stream("p", "b", RAW_ONLY)])
        assert each.write("b", points).rejected == ()
    for later in (0, 200, 2 * _HOUR):
        world.clock.now = now + later
        for since in (now - 5 * _HOUR, now - 2 * _HOUR, now - 300, now - 20):
            for field in (None, "err_in", "drop_in"):
                mine, theirs = (dict(asyncio.run(each.last_seen("b", "net", field, since))) for each in (store, other))
                assert mine == theirs, (later, since - now, field)
