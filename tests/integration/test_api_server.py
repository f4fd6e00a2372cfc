"""The server on a real socket: addresses, streams, leaving clients and the end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from tests import waiting
from tests.fakes.memory_reader import MemoryReader

from nodetide_api.app import create_app
from nodetide_api.config import ApiConfig
from nodetide_api.models import Current, StreamStatus
from nodetide_api.server import ApiServer, listen, url_of
from nodetide_core.errors import ListenError, StoreUnavailable
from nodetide_core.points import Point, make_tags

ROOT = Path(__file__).parents[2]
LONG = 120  # far longer than anything here takes: only a hang reaches it


def mem(time: int, total: int = 8, host: str = "node-1") -> Point:
    return Point("mem", make_tags({"host": host}), {"total": total}, time)


@pytest.fixture
def store() -> MemoryReader:
    now = int(time.time())
    found = MemoryReader(now)
    found.add(mem(now), mem(now, host="node-2"))
    return found


@contextmanager
def serving(store: MemoryReader, config: ApiConfig | None = None) -> Iterator[ApiServer]:
    server = ApiServer(create_app(store, config or ApiConfig()), listen("127.0.0.1", 0), graceful_timeout=LONG)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(LONG / 2)
        assert not thread.is_alive(), "the server hangs at its end"


def eventually(holds, what: str) -> None:
    waiting.eventually(holds, lambda: what, patience=LONG, every=0.02)


def events(response: httpx.Response) -> Iterator[tuple[str, str, str]]:
    """(event, id, data) of a stream."""
    found: dict[str, str] = {}
    for line in response.iter_lines():
        if line:
            name, _, value = line.partition(": ")
            found[name] = value
        else:
            if "data" in found:
                yield found["event"], found["id"], found["data"]
            found = {}


def test_port_0_takes_a_free_port_and_the_address_is_true(store):
    with serving(store) as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert not server.url.endswith(":0")
        assert httpx.get(f"{server.url}/readiness").status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/readiness")


def test_a_busy_port_is_named():
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ListenError, match=f"127.0.0.1:{port}: another process uses this port"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "port", "said"),
    [
        ("192.0.2.1", 0, "not this machine's"),
        ("no such host", 0, "not an address"),
        ("127.0.0.1", 65_536, "allowed: 0 to 65535"),
        ("127.0.0.1", -1, "allowed: 0 to 65535"),
    ],
)
def test_an_impossible_address_is_named(host, port, said):
    with pytest.raises(ListenError, match=said) as caught:
        listen(host, port)
    assert f"{host}:{port}" in str(caught.value)


def test_addresses_that_a_browser_can_open():
    with listen("0.0.0.0", 0) as any_address:
        assert url_of(any_address).startswith("http://127.0.0.1:")
    if socket.has_ipv6:
        with listen("::1", 0) as six:
            assert url_of(six).startswith("http://[::1]:")


def test_two_clients_follow_the_same_store_and_one_leaves(store):
    with serving(store) as server, httpx.Client(base_url=server.url, timeout=LONG) as client:
        path = "/api/v1/metrics/stream?metric=mem.total"
        with client.stream("GET", path) as one:
            assert one.headers["content-type"].startswith("text/event-stream")
            with client.stream("GET", f"{path}&host=node-2") as two:
                of_one, of_two = events(one), events(two)
                for following, hosts in ((of_one, ["node-1", "node-2"]), (of_two, ["node-2"])):
                    name, id, data = next(following)
                    assert (name, id) == ("sample", str(store.now))
                    current = Current.model_validate_json(data, strict=True)
                    assert [host.host for host in current.hosts] == hosts
                assert clients(client) == 2
            eventually(lambda: clients(client) == 1, "the one who left is still counted")
            store.add(mem(store.now + 1, total=9))
            for _, _, data in of_one:
                current = Current.model_validate_json(data, strict=True)
                if current.hosts[0].series[0].values == {"total": 9}:
                    break
        eventually(lambda: clients(client) == 0, "the last who left is still counted")


def clients(client: httpx.Client) -> int:
    lines = client.get("/metrics").text.splitlines()
    return int(float(next(line for line in lines if line.startswith("nodetide_api_stream_clients ")).split()[1]))


def test_a_stream_says_when_the_store_fails_and_when_it_is_back(store):
    with serving(store) as server, httpx.stream("GET", f"{server.url}/api/v1/metrics/stream", timeout=LONG) as response:
        following = events(response)
        assert next(following)[0] == "sample"
        store.failure = StoreUnavailable("the disk is full")
        statuses = []
        for name, _, data in following:
            if name == "status":
                statuses.append(StreamStatus.model_validate_json(data, strict=True))
                store.failure = None
            if len(statuses) == 2:
                break
        assert [(status.status, status.detail) for status in statuses] == [
            ("unavailable", "the disk is full"),
            ("ok", "the store answers again"),
        ]
        assert next(following)[0] == "sample"


def test_open_streams_end_when_the_server_stops(store):
    with serving(store) as server:
        with httpx.stream("GET", f"{server.url}/api/v1/metrics/stream", timeout=LONG) as response:
            following = events(response)
            assert next(following)[0] == "sample"
            server.stop()
            assert all(name == "sample" for name, _, _ in following), "it ends in order, not by a broken connection"


def test_a_client_that_leaves_cancels_its_query(store):
    store.gate.clear()
    with serving(store) as server:
        address = urlsplit(server.url)
        with socket.create_connection((address.hostname, address.port)) as client:
            client.sendall(b"GET /api/v1/metrics/history?metric=memory HTTP/1.1\r\nHost: test\r\n\r\n")
            eventually(lambda: store.calls["latest"] == 1, "nothing is asked of the store")
        eventually(lambda: store.cancelled["latest"] == 1, "the query of a client who left goes on")
    assert store.calls["latest"] == 1


def test_a_server_told_to_stop_before_it_runs_ends_at_once(store):
    server = ApiServer(create_app(store, ApiConfig()), listen("127.0.0.1", 0))
    server.stop()
    server.run()


def test_signals_belong_to_the_main_thread(store):
    server = ApiServer(create_app(store, ApiConfig()), listen("127.0.0.1", 0))
    caught: list[Exception] = []

    def run() -> None:
        try:
            server.run(signals=True)
        except RuntimeError as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(LONG)
    assert "main thread" in str(caught[0])
    server.stop()
    server.run()  # closes the listener


PROGRAM = """
import time
from nodetide_api.app import create_app
from nodetide_api.config import ApiConfig
from nodetide_api.server import ApiServer, listen
from tests.fakes.memory_reader import MemoryReader

server = ApiServer(create_app(MemoryReader(int(time.time())), ApiConfig()), listen("127.0.0.1", 0), graceful_timeout=60)
print(server.url, flush=True)
server.run(signals=True)
print("ended in order", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_in_order_even_with_a_stream_open(number):
    paths = os.pathsep.join(path for path in (str(ROOT), *sys.path) if path)
    env = os.environ | {"PYTHONPATH": paths}
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        try:
            with httpx.stream("GET", f"{url}/api/v1/metrics/stream", timeout=LONG) as response:
                following = events(response)
                assert json.loads(next(following)[2])["hosts"] == []
                process.send_signal(number)
                list(following)
            assert process.stdout.readline() == "ended in order\n"
            assert process.wait(LONG) == 0
        finally:
            process.kill()
