"""The embedded store behind the API: size of a day, and how long a day and a year take to answer."""

from __future__ import annotations

import http.client
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.figures import Figure, median
from tests.bench.store_size import Host, size

from nodetide_api.app import create_app
from nodetide_api.config import ApiConfig
from nodetide_api.server import ApiServer, listen
from nodetide_core.store import Stream
from nodetide_core.stores.embedded import EmbeddedStore

DAY, YEAR = 86_400, 365 * 86_400
REQUESTS = 60


def measure() -> Iterator[Figure]:
    now = int(time.time()) // 300 * 300
    with tempfile.TemporaryDirectory() as name:
        store = _filled(Path(name), now - DAY, now, every=1)
        megabytes = size(Path(name)) / 1e6
        with _served(store, now) as address:
            day = _median_ms(address, "/api/v1/metrics/history?metric=cpu&start_time=-24h&step=5m")
            current = _median_ms(address, "/api/v1/metrics/current")
    yield Figure("24 h of one node at 1 s, on disk", "MB", megabytes, bar="under 100 MB", met=megabytes < 100)
    yield Figure("API: 24 h of cpu at 5 m", "ms", day, bar="under 30 ms", met=day < 30)
    yield Figure("API: everything current", "ms", current)
    with tempfile.TemporaryDirectory() as name:
        store = _filled(Path(name), now - YEAR, now, every=3_600)
        with _served(store, now) as address:
            year = _median_ms(address, "/api/v1/metrics/history?metric=cpu&start_time=-365d")
    yield Figure("API: a year of cpu", "ms", year, bar="under 50 ms", met=year < 50)


def _filled(folder: Path, start: int, stop: int, *, every: int) -> EmbeddedStore:
    """A store that has lived from ``start`` to ``stop``, upkeep included."""
    host, clock = Host(), [start]
    store = EmbeddedStore.open(folder, clock=lambda: clock[0])
    store.ensure([Stream("system-metrics", "system-metrics", interval=every)])
    batch = 60 * every
    for at in range(start, stop, batch):
        points = [point for second in range(at, min(stop, at + batch), every) for point in host.tick(second)]
        clock[0] = min(stop, at + batch)
        store.write("system-metrics", points)
        while store.rollup(clock[0]).remaining:
            pass
    return store


@contextmanager
def _served(store: EmbeddedStore, now: int) -> Iterator[str]:
    server = ApiServer(create_app(store, ApiConfig(), clock=lambda: now), listen("127.0.0.1", 0))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield urlsplit(server.url).netloc
    finally:
        server.stop()
        thread.join()
        store.close()


def _median_ms(address: str, path: str) -> float:
    """Of requests one after another over one connection, the answer read whole."""
    connection = http.client.HTTPConnection(address, timeout=30)
    taken = []
    for _ in range(REQUESTS):
        started = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        taken.append(1_000 * (time.perf_counter() - started))
        if answer.status != 200 or len(body) < 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
    connection.close()
    return median(taken)
