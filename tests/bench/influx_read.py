"""Reads of the store from a real influxd with 200 hosts: beside the same queries sent straight to it."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from servers import InfluxServer, influxd
from tests.bench.figures import Figure, median
from tests.bench.influx_filling import BUCKET, DEEP, HOSTS, Filled, fill, post
from tests.bench.processes import cpu_seconds

from nodetide_core.catalogue import CATALOGUE
from nodetide_core.store import Aggregate, RangeQuery
from nodetide_core.stores.influx import influxql
from nodetide_core.stores.influx.config import StoreConfig
from nodetide_core.stores.influx.influxql import Request
from nodetide_core.stores.influx.store import InfluxStore
from nodetide_core.tiers import DEFAULT_TIERS, Tier

ROUNDS = 15
RATE, SECONDS = 100, 10
HOUR, DAY = 3_600, 86_400
RAW, FIVE_MINUTES, ONE_HOUR, _ = DEFAULT_TIERS.tiers

Ask = Callable[[], Awaitable[object]]


def measure() -> Iterator[Figure]:
    now = int(time.time())
    with tempfile.TemporaryDirectory() as folder, influxd(Path(folder), options=["--log-level=error"]) as server:
        config = StoreConfig(server.url, server.org, lambda: server.token)
        store = InfluxStore(config, clock=lambda: float(now))
        try:
            filled = fill(server, now)
            yield from _figures(server, store, now)
            yield from _poll(server, store, filled, now)
        finally:
            store.close()


def _figures(server: InfluxServer, store: InfluxStore, now: int) -> Iterator[Figure]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    questions = _questions(store, now)
    for name, (ask, request, bar) in questions.items():
        ours, straight = asyncio.run(_pairs(ask, lambda request=request: _straight(connection, server, request)))  # type: ignore[misc]
        yield Figure(
            name, "ms", ours * 1e3, "the same query sent straight", straight * 1e3,
            "at most 1.3 times" if bar else "", ours <= 1.3 * straight if bar else None,
        )  # fmt: skip
    connection.close()
    single = [ask for name, (ask, _, _) in questions.items() if name.startswith("one host")]
    taken = sorted(asyncio.run(_load(single)))
    p95 = taken[len(taken) * 95 // 100] * 1e3
    yield Figure(f"store reads of one host, mixed, {RATE}/s: p95", "ms", p95, bar="under 20 ms", met=p95 < 20)
    yield Figure(f"store reads of one host, mixed, {RATE}/s: median", "ms", median(taken) * 1e3)


def _questions(store: InfluxStore, now: int) -> dict[str, tuple[Ask, Request, bool]]:
    """What is asked, the same for influxd alone, and whether there is a bar."""
    found: dict[str, tuple[Ask, Request, bool]] = {}
    one = {"host": frozenset({DEEP[7]})}

    def add(name: str, query: RangeQuery, request: Request) -> None:
        found[name] = (lambda: store.read(query), request, True)

    def cpu(start: int, step: int, tier: Tier, tags: dict[str, frozenset[str]]) -> RangeQuery:
        return RangeQuery(BUCKET, tier, "cpu", ("usage_active",), start, now, step, Aggregate.MEAN, tags)

    hours = now // HOUR * HOUR
    hour = cpu(now - HOUR, 10, RAW, one)
    add("one host, 1 h of raw at 10 s", hour, influxql.raw_steps(hour))
    for name, query in (
        ("one host, 24 h at 5 m", cpu(hours - DAY, 300, FIVE_MINUTES, one)),
        ("one host, 30 d at 1 h", cpu(hours - 29 * DAY, HOUR, ONE_HOUR, one)),
        ("all hosts, 24 h at 5 m", cpu(hours - DAY, 300, FIVE_MINUTES, {})),
    ):
        add(name, query, influxql.rolled_windows(query, ("", "_count")))
    rate = RangeQuery(BUCKET, FIVE_MINUTES, "net", ("bytes_recv",), hours - DAY, now, 300, Aggregate.RATE, one)
    add("one host, rate, 24 h at 5 m", rate, influxql.rolled_windows(rate, ("_increase", "_seconds")))
    nobody: frozenset[str] = frozenset()
    request = influxql.newest_points(BUCKET, CATALOGUE.names, one["host"], now - HOUR - DEFAULT_TIERS.counter_gap)
    found["one host, newest"] = (lambda: store.latest(BUCKET, nobody, one["host"]), request, True)
    return found


def _poll(server: InfluxServer, store: InfluxStore, filled: Filled, now: int) -> Iterator[Figure]:
    """What live streams ask each second, while hosts write every 5 s."""
    nobody: frozenset[str] = frozenset()
    every = influxql.newest_points(BUCKET, CATALOGUE.names, nobody, now - HOUR - DEFAULT_TIERS.counter_gap)
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    ours, theirs = [], []
    for number in range(ROUNDS + 1):
        post(server, BUCKET, filled.lines(HOSTS[number % 5 :: 5], [now + number]))
        before = cpu_seconds(server.pid)
        asyncio.run(store.latest(BUCKET, nobody, nobody))
        between = cpu_seconds(server.pid)
        _straight(connection, server, every)
        if number:  # the first one reads everything
            ours.append(between - before)
            theirs.append(cpu_seconds(server.pid) - between)
    connection.close()
    yield Figure(
        "CPU of influxd for the newest points of all, a fifth of them new", "ms", median(ours) * 1e3,
        "reading all", median(theirs) * 1e3,
    )  # fmt: skip


async def _pairs(ask: Ask, straight: Callable[[], None]) -> tuple[float, float]:
    """Median seconds of each, taken in turn so that a slow spell hits both."""
    ours, theirs = [], []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        await ask()
        ours.append(time.perf_counter() - started)
        started = time.perf_counter()
        straight()
        theirs.append(time.perf_counter() - started)
    return median(ours), median(theirs)


async def _load(asks: list[Ask]) -> list[float]:
    """Seconds of each question, asked at a steady rate whether or not those before are answered."""
    taken: list[float] = []

    async def one(ask: Ask, due: float) -> None:
        await ask()
        taken.append(time.perf_counter() - due)

    began, running = time.perf_counter(), []
    for number, ask in zip(range(RATE * SECONDS), itertools.cycle(asks)):
        due = began + number / RATE
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        running.append(asyncio.create_task(one(ask, due)))
    await asyncio.wait_for(asyncio.gather(*running), 10 * SECONDS)
    return taken


def _straight(connection: http.client.HTTPConnection, server: InfluxServer, request: Request) -> None:
    headers = {
        "Authorization": f"Token {server.token}",
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    connection.request("POST", request.path, request.body(), headers)
    answer = connection.getresponse()
    if not answer.read() or answer.status != 200:
        raise RuntimeError(f"influxd answered {answer.status}")
