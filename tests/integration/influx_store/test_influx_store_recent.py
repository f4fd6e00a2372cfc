"""The newest points of a whole fleet: the same as when all is read, and only what is new is read."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from tests.contracts.store_contract import TIERS, gauge

from nodetide_core.catalogue import CATALOGUE
from nodetide_core.points import Point, make_tags
from nodetide_core.store import Latest, Stream
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.http import Reply, Transport
from nodetide_core.stores.influx.newest import newest_points
from nodetide_core.stores.influx.recent import Recent

pytestmark = pytest.mark.peer

Worlds = Callable[[], AbstractContextManager[Any]]
STREAM = Stream("p", "b", TIERS)
NOBODY: frozenset[str] = frozenset()


class Overheard(Caller):
    """Keeps what it was asked."""

    bodies: list[bytes]

    def send(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None, **options: Any
    ) -> Reply:
        self.bodies.append(body)
        return super().send(method, path, body, headers, **options)


@contextmanager
def overheard(world: Any) -> Iterator[Overheard]:
    caller = Overheard(Transport(world.config.url), world.config.token)
    caller.bodies = []
    yield caller
    caller.close()


def passed(host: str, at: int, value: float) -> list[Point]:
    """One pass of a collector."""
    tags = make_tags({"host": host})
    report = Point("collector", make_tags({"group": "all", "host": host}), {"success": 1}, at)
    return [
        report,
        gauge(at, value, tags),
        Point("cpu", make_tags({"cpu": "cpu0", "host": host}), {"usage_user": value}, at),
    ]


def everything(caller: Caller, now: int) -> list[Latest]:
    return newest_points(caller, STREAM, CATALOGUE, now, measurements=NOBODY, hosts=NOBODY)


def test_it_is_what_reading_all_gives(worlds: Worlds) -> None:
    dice = random.Random(7)
    with worlds() as world, overheard(world) as caller:
        store, now = world.open(), world.epoch
        store.ensure([STREAM])
        recent = Recent(CATALOGUE)
        for _ in range(25):
            # Up to past the hour after which a series counts as gone.
            now += dice.choice([1, 5, 300, 1_500])
            world.clock.now = now
            for host in dice.sample(["a", "b", "c", "d", "e,=é"], dice.randrange(5)):
                store.write("b", passed(host, now - dice.randrange(3), dice.random()))
            if dice.random() < 0.5:
                store.write("b", [gauge(now, dice.random(), make_tags({"host": "silent"}))])
            hosts = frozenset(dice.sample(["a", "b", "silent", "nobody"], dice.randrange(4)))
            told = newest_points(caller, STREAM, CATALOGUE, now, measurements=NOBODY, hosts=hosts)
            assert recent.newest(caller, STREAM, now, hosts) == told
            if dice.random() < 0.7:
                assert recent.newest(caller, STREAM, now) == everything(caller, now)


def test_only_hosts_with_something_new_are_read_again(worlds: Worlds) -> None:
    with worlds() as world, overheard(world) as caller:
        store, t = world.open(), world.epoch
        store.ensure([STREAM])
        world.clock.now = t + 10
        for host in "abcdefgh":
            store.write("b", passed(host, t, 1.0))
        store.write("b", [gauge(t, 1.0, ())])
        later = [0.0]
        recent = Recent(CATALOGUE, lambda: later[0])
        first = recent.newest(caller, STREAM, t + 10)
        store.write("b", passed("c", t + 5, 2.0))
        caller.bodies.clear()
        second = recent.newest(caller, STREAM, t + 10)
        reading = caller.bodies[-1].decode()
        assert [name for name in "abcdefgh" if f"%22{name}%22" in reading] == ["c"]
        assert second == everything(caller, t + 10) != first
        caller.bodies.clear()
        assert recent.newest(caller, STREAM, t + 10, frozenset("ac")) == [
            latest for latest in second if dict(latest.point.tags).get("host") in ("a", "c")
        ]
        assert len(caller.bodies) == 1
        caller.bodies.clear()
        assert recent.newest(caller, STREAM, t + 10) == second
        assert len(caller.bodies) == 1
        # What was overwritten without a word, or has no host, is seen a minute later.
        store.write("b", [gauge(t, 9.0, make_tags({"host": "a"})), gauge(t, 9.0, ())])
        assert recent.newest(caller, STREAM, t + 10) == second
        later[0] += 61
        assert recent.newest(caller, STREAM, t + 10) == everything(caller, t + 10) != second


def test_a_series_that_was_kept_is_gone_after_an_hour(worlds: Worlds) -> None:
    with worlds() as world, overheard(world) as caller:
        store, t = world.open(), world.epoch
        store.ensure([STREAM])
        world.clock.now = t + 3_590
        store.write("b", [passed("a", t, 1.0)[1], passed("a", t + 3_590, 1.0)[0]])
        recent = Recent(CATALOGUE, lambda: 0.0)
        assert len(recent.newest(caller, STREAM, t + 3_590)) == 2
        (only,) = recent.newest(caller, STREAM, t + 3_610)
        assert only.point.measurement == "collector"
