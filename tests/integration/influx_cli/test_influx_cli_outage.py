"""The API while InfluxDB comes and goes: it says so, its streams go on, and nothing of it stays behind."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.integration.influx_cli.switch import Outage, Switch

from nodetide_api.app import create_app
from nodetide_api.config import ApiConfig
from nodetide_api.server import ApiServer, listen
from nodetide_core.errors import StoreUnavailable
from nodetide_core.points import Point, make_tags
from nodetide_core.store import Stream
from nodetide_core.stores.influx.config import StoreConfig
from nodetide_core.stores.influx.store import InfluxStore

pytestmark = pytest.mark.peer

STREAM = Stream("p", "p")
LONG = 180
CURRENT, HISTORY, SUMMARY = (
    "/api/v1/metrics/current?metric=mem",
    "/api/v1/metrics/history?metric=mem.used&start_time=-10m",
    "/api/v1/metrics/summary?metric=mem.used&period=-10m",
)
QUESTIONS = (CURRENT, HISTORY, SUMMARY)


def samples(now: int, count: int = 60) -> list[Point]:
    return [Point("mem", make_tags({"host": "a"}), {"used": at}, now - at) for at in range(count)]


@pytest.fixture
def seeded(org: Any) -> Any:
    """An organization with a stream of the last minute."""
    with store_of(org, org.server.url) as store:
        store.ensure([STREAM])
        assert store.write("p", samples(int(time.time()))).written == 60
    return org


@contextmanager
def store_of(
    org: Any, url: str, *, monotonic: Callable[[], float] = time.monotonic, **changes: Any
) -> Iterator[InfluxStore]:
    store = InfluxStore(StoreConfig(url, org.name, lambda: org.token, **changes), monotonic=monotonic)
    try:
        yield store
    finally:
        store.close()


@asynccontextmanager
async def app_over(store: InfluxStore, config: ApiConfig | None = None) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(store, config or ApiConfig())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", timeout=LONG) as client:
        yield client
    app.state.stop_streams()


async def eventually(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = time.monotonic() + LONG
    while not await holds():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.02)


async def is_down(client: httpx.AsyncClient) -> None:
    """Every question is refused in the same way, and the process says that it lives."""
    ready, alive, *asked = await asyncio.gather(*map(client.get, ("/readiness", "/liveness", *QUESTIONS)))
    assert alive.status_code == 200
    assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")
    for answer in (ready, *asked):
        assert answer.status_code == 503, answer.text
        assert int(answer.headers["retry-after"]) >= 1
    for answer in asked:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == "urn:nodetide:problem:store-unavailable"


async def is_up(client: httpx.AsyncClient) -> bool:
    """Whether everything is answered; what is not is refused in order."""
    answers = await asyncio.gather(*map(client.get, ("/readiness", *QUESTIONS)))
    assert {answer.status_code for answer in answers} <= {200, 503}, [answer.text for answer in answers]
    return all(answer.status_code == 200 for answer in answers)


@pytest.mark.parametrize("how", ["stop", "kill", "pause"])
async def test_a_server_that_is_gone_is_told_and_answers_again_when_it_is_back(seeded: Any, how: str) -> None:
    server = seeded.server
    with store_of(seeded, server.url, timeout=3.0) as store:
        async with app_over(store) as client:
            await eventually(lambda: is_up(client), "it does not begin")
            getattr(server, how)()
            try:
                for _ in range(2):
                    await is_down(client)
            finally:
                server.resume() if how == "pause" else server.start()
            await eventually(lambda: is_up(client), "it does not come back")

            async def is_the_newest() -> bool:
                answer = await client.get(CURRENT)
                return answer.status_code == 200 and answer.json()["hosts"][0]["series"][0]["values"]["used"] == 0

            await eventually(is_the_newest, "another sample is shown")


async def test_an_influxdb_that_was_never_there_is_no_reason_not_to_start(seeded: Any) -> None:
    with Switch(seeded.server.port) as switch:
        switch.fail(Outage.REFUSED)
        with store_of(seeded, switch.url) as store:
            async with app_over(store) as client:
                await is_down(client)
                switch.mend()
                await eventually(lambda: is_up(client), "it does not come back")


def test_a_stream_goes_on_by_itself_on_the_same_connection(seeded: Any) -> None:
    server = seeded.server
    writing = threading.Event()

    def write() -> None:
        """What collectors go on to do."""
        with store_of(seeded, server.url, timeout=10.0) as own:
            while not writing.wait(0.3):
                try:
                    own.write("p", samples(int(time.time()), 1))
                except StoreUnavailable:
                    continue

    writer = threading.Thread(target=write, daemon=True)
    with store_of(seeded, server.url, timeout=10.0) as store:
        api = ApiServer(create_app(store, ApiConfig()), listen("127.0.0.1", 0))
        serving = threading.Thread(target=api.run, daemon=True)
        serving.start()
        writer.start()
        try:
            with httpx.stream("GET", f"{api.url}/api/v1/metrics/stream", timeout=LONG) as response:
                following = events(response)
                assert next(following)[0] == "sample"
                for fail, mend in (
                    (server.kill, server.start), (server.stop, server.start), (server.pause, server.resume)
                ):  # fmt: skip
                    fail()
                    status = next(data for name, data in following if name == "status")
                    assert status["status"] == "unavailable"
                    mend()
                    since = time.time()
                    status = next(data for name, data in following if name == "status")
                    assert status["status"] == "ok"
                    fresh = (data for name, data in following if name == "sample" and newest(data) >= int(since))
                    assert next(fresh)
                lines = httpx.get(f"{api.url}/metrics").text.splitlines()
                assert "nodetide_api_stream_clients 1.0" in lines
        finally:
            writing.set()
            writer.join(LONG)
            api.stop()
            serving.join(LONG)
    assert not serving.is_alive() and not writer.is_alive()


def events(response: httpx.Response) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in response.iter_lines():
        key, _, value = line.partition(": ")
        if key == "event":
            name = value
        elif key == "data":
            yield name, json.loads(value)


def newest(sample: Any) -> float:
    times = [series["time"] for host in sample["hosts"] for series in host["series"]]
    return max(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() for text in times)


CYCLES = 1_000
#: Cycles after which everything that is kept on purpose is there: threads, connections, caches.
WARM = 100
#: Cycles at which the server itself goes away instead of the network.
KILLED, PAUSED = {250, 500, 750}, {375, 625}


def outage_of(cycle: int) -> Outage:
    if cycle % 100 == 50:
        return Outage.HANGING
    return Outage.CUT if cycle % 4 == 0 else Outage.REFUSED


@pytest.mark.slow
@pytest.mark.timeout(1200)
async def test_nothing_grows_over_a_thousand_outages(seeded: Any) -> None:
    server = seeded.server
    with Switch(server.port) as switch, store_of(seeded, switch.url, timeout=2.0) as store:
        # A read that hangs is given up by the store; the probe gives up before.
        async with app_over(store, ApiConfig(probe_timeout=1.5)) as client:
            await eventually(lambda: is_up(client), "it does not begin")
            base = Held()
            for cycle in range(1, CYCLES + 1):
                if cycle in KILLED:
                    server.kill()
                    await is_down(client)
                    server.start()
                elif cycle in PAUSED:
                    server.pause()
                    await is_down(client)
                    server.resume()
                else:
                    switch.fail(outage_of(cycle))
                    await is_down(client)
                    switch.mend()
                await eventually(lambda: is_up(client), f"it does not come back from outage {cycle}")
                if cycle == WARM:
                    base = Held.now(server.pid, server.port, switch)

            # The server may take a moment to see that a connection is gone.
            async def few_at_the_server() -> bool:
                return established(server.pid, server.port) <= base.server + POOL

            await eventually(few_at_the_server, "connections stay at the server's side")
            end = Held.now(server.pid, server.port, switch)
    print(f"after {WARM} outages: {base}; after {CYCLES}: {end}")
    # One thing left behind by each outage would be 900 of them.
    assert end.threads <= base.threads + POOL
    assert end.files <= base.files + 3 * POOL
    assert end.connections <= base.connections + 2 * POOL
    assert end.tasks <= base.tasks + 2 * POOL
    assert end.objects <= base.objects + (CYCLES - WARM) // 2
    assert end.resident <= base.resident + 8 * 2**20


#: Connections, and threads, of reads.
POOL = 8


class Held:
    """What this process and the server hold.

    Attributes:
        files: open ones of this process, sockets among them; those of the switch, too.
        connections: at the switch, from the store and to the server.
        server: connections at the server's side.
        objects: that Python's collector knows, after it has collected.
        resident: bytes.
    """

    threads = files = connections = server = tasks = objects = resident = 0

    @classmethod
    def now(cls, pid: int, port: int, switch: Switch) -> Held:
        gc.collect()
        found = cls()
        found.threads = threading.active_count()
        found.files = sum(1 for _ in Path("/proc/self/fd").iterdir())
        found.connections = switch.connections
        found.server = established(pid, port)
        found.tasks = len(asyncio.all_tasks())
        found.objects = len(gc.get_objects())
        found.resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return found

    def __repr__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in vars(self).items())


def established(pid: int, port: int) -> int:
    """Sockets that the server process holds on connections to its port."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.add(str(entry.readlink()))
        except FileNotFoundError:
            continue
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    listening = "0A"
    return sum(
        f"socket:[{row[9]}]" in inodes
        for row in rows
        if row[1].endswith(f":{port:04X}") and row[3] != listening
    )  # fmt: skip


CLIENTS = 50


class Arrivals:
    """ASGI middleware that counts requests as they come."""

    def __init__(self, app: ASGIApp, seen: Counter[str]) -> None:
        self._app = app
        self._seen = seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._seen[scope["path"]] += 1
        await self._app(scope, receive, send)


@pytest.mark.parametrize("path", [CURRENT, HISTORY, SUMMARY])
async def test_fifty_clients_asking_the_same_thing_cost_one_query(seeded: Any, path: str) -> None:
    """Over real connections; what is counted is what reaches the server."""
    server, seen = seeded.server, Counter[str]()
    # What every question needs (streams, watermarks, the number of series) is known for some seconds: here, for good.
    with Switch(server.port) as switch, store_of(seeded, switch.url, monotonic=lambda: 0.0) as store:
        now = time.time()  # and so it stays, for questions up to now are the same within a second only
        app = create_app(store, ApiConfig(), clock=lambda: now)
        app.add_middleware(Arrivals, seen=seen)
        api = ApiServer(app, listen("127.0.0.1", 0))
        serving = threading.Thread(target=api.run, daemon=True)
        serving.start()
        limits = httpx.Limits(max_connections=CLIENTS + 1)
        try:
            async with httpx.AsyncClient(base_url=api.url, limits=limits, timeout=LONG) as client:
                assert (await client.get(path)).status_code == 200
                before, counted = queries_of(server), switch.requests["POST /query"]
                assert (await client.get(path)).status_code == 200
                alone = switch.requests["POST /query"] - counted
                assert alone in (1, 2)  # the newest points are looked for by the newest reports
                before, counted = queries_of(server), switch.requests["POST /query"]
                seen.clear()
                with switch.holding("POST /query"):
                    asked = [asyncio.create_task(client.get(path)) for _ in range(CLIENTS)]

                    async def all_came() -> bool:
                        return seen.total() >= CLIENTS

                    await eventually(all_came, "not all of them ask")
                    for _ in range(20):  # so that the last that came has got as far as to wait for the answer
                        await client.get("/liveness")
                answers = await asyncio.gather(*asked)
        finally:
            api.stop()
            serving.join(LONG)
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1
        assert switch.requests["POST /query"] - counted == alone
        assert queries_of(server) - before == alone
    assert not serving.is_alive()


def queries_of(server: Any) -> int:
    """InfluxQL queries that the server has answered, by its own count."""
    lines = server.call("GET", "/metrics").splitlines()
    return sum(
        int(float(line.rsplit(" ", 1)[1]))
        for line in lines
        if line.startswith("http_api_requests_total") and 'path="/query"' in line
    )
