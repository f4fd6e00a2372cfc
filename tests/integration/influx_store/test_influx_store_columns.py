"""A real influxd says in MessagePack what it says in JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from servers import InfluxServer
from tests.contracts.store_contract import TIERS

from nodetide_core.errors import StoreError, StoreRejected
from nodetide_core.store import Stream
from nodetide_core.stores.influx.answers import ask, ask_columns
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.http import Transport
from nodetide_core.stores.influx.influxql import Request

pytestmark = pytest.mark.peer

Worlds = Callable[[], AbstractContextManager[Any]]

#: Integers of every size, floats, text, and holes.
_INTEGERS = [0, 1, -1, 127, 128, -32, -33, -129, 255, 40_000, -40_000, 2**31, -(2**31) - 1, 2**40, 2**63 - 1, -(2**63)]
_FLOATS = [0.0, -0.5, 1e300, 12.0, 0.1, 5e-324]


@pytest.fixture
def asked(worlds: Worlds, influx_server: InfluxServer) -> Iterator[Callable[[str], tuple[Any, Any]]]:
    """A statement's answer in both forms."""
    with worlds() as world:
        world.open().ensure([Stream("p", "b", TIERS)])
        lines = [f"m,host=ü\\ {at % 2} i={_INTEGERS[at % 16]}i {world.epoch + at}" for at in range(400)]
        lines += [
            f'm,host=ü\\ {at % 2} f={_FLOATS[at % 6]},s="{"é" * (at % 300)}" {world.epoch + at}'
            for at in range(0, 400, 3)
        ]
        influx_server.call("POST", f"/api/v2/write?orgID={world.org_id}&bucket=b&precision=s", "\n".join(lines))
        caller = Caller(Transport(world.config.url), world.config.token)

        def both(text: str) -> tuple[Any, Any]:
            found: list[Any] = []
            for question in (ask, ask_columns):
                try:
                    found.append(question(caller, Request("b", text, {}), doing="asking"))
                except StoreError as error:
                    found.append((type(error), str(error)))
            return found[0], found[1]

        try:
            yield both
        finally:
            caller.close()


STEPS = "time > now() AND time < now() + 3d GROUP BY time(7s), * fill(none)"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT i, f, s FROM m GROUP BY *",
        "SELECT i FROM m",
        f"SELECT mean(f), count(i), last(i) FROM m WHERE {STEPS}",
        "SELECT i FROM m WHERE time < 0s",
        'SHOW TAG VALUES FROM m WITH KEY = "host"',
    ],
)
def test_both_forms_say_the_same(asked: Callable[[str], tuple[Any, Any]], text: str) -> None:
    rows, columns = asked(text)
    expected = [(series.key, [list(column) for column in zip(*series.values, strict=True)]) for series in rows[0]]
    assert [(series.key, list(series.values)) for series in columns] == expected
    assert bool(columns) == ("time < 0s" not in text)


def test_both_forms_are_refused_alike(asked: Callable[[str], tuple[Any, Any]]) -> None:
    rows, columns = asked("SELECT i FROM nowhere.autogen.m")
    assert rows == columns
    assert rows[0] is StoreRejected
    rows, columns = asked("SELECT mean(s) FROM m")
    assert rows == columns


def test_influxd_knows_messagepack(worlds: Worlds) -> None:
    with worlds() as world:
        world.open().ensure([Stream("p", "b", TIERS)])
        caller = Caller(Transport(world.config.url), world.config.token)
        request = Request("b", "SELECT i FROM m", {})
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/x-msgpack"}
        reply = caller.send("POST", request.path, request.body(), headers, doing="asking")
        caller.close()
    assert reply.headers["content-type"] == "application/x-msgpack"
