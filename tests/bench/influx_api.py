"""`nodetide serve` over a real influxd with 200 hosts: beside the same questions in InfluxQL, sent straight to it."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import os
import re
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from servers import InfluxServer, influxd
from tests.bench.figures import Figure, median
from tests.bench.influx_filling import BUCKET, DEEP, HOSTS, STREAM, Filled, fill, post
from tests.bench.processes import cpu_seconds, running

from nodetide_api.filters import parse_filters
from nodetide_api.history import plan_history
from nodetide_api.plan import Plan, queries
from nodetide_api.summary import plan_summary
from nodetide_core.catalogue import CATALOGUE, Kind, select
from nodetide_core.durations import parse_duration
from nodetide_core.store import RangeQuery
from nodetide_core.stores.influx import influxql
from nodetide_core.stores.influx.influxql import Request

ROUNDS = 25
RATE, SECONDS = 100, 20
METRICS = "/api/v1/metrics"


class Question(NamedTuple):
    """
    Attributes:
        requests: what influxd is asked for it.
    """

    path: str
    requests: Sequence[Request]


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder, influxd(Path(folder), options=["--log-level=error"]) as server:
        filled = fill(server, int(time.time()))
        with _serving(server) as (port, pid):
            yield from _beside(server, port, filled)
            yield from _under_load(server, port, pid, filled)


@contextmanager
def _serving(server: InfluxServer) -> Iterator[tuple[int, int]]:
    """A port and the process behind it."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    settings = {
        "INFLUXDB_URL": server.url,
        "INFLUXDB_ORG": server.org,
        "INFLUXDB_TOKEN": server.token,
        "NODETIDE_LISTEN": f"127.0.0.1:{port}",
    }
    with running([sys.executable, "-m", "nodetide", "serve"], env={**os.environ, **settings}) as process:
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.1)
        yield port, process.pid


def _beside(server: InfluxServer, port: int, filled: Filled) -> Iterator[Figure]:
    ours, theirs = http.client.HTTPConnection("127.0.0.1", port), http.client.HTTPConnection("127.0.0.1", server.port)
    for name, question in _questions(filled.until, HOSTS[7]).items():
        mine, straight = [], []
        # In turn, so that a slow spell hits both.
        for number in range(ROUNDS + 2):
            if "current" in name:
                # Of hosts that write every 5 s, a fifth has done so since a second ago.
                post(server, BUCKET, filled.lines(HOSTS[number % 5 :: 5], [int(time.time())]))
            started = time.perf_counter()
            _get(ours, question.path)
            between = time.perf_counter()
            for request in question.requests:
                _send(theirs, server, request)
            if number >= 2:
                mine.append(between - started)
                straight.append(time.perf_counter() - between)
        a, b = median(mine) * 1e3, median(straight) * 1e3
        yield Figure(f"API: {name}", "ms", a, "InfluxQL sent straight", b, "at most 1.3 times", met=a <= 1.3 * b)
    ours.close()
    theirs.close()


def _questions(until: Mapping[str, int], host: str) -> dict[str, Question]:
    return {
        "one host, current": _current(host),
        "one host, cpu of 1 h": _history("cpu", "1h", until, host),
        "one host, cpu of 24 h": _history("cpu", "24h", until, host),
        "one host, cpu of 30 d": _history("cpu", "30d", until, host),
        "one host, network of 1 h": _history("network", "1h", until, host),
        "one host, network of 24 h at 5 m": _history("network", "24h", until, host, "5m"),
        "one host, network of 24 h": _history("network", "24h", until, host),
        "one host, summary of 1 h": _summary("cpu", "1h", until, host),
        "all hosts, current, a fifth of them new": _current(),
        "all hosts, cpu of 24 h at 5 m": _history("cpu", "24h", until, step="5m"),
    }


def _current(host: str = "") -> Question:
    since = int(time.time()) - 3_600 - STREAM.tiers.counter_gap
    request = influxql.newest_points(BUCKET, CATALOGUE.names, frozenset({host} - {""}), since)
    return Question(f"{METRICS}/current?host={host}", [request])


def _history(metric: str, span: str, until: Mapping[str, int], host: str = "", step: str = "auto") -> Question:
    stop = int(time.time()) + 1
    plan = plan_history(
        STREAM, select(metric), "mean", parse_filters([host], []), start=stop - parse_duration(span), stop=stop,
        now=stop, step=None if step == "auto" else parse_duration(step), max_points=None, default_points=1_000,
    )  # fmt: skip
    path = f"{METRICS}/history?metric={metric}&start_time=-{span}&step={step}&host={host}"
    return Question(path, _requests(plan, until))


def _summary(metric: str, period: str, until: Mapping[str, int], host: str) -> Question:
    stop = int(time.time()) + 1
    filters = parse_filters([host], [])
    plan = plan_summary(STREAM, select(metric), filters, parse_duration(period), now=stop, stop=stop)
    return Question(f"{METRICS}/summary?metric={metric}&period=-{period}&host={host}", _requests(plan, until))


def _requests(plan: Plan, until: Mapping[str, int]) -> list[Request]:
    return [_request(query) for read in plan.reads for query in queries(plan, read, until)]


def _request(query: RangeQuery) -> Request:
    """The same in InfluxQL, as `nodetide_core.stores.influx.reading` asks it, but in JSON, as the API answers, too;
    and with steps of a few samples, which reading makes itself."""
    counter = CATALOGUE[query.measurement].by_name[query.fields[0]].kind is Kind.COUNTER
    if query.tier.window:
        return influxql.rolled_windows(query, ("_increase", "_seconds") if counter else ("", "_count"))
    if counter:
        return influxql.raw_samples(query, query.start - STREAM.tiers.counter_gap)
    return influxql.raw_samples(query, query.start) if query.step == 1 else influxql.raw_steps(query)


def _get(connection: http.client.HTTPConnection, path: str) -> None:
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200 or not re.search(rb'"(v|values|mean)":', body):
        raise RuntimeError(f"{path}: {answer.status}: {body[:200]!r}")


def _send(connection: http.client.HTTPConnection, server: InfluxServer, request: Request) -> None:
    headers = {
        "Authorization": f"Token {server.token}",
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    connection.request("POST", request.path, request.body(), headers)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200 or b'"error"' in body:
        raise RuntimeError(f"{request.text[:100]}: {answer.status}: {body[:200]!r}")


def _under_load(server: InfluxServer, port: int, pid: int, filled: Filled) -> Iterator[Figure]:
    paths = [question.path for host in DEEP for question in _load_of(host)]
    before = [cpu_seconds(pid), cpu_seconds(server.pid)]
    taken = sorted(asyncio.run(_load(port, paths, lambda: _write(server, filled))))
    used = [cpu_seconds(pid) - before[0], cpu_seconds(server.pid) - before[1]]
    p95 = taken[len(taken) * 95 // 100] * 1e3
    yield Figure(f"API: {RATE}/s of one host each, mixed: p95", "ms", p95, bar="under 20 ms", met=p95 < 20)
    yield Figure("… median", "ms", median(taken) * 1e3)
    for name, seconds in zip(("nodetide serve", "influxd"), used, strict=True):
        yield Figure(f"… CPU of {name}", "% of a core", 100 * seconds / SECONDS)


def _load_of(host: str) -> Iterator[Question]:
    yield _current(host)
    for span in ("1h", "24h", "30d"):
        yield _history("cpu", span, {}, host)
    yield _summary("cpu", "1h", {}, host)


def _write(server: InfluxServer, filled: Filled) -> None:
    """As the hosts asked for do within a second: each writes every 5 s what it has sampled."""
    now = int(time.time())
    post(server, BUCKET, filled.lines(DEEP[now % 5 :: 5], range(now - 5, now)))


async def _load(port: int, paths: Sequence[str], write: Callable[[], None]) -> list[float]:
    """Seconds of each request, sent at a steady rate whether or not those before are answered.

    Args:
        write: what hosts do each second meanwhile.
    """
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    taken: list[float] = []

    async def one(path: str, due: float) -> None:
        # The server ends connections that rest for a while.
        while idle and idle[-1][0].at_eof():
            idle.pop()[1].close()
        reader, writer = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        if length is None or b" 200 " not in head[:20]:
            raise RuntimeError(f"{path}: {head!r}")
        await reader.readexactly(int(length[1]))
        taken.append(time.perf_counter() - due)
        idle.append((reader, writer))

    began = time.perf_counter()
    running_now: list[asyncio.Task[None]] = []
    for number, path in zip(range(RATE * SECONDS), itertools.cycle(paths)):
        due = began + number / RATE
        if number % RATE == 0:
            running_now.append(asyncio.create_task(asyncio.to_thread(write)))
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        running_now.append(asyncio.create_task(one(path, due)))
    await asyncio.wait_for(asyncio.gather(*running_now), 10 * SECONDS)
    for _, writer in idle:
        writer.close()
    return taken
