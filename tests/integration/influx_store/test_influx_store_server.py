"""InfluxStore against what a real influxd does: drift, tokens, faults, hostile names, tasks and late points."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from servers import InfluxServer
from tests.contracts.store_contract import HOST, TIERS, columns, gauge, roll

from nodetide_core.catalogue import CATALOGUE
from nodetide_core.errors import StoreRejected, StoreUnavailable
from nodetide_core.points import Point, make_tags
from nodetide_core.store import Aggregate, RangeQuery, Stream
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.control import Control
from nodetide_core.stores.influx.desired import desired
from nodetide_core.stores.influx.flux import run_text
from nodetide_core.stores.influx.http import Transport
from nodetide_core.stores.influx.planning import plan
from nodetide_core.stores.influx.progress import task_progress
from nodetide_core.stores.influx.store import InfluxStore

pytestmark = pytest.mark.peer

Worlds = Callable[[], AbstractContextManager[Any]]
Controls = Callable[[Any], Control]
STREAM = Stream("p", "b", TIERS)


@pytest.fixture
def control() -> Iterator[Callable[[Any], Control]]:
    callers = []

    def make(config: Any) -> Control:
        callers.append(Caller(Transport(config.url), config.token))
        return Control(callers[-1], config.org)

    yield make
    for caller in callers:
        caller.close()


def read_raw(store: InfluxStore, time: int, tags: dict[str, frozenset[str]], field: str = "load1") -> Any:
    query = RangeQuery("b", TIERS.raw, "system", (field,), time, time + 60, 1, Aggregate.LAST, tags)
    return asyncio.run(store.read(query))


def test_ensuring_again_does_nothing_and_drift_is_mended(
    worlds: Worlds, influx_server: InfluxServer, control: Controls
) -> None:
    with worlds() as world:
        store, seen = world.open(), control(world.config)

        def planned() -> list[str]:
            return [str(action) for action in plan([STREAM], desired([STREAM], CATALOGUE), seen.observe())]

        assert len(planned()) == 5
        store.ensure([STREAM])
        assert planned() == []
        observed = seen.observe()
        raw, minute = observed.buckets["b"], observed.buckets["b-1m"]
        first, second = observed.tasks
        call = influx_server.call
        call("PATCH", f"/api/v2/buckets/{raw.id}", {"description": "hello"})
        rules = [{"type": "expire", "everySeconds": 3 * 86_400, "shardGroupDurationSeconds": 86_400}]
        call("PATCH", f"/api/v2/buckets/{minute.id}", {"retentionRules": rules})
        call("PATCH", f"/api/v2/tasks/{first.id}", {"status": "inactive"})
        call("DELETE", f"/api/v2/tasks/{second.id}")
        with pytest.raises(StoreRejected, match="b-1m: keep 12h instead of keep 3d"):
            store.ensure([STREAM])
        store.ensure([replace(STREAM, allow_data_loss=True)])
        assert planned() == []
        assert {task.task for task in seen.observe().tasks} == {first.task, second.task}


def test_a_stream_renamed_tier_keeps_its_points(worlds: Worlds) -> None:
    with worlds() as world:
        store, t = world.open(), world.epoch
        store.ensure([STREAM])
        world.clock.now = t + 200
        store.write("b", [gauge(t + at, 1.0) for at in range(120)])
        roll(store, t + 200)
        renamed = replace(
            STREAM, tiers=replace(TIERS, tiers=(TIERS.raw, replace(TIERS.tiers[1], name="min"), TIERS.tiers[2]))
        )
        store.ensure([renamed])
        (column,) = columns(store, renamed.tiers.tiers[1], "system.load1", Aggregate.COUNT, t, t + 300)
        assert list(column.v) == [60, 60]


def test_a_token_that_is_wrong_or_too_narrow_is_told(worlds: Worlds) -> None:
    with worlds() as world:
        world.open().ensure([STREAM])
        wrong = InfluxStore(replace(world.config, token=lambda: "wrong"), clock=world.clock)
        for question in (wrong.ready, wrong.streams, lambda: wrong.hosts("b")):
            with pytest.raises(StoreUnavailable, match="INFLUXDB_TOKEN"):
                asyncio.run(question())
        with pytest.raises(StoreUnavailable, match="INFLUXDB_TOKEN"):
            wrong.write("b", [gauge(world.epoch, 1.0)])
        wrong.close()
        lost = InfluxStore(replace(world.config, org="nobody's"), clock=world.clock)
        with pytest.raises(StoreUnavailable, match=r'organization "nobody.s" does not exist.*INFLUXDB_ORG'):
            asyncio.run(lost.ready())
        lost.close()


def test_a_token_for_reading_buckets_is_enough_to_read(worlds: Worlds) -> None:
    with worlds() as world:
        store, t = world.open(), world.epoch
        store.ensure([STREAM])
        world.clock.now = t + 100
        store.write("b", [gauge(t + at, 1.0) for at in range(90)])
        roll(store, t + 100)
        token = world.token_for("read", "buckets")
        reader = InfluxStore(replace(world.config, token=lambda: token), clock=world.clock)
        asyncio.run(reader.ready())
        assert asyncio.run(reader.streams()) == [STREAM]
        assert asyncio.run(reader.watermarks("b")) == {"1m": t + 60}
        assert asyncio.run(reader.hosts("b")) == {"a": t + 89}
        assert len(asyncio.run(reader.latest("b", frozenset(), frozenset()))) == 1
        assert len(read_raw(reader, t, {})) == 1
        with pytest.raises(StoreUnavailable, match="b"):
            reader.write("b", [gauge(t, 1.0)])
        reader.close()


def test_a_bucket_deleted_behind_our_back_is_rejected_by_name(
    worlds: Worlds, influx_server: InfluxServer, control: Controls
) -> None:
    with worlds() as world:
        store = world.open()
        store.ensure([STREAM])
        found = control(world.config).buckets()
        influx_server.call("DELETE", f"/api/v2/buckets/{found['b-1m'].id}")
        with pytest.raises(StoreRejected, match="b-1m"):
            columns(store, TIERS.tiers[1], "system.load1", Aggregate.MEAN, world.epoch, world.epoch + 600)
        with pytest.raises(StoreRejected, match="b"):
            store.rollup(world.epoch)
        store.ensure([STREAM])
        assert store.rollup(world.epoch).windows == 0


HOSTILE = [
    "it's",
    'say "no"',
    "' OR '1'='1",
    '" OR "host"::tag =~ /.*/ --',
    'a") |> drop() //',
    "${now()}",
    "x\\y",
    "comma,space =equals",
    "; DROP DATABASE b",
    "日本語 é 🦆",
    "/.*/",
    "$v0",
    "$host",
    "%s %d {0}",
    "a\nb",
    "-- comment",
    "/* c */",
    "host=a,cpu=b",
]


def test_hostile_names_go_in_and_come_back_as_data(worlds: Worlds) -> None:
    with worlds() as world:
        store, t = world.open(), world.epoch
        store.ensure([STREAM])
        world.clock.now = t + 400
        series = {name: make_tags({"host": name, "rack": name[::-1]}) for name in HOSTILE}
        points = [gauge(t + at, index, tags) for index, tags in enumerate(series.values()) for at in range(3)]
        assert store.write("b", points).written == len(points)
        roll(store, t + 400)
        hosts = {make_tags({"host": name})[0][1] for name in HOSTILE}
        assert asyncio.run(store.hosts("b")) == dict.fromkeys(hosts, t + 2)
        for index, tags in enumerate(series.values()):
            host, rack = dict(tags)["host"], dict(tags)["rack"]
            for asked in ({"host": frozenset({host})}, {"rack": frozenset({rack})}):
                (column,) = read_raw(store, t, asked)
                assert (column.key.tags, set(column.v)) == (tags, {index})
            (latest,) = asyncio.run(store.latest("b", frozenset(), frozenset({host})))
            assert latest.point == Point("system", tags, {"load1": float(index)}, t + 2)
            (rolled,) = columns(
                store, TIERS.tiers[1], "system.load1", Aggregate.COUNT, t, t + 60, tags={"host": frozenset({host})}
            )
            assert (rolled.key.tags, list(rolled.v)) == (tags, [3])
        everything = read_raw(store, t, {})
        assert [c.key.tags for c in everything] == sorted(series.values())


@pytest.mark.parametrize("name", ["time", "load1", "_field", "host::field", 'x" = 1 OR "y', "no\nsuch", "é"])
def test_a_tag_of_any_name_is_a_tag_and_nothing_else(worlds: Worlds, name: str) -> None:
    with worlds() as world:
        store, t = world.open(), world.epoch
        store.ensure([STREAM])
        world.clock.now = t + 60
        store.write("b", [gauge(t, 1.0)])
        assert read_raw(store, t, {name: frozenset({"1", "' OR '1'='1", ""})}) == []
        assert read_raw(store, t, {"host": frozenset({""})}) == []
        assert read_raw(store, t, {"host": frozenset()}) == []
        assert asyncio.run(store.latest("b", frozenset({name}), frozenset())) == []
        assert asyncio.run(store.latest("b", frozenset(), frozenset({""}))) == []


def test_a_hostile_host_is_rolled_up_alone(worlds: Worlds) -> None:
    """Marks carry hosts into state and into Flux."""
    with worlds() as world:
        store, t = world.open(), world.epoch
        store.ensure([STREAM])
        world.clock.now = t + 400
        for name in HOSTILE:
            tags = make_tags({"host": name})
            store.write("b", [gauge(t, 1.0, tags), gauge(t, 1.0)])
            roll(store, t + 400)
            store.write("b", [gauge(t + 1, 3.0, tags)])
            roll(store, t + 400)
            (column,) = columns(
                store,
                TIERS.tiers[2],
                "system.load1",
                Aggregate.MEAN,
                t,
                t + 300,
                tags={"host": frozenset({tags[0][1]})},
            )
            assert list(column.v) == [2.0]


def test_restarts_and_stand_stills_of_influxd_lose_nothing(worlds: Worlds, influx_server: InfluxServer) -> None:
    with worlds() as world:
        store, t = InfluxStore(world.config, clock=world.clock), world.epoch
        hurried = InfluxStore(replace(world.config, timeout=1.0), clock=world.clock)
        store.ensure([STREAM])
        world.clock.now = t + 1_000
        store.write("b", [gauge(t + at, at) for at in range(300)])
        influx_server.kill()
        with pytest.raises(StoreUnavailable):
            store.write("b", [gauge(t + 300, 300.0)])
        with pytest.raises(StoreUnavailable):
            store.rollup(t + 1_000)
        with pytest.raises(StoreUnavailable):
            asyncio.run(store.ready())
        influx_server.start()
        roll(store, t + 1_000)
        store.write("b", [gauge(t + at, at) for at in range(300, 600)])
        influx_server.pause()
        try:
            with pytest.raises(StoreUnavailable, match="no answer in time"):
                asyncio.run(hurried.ready())
        finally:
            influx_server.resume()
            hurried.close()
        roll(store, t + 1_000)
        (column,) = columns(store, TIERS.tiers[2], "system.load1", Aggregate.COUNT, t, t + 900)
        assert (list(column.t), list(column.v)) == ([t, t + 300], [300, 300])
        store.close()


def held() -> tuple[int, int]:
    """Open files and threads of this process."""
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()


def test_a_thousand_failures_leave_nothing_behind(worlds: Worlds, influx_server: InfluxServer) -> None:
    with worlds() as world:
        store = world.open()
        store.ensure([STREAM])
        asyncio.run(store.ready())

        async def fail(times: int) -> None:
            for _ in range(times):
                for question in (store.ready, lambda: store.hosts("b")):
                    with pytest.raises(StoreUnavailable):
                        await question()

        influx_server.stop()
        try:
            asyncio.run(fail(20))
            before = held()
            asyncio.run(fail(500))
            assert all(now <= then for now, then in zip(held(), before, strict=True))
        finally:
            influx_server.start()
        asyncio.run(store.ready())


def test_a_task_makes_what_the_same_text_makes_by_hand_and_tells_its_progress(
    worlds: Worlds, influx_server: InfluxServer, control: Controls
) -> None:
    with worlds() as world:
        store = world.open()
        store.ensure([STREAM])
        # Tasks live on InfluxDB's own clock, and so does this test.
        now = int(time.time())
        end = now - now % 60
        world.clock.now = now
        kernel = [Point("kernel", HOST, {"context_switches": at * at}, end - 120 + at) for at in range(0, 120, 7)]
        store.write("b", [gauge(end - 120 + at, at / 7) for at in range(120)] + kernel)
        seen = control(world.config)
        task = next(task for task in seen.tasks() if task.task.name == "nodetide b-1m")
        influx_server.call("POST", f"/api/v2/tasks/{task.id}/runs", {"scheduledFor": f"{_rfc3339(end)}"})
        while not task_progress([STREAM], seen.tasks()).get("b", {}).get(60, 0) >= end:
            time.sleep(0.05)
        everything = RangeQuery("b", TIERS.tiers[1], "system", ("load1",), end - 120, end, 60, Aggregate.MEAN)
        by_task = asyncio.run(store.read(everything))
        assert [list(column.n) for column in by_task] == [[60, 60]]
        script = run_text(STREAM, TIERS.tiers[1], CATALOGUE, start=end - 120, stop=end)
        influx_server.call("POST", f"/api/v2/query?orgID={world.org_id}", {"query": script})
        assert asyncio.run(store.read(everything)) == by_task


def _rfc3339(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def test_points_that_come_late_past_every_mark_are_found(worlds: Worlds, influx_server: InfluxServer) -> None:
    """As from a collector's spool: it writes to InfluxDB, not through a store."""
    with worlds() as world:
        later = [0.0]
        store, t = InfluxStore(world.config, clock=world.clock, monotonic=lambda: later[0]), world.epoch
        store.ensure([STREAM])
        world.clock.now = t + 1_000

        def spool(host: str, start: int, stop: int) -> None:
            lines = [
                line
                for at in range(start, stop)
                for line in (
                    f"collector,group=all,host={host} success=1i {t + at}",
                    f"kernel,host={host} context_switches={3 * at}i {t + at}",
                )
            ]
            path = f"/api/v2/write?orgID={world.org_id}&bucket=b&precision=s"
            influx_server.call("POST", path, "\n".join(lines))

        spool("a", 0, 900)
        spool("b", 0, 200)
        roll(store, t + 1_000)
        spool("b", 200, 900)
        later[0] += 1_000
        roll(store, t + 1_000)
        for tier, starts in ((TIERS.tiers[1], range(t, t + 900, 60)), (TIERS.tiers[2], range(t, t + 900, 300))):
            grown = columns(store, tier, "kernel.context_switches", Aggregate.INCREASE, t, t + 900)
            assert [dict(column.key.tags)["host"] for column in grown] == ["a", "b"]
            for column in grown:
                assert list(column.t) == list(starts)
                assert list(column.v)[1:] == [3 * tier.window] * (len(starts) - 1)
        store.close()
