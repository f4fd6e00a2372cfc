"""Reading from the real influxd, 200 hosts with up to 30 days: beside the same queries sent straight to it."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path

from servers import InfluxServer, influxd
from tests.bench.figures import Figure, median

from nodetide_core.catalogue import CATALOGUE
from nodetide_core.store import Aggregate, RangeQuery, Stream
from nodetide_core.stores.influx import influxql
from nodetide_core.stores.influx.config import StoreConfig
from nodetide_core.stores.influx.influxql import Request
from nodetide_core.stores.influx.store import InfluxStore
from nodetide_core.tiers import DEFAULT_TIERS

HOSTS, ROUNDS = 200, 15
RATE, SECONDS = 100, 10
HOUR, DAY = 3_600, 86_400
RAW, FIVE_MINUTES, ONE_HOUR, _ = DEFAULT_TIERS.tiers
BUCKET = "bench"

Ask = Callable[[], Awaitable[object]]


def measure() -> Iterator[Figure]:
    now = int(time.time()) // HOUR * HOUR
    with tempfile.TemporaryDirectory() as folder, influxd(Path(folder), options=["--log-level=error"]) as server:
        config = StoreConfig(server.url, server.org, lambda: server.token)
        store = InfluxStore(config, clock=lambda: float(now))
        try:
            store.ensure([Stream("bench", BUCKET)])
            _fill(server, now)
            yield from _figures(server, store, now)
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
    one = {"host": frozenset({"node-007"})}

    def add(name: str, query: RangeQuery, request: Request) -> None:
        found[name] = (lambda: store.read(query), request, True)

    def cpu(start: int, step: int, tier: object, tags: dict[str, frozenset[str]]) -> RangeQuery:
        assert tier in DEFAULT_TIERS.tiers
        return RangeQuery(BUCKET, tier, "cpu", ("usage_active",), start, now, step, Aggregate.MEAN, tags)  # type: ignore[arg-type]

    hour = cpu(now - HOUR, 10, RAW, one)
    add("one host, 1 h of raw at 10 s", hour, influxql.raw_steps(hour))
    for name, query in (
        ("one host, 24 h at 5 m", cpu(now - DAY, 300, FIVE_MINUTES, one)),
        ("one host, 30 d at 1 h", cpu(now - 29 * DAY, HOUR, ONE_HOUR, one)),
        ("all hosts, 24 h at 5 m", cpu(now - DAY, 300, FIVE_MINUTES, {})),
    ):
        add(name, query, influxql.rolled_windows(query, ("", "_count")))
    rate = RangeQuery(BUCKET, FIVE_MINUTES, "net", ("bytes_recv",), now - DAY, now, 300, Aggregate.RATE, one)
    add("one host, rate, 24 h at 5 m", rate, influxql.rolled_windows(rate, ("_increase", "_seconds")))
    nobody: frozenset[str] = frozenset()
    for name, hosts in (("one host, newest", one["host"]), ("all hosts, newest", nobody)):
        request = influxql.newest_points(BUCKET, CATALOGUE.names, hosts, now - HOUR - DEFAULT_TIERS.counter_gap)
        found[name] = (lambda hosts=hosts: store.latest(BUCKET, nobody, hosts), request, True)  # type: ignore[misc]
    return found


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


def _fill(server: InfluxServer, now: int) -> None:
    hosts = [f"node-{number:03d}" for number in range(HOSTS)]
    _post(server, BUCKET, (line for at in range(now - 60, now) for host in hosts for line in _raw(host, at)))
    _post(
        server, BUCKET, (line for at in range(now - HOUR, now - 60) for host in hosts[:20] for line in _raw(host, at))
    )
    for tier, span in ((FIVE_MINUTES, 2 * DAY), (ONE_HOUR, 29 * DAY)):
        times = range(now - span, now, tier.window)
        _post(server, tier.bucket(BUCKET), (line for at in times for host in hosts for line in _rolled(host, at)))


def _raw(host: str, at: int) -> list[str]:
    return [
        f"cpu,cpu=cpu-total,host={host} usage_active={at % 997 / 10} {at}",
        f"net,host={host},interface=eth0 bytes_recv={at * 1_000}i {at}",
    ]


def _rolled(host: str, at: int) -> list[str]:
    gauge = f"usage_active={at % 997 / 10},usage_active_min=0.5,usage_active_max=99.5,usage_active_count=300i"
    counter = f"bytes_recv={at * 1_000}i,bytes_recv_increase=300000i,bytes_recv_seconds=300i"
    return [f"cpu,cpu=cpu-total,host={host} {gauge} {at}", f"net,host={host},interface=eth0 {counter} {at}"]


def _post(server: InfluxServer, bucket: str, lines: Iterable[str]) -> None:
    path = f"/api/v2/write?org={server.org}&bucket={bucket}&precision=s"
    rest = iter(lines)
    while batch := list(itertools.islice(rest, 10_000)):
        server.call("POST", path, "\n".join(batch))
