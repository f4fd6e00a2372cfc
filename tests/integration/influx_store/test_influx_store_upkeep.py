"""Two make the same windows: InfluxDB's tasks, in Flux, and upkeep, which keeps the tasks from it while it can."""

from __future__ import annotations

import asyncio
import csv
import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from urllib.parse import quote

import pytest
from servers import CallFailed, InfluxServer
from tests.contracts.store_contract import TIERS, columns, gauge, roll

from nodetide_core.catalogue import CATALOGUE
from nodetide_core.points import Point, make_tags
from nodetide_core.store import Aggregate, Stream
from nodetide_core.stores.influx.caller import AnswerTooLarge, Caller
from nodetide_core.stores.influx.control import Control
from nodetide_core.stores.influx.due import SETTLE, Run
from nodetide_core.stores.influx.flux import run_text
from nodetide_core.stores.influx.http import Transport
from nodetide_core.stores.influx.making import Maker
from nodetide_core.stores.influx.progress import task_progress
from nodetide_core.tiers import RAW, Tier, Tiers

pytestmark = pytest.mark.peer

Worlds = Callable[[], AbstractContextManager[Any]]
STREAM = Stream("p", "b", TIERS)
MINUTE, FIVE = TIERS.rollups
SHAPES = {
    "gap-of-a-window": Tiers((Tier(RAW, 0, 43_200), Tier("5m", 300, 86_400), Tier("15m", 900, 0)), 300),
    "short-gap": Tiers((Tier(RAW, 0, 43_200), Tier("5m", 300, 86_400), Tier("15m", 900, 0)), 70),
    "long-gap": Tiers((Tier(RAW, 0, 43_200), Tier("1m", 60, 0), Tier("5m", 300, 0)), 200),
}


def lively_points(start: int, dice: random.Random) -> Iterator[Point]:
    """Half an hour of hosts that pause and restart, of every type and kind, some without a name."""
    for name in ("a", "b,=c d", ""):
        host = {"host": name} if name else {}
        counts, busy, restart = dice.randrange(10**12), dice.random() * 1e6, dice.randrange(1_800)
        pauses = [(dice.randrange(1_800), dice.randrange(20, 400)) for _ in "12"]
        for at in range(dice.randrange(60), 1_800, dice.choice([1, 7, 30])):
            if at >= restart:
                counts, busy, restart = 0, 0.25, 10**9
            counts, busy = counts + dice.randrange(900), busy + dice.random()
            if any(begin <= at < begin + length for begin, length in pauses):
                continue
            yield Point("system", make_tags(host), {"load1": dice.random(), "n_cpus": dice.randrange(9)}, start + at)
            cpu = {"usage_user": dice.random() * 100, "time_user": busy}
            yield Point("cpu", make_tags({**host, "cpu": "cpu0"}), cpu, start + at)
            net = {"bytes_recv": counts, "speed": -1} | ({"err_in": counts // 99} if at % 5 != 4 else {})
            yield Point("net", make_tags({**host, "interface": "eth0"}), net, start + at)


def held(server: InfluxServer, world: Any, bucket: str) -> dict[tuple[str, ...], float]:
    """Everything in a bucket but what rolling up remembers, with its type."""
    script = f'from(bucket: "{bucket}") |> range(start: 0, stop: {world.epoch + 86_400})'
    script += ' |> filter(fn: (r) => r._measurement != "nodetide_rollup")'
    found: dict[tuple[str, ...], float] = {}
    for table in server.call("POST", f"/api/v2/query?orgID={world.org_id}", {"query": script}).split("\r\n\r\n"):
        for row in csv.DictReader(table.splitlines()):
            name, value = row["_field"], row["_value"]
            if name.endswith("_seconds") and value == "0":
                continue  # Flux writes that nothing was seen to grow, where upkeep writes nothing
            tags = (row.get(column) or "" for column in ("_measurement", "host", "cpu", "interface"))
            found[(*tags, name, row["_time"])] = float(value) if set(value) & set(".e") else int(value)
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_tasks_and_upkeep_make_the_same(worlds: Worlds, influx_server: InfluxServer, shape: str) -> None:
    tiers, dice = SHAPES[shape], random.Random(shape)
    stream = Stream("p", "b", tiers)
    with worlds() as by_upkeep, worlds() as by_tasks:
        t = by_upkeep.epoch
        points = list(lively_points(t, dice))
        for world in (by_upkeep, by_tasks):
            store = world.open()
            store.ensure([stream])
            world.clock.now = t + 2_000
            assert store.write("b", points).rejected == ()
        store = by_upkeep.open()
        for stop in range(300, 2_000, 300):
            roll(store, t + stop + SETTLE)
        for tier in tiers.rollups:
            script = run_text(stream, tier, CATALOGUE, start=t, stop=t + 1_800)
            influx_server.call("POST", f"/api/v2/query?orgID={by_tasks.org_id}", {"query": script})
            bucket = tier.bucket("b")
            mine, theirs = held(influx_server, by_upkeep, bucket), held(influx_server, by_tasks, bucket)
            assert mine
            assert mine.keys() == theirs.keys()
            for key, value in theirs.items():
                assert type(mine[key]) is type(value), key
                # What a float counter has grown by is a difference of large numbers.
                assert math.isclose(mine[key], value, rel_tol=1e-12, abs_tol=1e-8), key


def test_what_is_too_much_for_one_answer_is_asked_for_in_parts(worlds: Worlds) -> None:
    with worlds() as world:
        store, t = world.open(), world.epoch
        store.ensure([STREAM])
        world.clock.now = t + 400
        hosts = [make_tags({"host": name}) for name in "abc"]
        store.write("b", [gauge(t + at, 1.0, tags) for at in range(300) for tags in hosts])
        run = Run(MINUTE, t, t + 300, frozenset(), (), ended=True)

        def make(limit: int) -> None:
            caller = Caller(Transport(world.config.url), world.config.token, answer_limit=limit)
            try:
                Maker(caller, org=world.config.org, catalogue=CATALOGUE).make(STREAM, run, t)
            finally:
                caller.close()

        with pytest.raises(AnswerTooLarge):
            make(1_000)
        make(5_000)
        made = columns(store, MINUTE, "system.load1", Aggregate.COUNT, t, t + 300)
        assert [list(column.v) for column in made] == [[60] * 5] * 3


def forced_run(server: InfluxServer, control: Control, tier: Tier, end: int) -> None:
    """Run a tier's task as for a time, and wait for its success."""
    name = f"nodetide {tier.bucket('b')}"
    task = next(task for task in control.tasks() if task.task.name == name)
    scheduled = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end))
    runs = f"/api/v2/tasks/{task.id}/runs"
    run = server.call("POST", runs, {"scheduledFor": scheduled})["id"]
    give_up = time.monotonic() + 180
    while not _succeeded(server, f"{runs}/{run}"):
        assert time.monotonic() < give_up
        time.sleep(0.05)
    while task_progress([STREAM], control.tasks()).get("b", {}).get(tier.window, 0) < end:
        assert time.monotonic() < give_up
        time.sleep(0.05)


def _succeeded(server: InfluxServer, run: str) -> bool:
    try:
        found = server.call("GET", run)
    except CallFailed as error:
        # For a moment, between where runs are that go on and where those are that have ended; influxd panics, even.
        assert error.status in (404, 500)
        return False
    assert found["status"] != "failed", found
    return bool(found.get("finishedAt"))


@contextmanager
def at_a_minutes_end(worlds: Worlds) -> Iterator[tuple[Any, Any, Control, int]]:
    """Tasks live on InfluxDB's own clock, and so do tests of them: begun late in a minute, one would still go on when
    InfluxDB runs them by itself, half a minute after its end."""
    while time.time() % 60 > 40:
        time.sleep(0.5)
    with worlds() as world:
        store = world.open()
        store.ensure([STREAM])
        caller = Caller(Transport(world.config.url), world.config.token)
        end = int(time.time()) // 60 * 60
        world.clock.now = end
        yield world, store, Control(caller, world.config.org), end
        caller.close()


def test_a_task_leaves_alone_what_upkeep_has_claimed(worlds: Worlds, influx_server: InfluxServer) -> None:
    with at_a_minutes_end(worlds) as (world, first, control, end):
        store = first
        store.write("b", [gauge(end - 180 + at, 1.0) for at in range(180)])
        roll(store, end - 60 + SETTLE)

        def counts() -> list[int]:
            found = columns(store, MINUTE, "system.load1", Aggregate.COUNT, end - 180, end)
            return [int(value) for column in found for value in column.v]

        assert counts() == [60, 60]
        # Upkeep sees the end of the next window, and ends itself before it is settled.
        store.rollup(end)
        forced_run(influx_server, control, MINUTE, end)
        assert counts() == [60, 60]
        fresh = world.open()
        assert asyncio.run(fresh.watermarks("b"))["1m"] == end - 60
        # A window later nobody has claimed anything, and the task makes both.
        forced_run(influx_server, control, MINUTE, end + 60)
        store = world.open()
        assert counts() == [60, 60, 60]
        assert asyncio.run(store.watermarks("b"))["1m"] == end + 60


def test_upkeep_that_is_behind_claims_nothing(worlds: Worlds, influx_server: InfluxServer) -> None:
    with at_a_minutes_end(worlds) as (world, store, control, end):
        store.write("b", [gauge(end - 300 + at, 1.0) for at in range(300)])
        roll(store, end - 240 + SETTLE)
        store.rollup(end)
        script = f'from(bucket: "b-1m") |> range(start: {end - 300}) |> filter(fn: (r) => r.state == "claim")'
        query = f"/api/v2/query?org={quote(world.config.org)}"
        assert "claim" not in influx_server.call("POST", query, {"query": script})
        forced_run(influx_server, control, MINUTE, end)
        (column,) = columns(store, MINUTE, "system.load1", Aggregate.COUNT, end - 120, end)
        assert list(column.v) == [60, 60]
