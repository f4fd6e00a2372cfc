"""Errors wherever InfluxDB puts them, and readers that leave."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from nodetide_core.errors import StoreRejected, StoreUnavailable
from nodetide_core.points import SeriesKey
from nodetide_core.stores.influx.answers import Columns, Rows, ask, ask_columns
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.failures import check
from nodetide_core.stores.influx.http import Reply, Transport
from nodetide_core.stores.influx.influxql import Request
from nodetide_core.stores.influx.pool import CallerPool

REQUEST = Request("b", "SELECT 1", {})


@contextmanager
def server(handle: Callable[[socket.socket], None]) -> Iterator[str]:
    """Something that listens; `handle` gets each connection in turn."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(60)
                    handle(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            # Closing alone does not wake whoever waits in accept.
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(60)
    assert not thread.is_alive()


def answering(body: bytes, status: int = 200, headers: str = "") -> Callable[[socket.socket], None]:
    def handle(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(f"HTTP/1.1 {status} X\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    return handle


def asked(handle: Callable[[socket.socket], None]) -> list[list[Rows]]:
    with server(handle) as url:
        caller = Caller(Transport(url), lambda: "t")
        try:
            return ask(caller, REQUEST, doing="asking")
        finally:
            caller.close()


def test_series_of_each_statement() -> None:
    series = {"name": "cpu", "tags": {"host": "b", "cpu": "", "a": "1"}, "columns": ["time", "x"], "values": [[1, 2]]}
    body = {"results": [{"statement_id": 0}, {"statement_id": 1, "series": [series]}]}
    key = SeriesKey("cpu", (("a", "1"), ("host", "b")))
    assert asked(answering(json.dumps(body).encode())) == [[], [Rows(key, ["time", "x"], [[1, 2]])]]


def test_columns_of_a_server_that_answers_in_json_all_the_same() -> None:
    series = [
        {"name": "cpu", "tags": {"host": "b"}, "columns": ["time", "x"], "values": [[1, 2], [3, None]]},
        {"name": "cpu", "tags": {"host": "c"}, "columns": ["time", "x"]},
    ]
    body = json.dumps({"results": [{"statement_id": 0, "series": series}]}).encode()
    with server(answering(body, headers="Content-Type: application/json\r\n")) as url:
        caller = Caller(Transport(url), lambda: "t")
        found = ask_columns(caller, REQUEST, doing="asking")
        caller.close()
    assert found == [Columns(SeriesKey("cpu", (("host", "b"),)), [[1, 3], [2, None]])]


def test_parts_of_a_series_are_put_together() -> None:
    def part(values: list[list[int]], host: str, more: bool) -> bytes:
        series = {"name": "cpu", "tags": {"host": host}, "columns": ["time", "x"], "values": values, "partial": more}
        result = {"statement_id": 0, "series": [series], "partial": more or host == "b"}
        return json.dumps({"results": [result]}).encode() + b"\n"

    body = part([[1, 2], [3, 4]], "b", True) + part([[5, 6]], "b", False) + part([[1, 1]], "c", False)
    with server(answering(body)) as url:
        caller = Caller(Transport(url), lambda: "t")
        found = ask_columns(caller, REQUEST, doing="asking")
        caller.close()
    keys = [SeriesKey("cpu", (("host", host),)) for host in "bc"]
    assert found == [Columns(keys[0], [[1, 3, 5], [2, 4, 6]]), Columns(keys[1], [[1], [1]])]
    with server(answering(part([[1, 2]], "b", True))) as url:
        caller = Caller(Transport(url), lambda: "t")
        with pytest.raises(StoreUnavailable, match="not whole"):
            ask_columns(caller, REQUEST, doing="asking")
        caller.close()


@pytest.mark.parametrize("body", [b"34", b"\x91", b"\x80\x22", b"\x22"])
def test_what_is_no_document_of_influxdb_is_no_answer(body: bytes) -> None:
    with server(answering(body, headers="Content-Type: application/x-msgpack\r\n")) as url:
        caller = Caller(Transport(url), lambda: "t")
        with pytest.raises(StoreUnavailable, match="asking: the answer broke off"):
            ask_columns(caller, REQUEST, doing="asking")
        caller.close()
    with pytest.raises(StoreUnavailable, match="broke off"):
        asked(answering(b"34"))


@pytest.mark.parametrize(
    ("document", "error", "said"),
    [
        ({"error": "database not found: b"}, StoreRejected, "asking: database not found: b"),
        ({"results": [{"error": "database not found: b"}]}, StoreRejected, "database not found"),
        ({"results": [{"series": []}, {"error": "not executed"}]}, StoreRejected, "a bucket is not there"),
        ({"results": [{"error": "query queue length exceeded"}]}, StoreUnavailable, "queue"),
        ({"results": [{"error": "engine is closed"}]}, StoreUnavailable, "closed"),
        ({"results": [{"series": [], "partial": True}]}, StoreUnavailable, "not whole"),
        ({"results": [{"statement_id": 0, "partial": True}, {"statement_id": 1}]}, StoreUnavailable, "not whole"),
    ],
)
def test_errors_inside_of_a_200(document: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        asked(answering(json.dumps(document).encode()))


def test_an_answer_that_breaks_off_is_no_answer() -> None:
    with pytest.raises(StoreUnavailable, match="broke off"):
        asked(answering(b'{"results":[{"statement_id":0,"ser'))

    def cut(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"results"')

    with pytest.raises(StoreUnavailable):
        asked(cut)


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (400, b'{"code":"invalid","message":"failed to parse query"}', StoreRejected, "failed to parse"),
        (400, b'{"code":"invalid","message":"queue length exceeded"}', StoreUnavailable, "queue"),
        (401, b'{"code":"unauthorized"}', StoreUnavailable, "INFLUXDB_TOKEN"),
        (401, b'{"message":"unauthorized access"}', StoreUnavailable, "wrong or revoked: check INFLUXDB_TOKEN"),
        (401, b'{"message":"write:orgs/0a/tasks is unauthorized"}', StoreUnavailable, "the token does not allow it"),
        (403, b'{"code":"forbidden","message":"no"}', StoreUnavailable, "does not allow"),
        (404, b'{"code":"not found","message":"bucket"}', StoreRejected, "HTTP 404: bucket"),
        (422, b'{"code":"conflict","message":"bucket with name b already exists"}', StoreRejected, "already exists"),
        (429, b"", StoreUnavailable, "HTTP 429"),
        (500, b'{"code":"internal error","message":"x"}', StoreUnavailable, "HTTP 500: x"),
        (502, b"<html> bad\n gateway", StoreUnavailable, "HTTP 502: <html> bad gateway"),
        (200, b"", None, ""),
    ],
)
def test_statuses(status: int, body: bytes, error: type[Exception] | None, said: str) -> None:
    if error is None:
        assert check(Reply(status, {}, body), "asking").status == status
        return
    with pytest.raises(error, match=f"asking: HTTP {status}") as caught:
        check(Reply(status, {}, body), "asking")
    assert said in str(caught.value)


def test_a_server_says_when_to_come_back() -> None:
    for said, seconds in (("7", 7.0), ("tomorrow", 5.0)):
        with pytest.raises(StoreUnavailable) as caught:
            check(Reply(503, {"retry-after": said}, b""), "asking")
        assert caught.value.retry_after == seconds


async def test_a_reader_that_leaves_closes_its_connection() -> None:
    arrived, left, requests = threading.Event(), threading.Event(), [0]

    def answer_once(connection: socket.socket) -> None:
        while connection.recv(65_536):
            requests[0] += 1
            if requests[0] == 1:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n" + b'{"results":[]}')
            else:
                arrived.set()
        left.set()

    def work(caller: Caller) -> list[list[Rows]]:
        return ask(caller, REQUEST, doing="asking")

    with server(answer_once) as url:
        pool = CallerPool(lambda: Caller(Transport(url), lambda: "t"), 1)
        assert await pool.run(work) == []
        reading = asyncio.create_task(pool.run(work))  # on the connection that was kept
        assert await asyncio.to_thread(arrived.wait, 60)
        waiting = asyncio.create_task(pool.run(work))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert await asyncio.to_thread(left.wait, 60)
        pool.close()
    assert requests[0] == 2  # neither sent again, nor sent at all once cancelled


def test_what_is_no_json_is_not_influxdb() -> None:
    with server(answering(b"<html>please log in</html>")) as url:
        caller = Caller(Transport(url), lambda: "t")
        with pytest.raises(StoreUnavailable, match="GET /api: what answers is not InfluxDB: check INFLUXDB_URL"):
            caller.call("GET", "/api?secret=1")
        caller.close()


def test_a_caller_that_was_ended_fails_at_once_and_for_good() -> None:
    arrived = threading.Event()
    connections = [0]

    def hang(connection: socket.socket) -> None:
        connections[0] += 1
        while connection.recv(65_536):
            arrived.set()

    failed: list[Exception] = []
    with server(hang) as url:
        caller = Caller(Transport(url), lambda: "t")

        def call_again_and_again() -> None:
            for _ in range(3):
                try:
                    caller.call("GET", "/api")
                except StoreUnavailable as error:
                    failed.append(error)

        working = threading.Thread(target=call_again_and_again, daemon=True)
        working.start()
        assert arrived.wait(60)
        caller.end()
        working.join(60)
        caller.end()
    assert (len(failed), connections[0]) == (3, 1)


async def test_closing_ends_what_runs() -> None:
    arrived = threading.Event()

    def hang(connection: socket.socket) -> None:
        while connection.recv(65_536):
            arrived.set()

    with server(hang) as url:
        pool = CallerPool(lambda: Caller(Transport(url), lambda: "t"), 2)
        reading = asyncio.create_task(pool.run(lambda caller: ask(caller, REQUEST, doing="asking")))
        assert await asyncio.to_thread(arrived.wait, 60)
        await asyncio.to_thread(pool.close)
        with pytest.raises(StoreUnavailable):
            await reading
        with pytest.raises(StoreUnavailable, match="closed"):
            await pool.run(lambda caller: None)
        pool.close()
