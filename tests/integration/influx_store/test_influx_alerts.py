"""Besides the contract: what InfluxDB answers to users' Flux, and what must not touch or wait for alerts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest
from tests.integration.influx_store.conftest import InfluxWorld

from nodetide_core.alerts.model import AlertKey, AlertState, Phase, Reading
from nodetide_core.alerts.ports import AlertRecord, Told, ToldKey
from nodetide_core.errors import StoreRejected
from nodetide_core.points import Point, make_tags
from nodetide_core.store import Aggregate, RangeQuery, Stream
from nodetide_core.stores.influx.answers import ask
from nodetide_core.stores.influx.caller import connect
from nodetide_core.stores.influx.influxql import Request

pytestmark = pytest.mark.peer

Worlds = Callable[[], AbstractContextManager[InfluxWorld]]
STREAM = Stream("p", "b")
KEY = AlertKey("b", "A", "critical", (("host", "a"),))
RECORD = AlertRecord(AlertState(Phase.FIRING, 1, 2, 0, 3, 4.5), {"a": "b"}, {})
#: Of a world that lives after tomorrow.
SOURCE = """from(bucket: "b") |> range(start: -1h, stop: 3d)
  |> filter(fn: (r) => r._measurement == "mem" and r._field == "used_percent")"""


def test_flux_gives_the_last_value_of_each_table(worlds: Worlds) -> None:
    with worlds() as world:
        store = world.open()
        store.ensure([STREAM])
        at = world.epoch
        world.clock.now = at + 10
        tags = {host: make_tags({"host": host, "zone": 'a,b "c"'}) for host in "ab"}
        points = [
            Point("mem", tags[host], {"used_percent": n * 10.0 + age}, at + age)
            for n, host in enumerate("ab") for age in (0, 5)
        ]  # fmt: skip
        store.write("b", points)

        def flux(text: str) -> list[Reading]:
            return sorted(asyncio.run(store.flux("b", text)), key=lambda reading: reading.tags)

        assert flux(SOURCE) == [Reading(tags["a"], 5.0), Reading(tags["b"], 15.0)]
        assert flux(f'{SOURCE} |> group(columns: ["zone"]) |> sum()') == [Reading((("zone", 'a,b "c"'),), 20.0 + 10.0)]
        assert flux(f'{SOURCE} |> filter(fn: (r) => r.host == "none")') == []
        assert flux(f"{SOURCE} |> map(fn: (r) => ({{r with _value: 1.0 / 0.0}}))") == []
        for text, said in (
            ('from(bucket: "none") |> range(start: -1h)', "could not find bucket"),
            (f"{SOURCE} |> nothing()", "'nothing' is nothing that the query of an alert may use"),
            (f"{SOURCE} |> map(fn: (r) => ({{r with _value: \"x\"}}))", "has strings"),
            (f"{SOURCE} |> drop(columns: [\"_value\"])", "must give a column _value"),
            (f"{SOURCE} |> map(fn: (r) => ({{r with _value: int(v: r.host)}}))", "cannot convert string"),
            ('import "generate" generate.from(count: 100001, fn: (n) => n, start: 2020-01-01T00:00:00Z, '
             "stop: 2021-01-01T00:00:00Z)", "more than 100000 rows"),
        ):  # fmt: skip
            with pytest.raises(StoreRejected, match=said):
                flux(text)


def test_the_syntax_of_flux_is_checked_with_its_place(worlds: Worlds) -> None:
    with worlds() as world:
        store = world.open()
        check = lambda text: asyncio.run(store.check_flux(text))  # noqa: E731
        assert check(SOURCE) is None
        assert check("x = \n  from(bucket: ").startswith("line 2, column 3: expected RPAREN, got EOF; ")
        assert check('from(bucket: "none")') is None, "whether there is such a bucket is seen when it is asked"


def test_rollups_leave_alerts_where_they_are(worlds: Worlds) -> None:
    with worlds() as world:
        store = world.open()
        store.ensure([STREAM])
        at = world.epoch
        world.clock.now = at + 100
        store.write("b", [Point("mem", make_tags({"host": "a"}), {"used_percent": 1.0}, at + 1)])
        store.remember("b", {KEY: RECORD}, {ToldKey("team", "id"): Told("critical", 1, 2)}, at + 2)
        assert store.rollup(at + 4_000).windows > 0
        caller = connect(world.config, 60.0)
        try:
            for tier in STREAM.tiers.tiers:
                (found,) = ask(caller, Request(tier.bucket("b"), "SHOW MEASUREMENTS", {}), doing="looking")
                names = {name for rows in found for (name,) in rows.values}
                if tier.window == 0:
                    assert names == {"mem", "nodetide_alert", "nodetide_alert_evaluated", "nodetide_alert_told"}
                else:
                    assert names <= {"mem", "nodetide_rollup"}
        finally:
            caller.end()
        assert asyncio.run(store.hosts("b")).keys() == {"a"}
        latest = asyncio.run(store.latest("b", frozenset(), frozenset()))
        assert {item.point.measurement for item in latest} == {"mem"}


def test_neither_alerts_nor_reports_wait_for_upkeep(worlds: Worlds) -> None:
    with worlds() as world:
        store = world.open()
        store.ensure([STREAM])
        done: list[object] = []

        def work() -> None:
            store.remember("b", {KEY: RECORD}, {}, world.epoch)
            done.append(store.remembered("b").records)
            done.append(store.reports(STREAM, world.epoch - 60))

        with store._upkeep_lock:  # as a rollup that takes minutes
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            thread.join(180)
            assert done == [{KEY: RECORD}, {}]


@pytest.mark.parametrize("aggregate", [Aggregate.MEAN, Aggregate.MAX, Aggregate.LAST, Aggregate.COUNT])
def test_without_weights_values_are_the_same(worlds: Worlds, aggregate: Aggregate) -> None:
    with worlds() as world:
        store = world.open()
        store.ensure([STREAM])
        at = world.epoch
        world.clock.now = at + 60
        hosts = [make_tags({"host": host}) for host in "ab"]
        store.write(
            "b", [Point("mem", tags, {"used_percent": float(n % 7)}, at + n) for tags in hosts for n in range(60)]
        )
        raw = STREAM.tiers.raw
        query = RangeQuery("b", raw, "mem", ("used_percent", "total"), at, at + 60, 30, aggregate)
        weighed = asyncio.run(store.read(query))
        plain = asyncio.run(store.read(replace(query, weights=False)))
        assert weighed and [(c.key, c.field, [*c.t], [*c.v]) for c in plain] == [
            (c.key, c.field, [*c.t], [*c.v]) for c in weighed
        ]
        assert [[*c.n] for c in weighed] == [[30, 30]] * 2
        assert all(len(c.n) == len(c.v) for c in plain)
