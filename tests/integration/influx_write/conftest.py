"""The real influxd, a way to break what lies before it, and what it holds in the end."""

from __future__ import annotations

import http.client
import itertools
import os
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from servers import InfluxServer, influxd

from nodetide_collector.sinks.influx import InfluxConfig, InfluxSink
from nodetide_core.points import Point, make_tags

#: Some time in the past; buckets of these tests keep everything.
START = 1_763_881_200
_numbers = itertools.count()


@pytest.fixture(scope="session")
def shared_influx(needs_parts: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    needs_parts("influxd")
    with influxd(tmp_path_factory.mktemp("influxd")) as server:
        yield server


@pytest.fixture
def server(shared_influx: InfluxServer) -> InfluxServer:
    """Running, whatever the test before did to it."""
    if not shared_influx.running:
        shared_influx.start()
    return shared_influx


@pytest.fixture
def make_bucket() -> Callable[[InfluxServer], str]:
    """A new, empty bucket."""

    def make(server: InfluxServer) -> str:
        name = f"bucket-{next(_numbers)}"
        server.call("POST", "/api/v2/buckets", {"orgID": server.org_id, "name": name, "retentionRules": []})
        return name

    return make


@pytest.fixture
def bucket(server: InfluxServer, make_bucket: Callable[[InfluxServer], str]) -> str:
    return make_bucket(server)


def second(number: int) -> list[Point]:
    """What is sampled in one second: two series, whose values tell the second."""
    tags = make_tags({"host": "node-1", "cpu": "cpu-total"})
    return [
        Point("cpu", tags, {"usage_user": float(number), "time_user": number / 2}, START + number),
        Point("mem", make_tags({"host": "node-1"}), {"used": number}, START + number),
    ]


@pytest.fixture(name="second")
def second_fixture() -> Callable[[int], list[Point]]:
    return second


def ask(server: InfluxServer, bucket: str, query: str) -> list[dict[str, Any]]:
    """Rows of an InfluxQL query; ``time`` is in Unix seconds."""
    what = urlencode({"db": bucket, "epoch": "s", "q": query})
    (result,) = server.call("GET", f"/query?{what}")["results"]
    assert "error" not in result, result
    return [
        {**series.get("tags", {}), **dict(zip(series["columns"], values, strict=True))}
        for series in result.get("series", [])
        for values in series["values"]
    ]


@pytest.fixture(name="ask")
def ask_fixture() -> Callable[[InfluxServer, str, str], list[dict[str, Any]]]:
    return ask


@pytest.fixture
def seconds_held() -> Callable[[InfluxServer, str], list[int]]:
    """Every second that InfluxDB holds, ascending; all fields of each must be there and be right."""

    def held(server: InfluxServer, bucket: str) -> list[int]:
        cpu = ask(server, bucket, "SELECT usage_user, time_user FROM cpu")
        mem = ask(server, bucket, "SELECT used FROM mem")
        numbers = [row["time"] - START for row in mem]
        assert [row["used"] for row in mem] == numbers
        assert [(row["time"] - START, row["usage_user"], row["time_user"] * 2) for row in cpu] == [
            (number, number, number) for number in numbers
        ]
        return numbers

    return held


@pytest.fixture
def make_sink(tmp_path: Path) -> Iterator[Callable[..., InfluxSink]]:
    """Sinks that flush often and are closed in the end; by default all with the same spool."""
    made: list[InfluxSink] = []

    def make(server: InfluxServer, **changes: Any) -> InfluxSink:
        config: dict[str, Any] = {
            "url": server.url,
            "org": server.org,
            "token": lambda: server.token,
            "host": "node-1",
            "spool_dir": tmp_path / "spool",
            "flush_interval": 0.1,
            "ca_file": server.ca,
        }
        made.append(InfluxSink(InfluxConfig(**{**config, **changes})))
        return made[-1]

    yield make
    for sink in made:
        sink.close()


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[..., None]:
    """``told(sink, "words", …)``: tries to write until one of these is logged."""

    def wait(sink: InfluxSink, *words: str) -> None:
        deadline = time.monotonic() + 180
        while not any(said in caplog.text for said in words):
            assert time.monotonic() < deadline, caplog.text
            sink.flush(0.5)

    return wait


class Proxy(socketserver.ThreadingTCPServer):
    """Before an influxd; ``fault`` says what becomes of the next requests."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port = port
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.fault: Callable[[_Handler, bytes], None] | None = None
        self.faults = 0
        self.released = threading.Event()

    def fail(self, fault: str, *, status: int = 500, headers: str = "") -> None:
        """``answer`` with a status, ``hang``, or drop the connection half-way into the request or its answer."""
        self.fault = {
            "answer": lambda handler, _: handler.say(status, headers),
            "hang": lambda handler, _: handler.hang(),
            "cut request": lambda handler, request: handler.pass_on(request[: len(request) // 2], answer=False),
            "cut answer": lambda handler, request: handler.pass_on(request, answer=False),
        }[fault]

    def work(self) -> None:
        self.fault = None
        self.released.set()


class _Handler(socketserver.BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        while request := self._read():
            fault = self.server.fault
            if fault is None:
                self.pass_on(request, answer=True)
                continue
            self.server.faults += 1
            fault(self, request)
            return

    def _read(self) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            part = self.request.recv(65536)
            if not part:
                return b""
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        while len(body) < length:
            body += self.request.recv(65536)
        return head + b"\r\n\r\n" + body

    def say(self, status: int, headers: str) -> None:
        first = f"HTTP/1.1 {status} {http.client.responses[status]}\r\n"
        self.request.sendall(f"{first}Content-Length: 0\r\n{headers}Connection: close\r\n\r\n".encode())

    def hang(self) -> None:
        self.server.released.wait()

    def pass_on(self, request: bytes, *, answer: bool) -> None:
        """To influxd, as far as it goes; its answer, unless ``answer``, is awaited and thrown away."""
        with socket.create_connection(("127.0.0.1", self.server.port)) as upstream:
            upstream.sendall(request)
            if not _is_whole(request):
                return
            got = upstream.recv(65536)
            if answer:
                self.request.sendall(got)


def _is_whole(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    return bool(end) and len(body) == int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])


@pytest.fixture
def proxy(server: InfluxServer) -> Iterator[Proxy]:
    with Proxy(server.port) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield made
        finally:
            made.work()
            made.shutdown()
            thread.join()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a file system of a size, such as ``1m``; skips where that is not allowed."""
    with _mounts(tmp_path) as mount:
        yield mount


@contextmanager
def _mounts(folder: Path) -> Iterator[Callable[[str], Path]]:
    mounted: list[Path] = []

    def mount(size: str) -> Path:
        path = folder / f"disk-{len(mounted)}"
        path.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], capture_output=True, check=False
        )
        if done.returncode != 0:
            pytest.skip(f"cannot mount a file system here: {done.stderr.decode().strip()}")
        mounted.append(path)
        return path

    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    try:
        yield mount
    finally:
        for path in mounted:
            subprocess.run(["umount", "--lazy", str(path)], check=True)
