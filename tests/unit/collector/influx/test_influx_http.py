"""The connection: kept, replaced, bounded in time; and errors that say what is wrong without telling the token."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nodetide_core.errors import StoreUnavailable
from nodetide_core.stores.influx.http import Transport

OK = b"HTTP/1.1 204 No Content\r\n\r\n"
#: What to do with a connection, given how many came before.
Script = Callable[[socket.socket, int], None]


class Peer:
    """A server that does what a test says with each connection."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/influx"
        self.seen: list[bytes] = []
        self.connections = 0
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            self.connections += 1
            with contextlib.suppress(OSError):
                self._script(connection, self.connections - 1)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._thread.join()


def read_request(connection: socket.socket) -> bytes:
    """A request with its body; empty at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@pytest.fixture
def peer() -> Iterator[Callable[[Script], Peer]]:
    made: list[Peer] = []

    def make(script: Script) -> Peer:
        made.append(Peer(script))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_connection_is_kept(peer: Callable[[Script], Peer]) -> None:
    def script(connection: socket.socket, _: int) -> None:
        while request := read_request(connection):
            server.seen.append(request)
            connection.sendall(OK)

    server = peer(script)
    transport = Transport(server.url)
    big = b"x" * 1_000_000
    for body in (b"", b"1", big):
        assert transport.request("POST", "/api?a=%20", body, {"Authorization": "Token t"}).status == 204
    assert server.connections == 1
    assert server.seen[0].startswith(b"POST /influx/api?a=%20 HTTP/1.1\r\n")
    assert b"Authorization: Token t\r\n" in server.seen[0]
    assert server.seen[2].endswith(b"\r\n\r\n" + big)
    transport.close()


def test_a_kept_connection_that_the_server_closed_is_replaced(peer: Callable[[Script], Peer]) -> None:
    def script(connection: socket.socket, _: int) -> None:
        read_request(connection)
        connection.sendall(OK)
        connection.close()

    server = peer(script)
    transport = Transport(server.url)
    for _ in range(3):
        assert transport.request("POST", "/", b"x").status == 204
    assert server.connections == 3
    transport.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\nX-A: b\r\n\r\nwrong",
        b"HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n5\r\nwrong\r\n0\r\n\r\n",
        b"HTTP/1.0 400 Bad Request\r\nX-A: b\r\n\r\nwrong",
    ],
)
def test_an_answer_has_status_headers_and_body(peer: Callable[[Script], Peer], answer: bytes) -> None:
    def script(connection: socket.socket, _: int) -> None:
        while read_request(connection):
            connection.sendall(answer)
            if b"1.0" in answer:
                connection.close()
                return

    transport = Transport(peer(script).url)
    for _ in range(2):
        reply = transport.request("POST", "/", b"x")
        assert (reply.status, reply.headers["x-a"], reply.body) == (400, "b", b"wrong")
    transport.close()


def test_an_answer_given_before_the_body_was_read_is_seen(peer: Callable[[Script], Peer]) -> None:
    def script(connection: socket.socket, _: int) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    transport = Transport(peer(script).url)
    assert transport.request("POST", "/", b"x" * 5_000_000).status == 401
    transport.close()


def hang(connection: socket.socket, _: int) -> None:
    read_request(connection)


def drip(connection: socket.socket, _: int) -> None:
    """Every byte comes in time, and the answer never ends."""
    read_request(connection)
    for byte in b"HTTP/1.1 204 No Content\r\n" + b"X: y\r\n" * 1000:
        connection.sendall(bytes([byte]))
        time.sleep(0.02)


def deaf(connection: socket.socket, _: int) -> None:
    connection.recv(1)


def cut(connection: socket.socket, _: int) -> None:
    connection.recv(10)
    connection.close()


def garbage(connection: socket.socket, _: int) -> None:
    read_request(connection)
    connection.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")
    connection.close()


@pytest.mark.parametrize("script", [hang, drip, deaf])
def test_an_answer_that_does_not_come_in_time_is_given_up(peer: Callable[[Script], Peer], script: Script) -> None:
    transport = Transport(peer(script).url, timeout=0.3)
    with pytest.raises(StoreUnavailable, match="no answer in time"):
        transport.request("POST", "/", b"x" * 8_000_000)


@pytest.mark.parametrize(("script", "said"), [(cut, None), (garbage, "SSH")])
def test_what_is_no_answer_is_an_error(peer: Callable[[Script], Peer], script: Script, said: str | None) -> None:
    with pytest.raises(StoreUnavailable, match=said):
        Transport(peer(script).url).request("POST", "/", b"x" * 100)


def test_an_exchange_can_be_ended_from_another_thread(peer: Callable[[Script], Peer]) -> None:
    arrived = threading.Event()

    def script(connection: socket.socket, _: int) -> None:
        read_request(connection)
        arrived.set()

    transport = Transport(peer(script).url, timeout=60)
    failed: list[Exception] = []

    def request() -> None:
        try:
            transport.request("POST", "/", b"x")
        except StoreUnavailable as error:
            failed.append(error)

    thread = threading.Thread(target=request)
    thread.start()
    assert arrived.wait(60)
    transport.abort()
    thread.join(60)
    assert len(failed) == 1


def test_nobody_there() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # so that nobody else gets the port
        port = silent.getsockname()[1]
        with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{port}: Connection refused"):
            Transport(f"http://127.0.0.1:{port}").request("GET", "/")


def test_a_token_that_cannot_be_sent_is_not_told(peer: Callable[[Script], Peer]) -> None:
    transport = Transport(peer(hang).url)
    with pytest.raises(StoreUnavailable, match="one line of ASCII") as caught:
        transport.request("POST", "/", b"x", {"Authorization": "Token secret\r\nX-Evil: 1"})
    assert "secret" not in str(caught.value)


def test_a_ca_file_that_is_missing_or_none_is_told(tmp_path: Path) -> None:
    missing = tmp_path / "ca.crt"
    with pytest.raises(StoreUnavailable, match=r"cannot read the CA file .*ca\.crt"):
        Transport("https://127.0.0.1:1", ca_file=missing).request("GET", "/")
    missing.write_text("rubbish")
    with pytest.raises(StoreUnavailable, match="TLS failed"):
        Transport("https://127.0.0.1:1", ca_file=missing).request("GET", "/")


def test_proxies_of_the_environment_are_not_used(
    peer: Callable[[Script], Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    def script(connection: socket.socket, _: int) -> None:
        read_request(connection)
        connection.sendall(OK)

    transport = Transport(peer(script).url)
    assert transport.request("POST", "/", b"x").status == 204
    transport.close()


def test_parts_of_an_answer_are_heard_as_they_come(peer: Callable[[Script], Peer]) -> None:
    heard: list[bytes] = []
    arrived = threading.Event()

    def hear(part: bytes) -> None:
        heard.append(part)
        arrived.set()

    def script(connection: socket.socket, _: int) -> None:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        read_request(connection)
        connection.sendall(head + b"3\r\none\r\n")
        assert arrived.wait(60)  # or there would never be more
        connection.sendall(b"3\r\ntwo\r\n0\r\n\r\n")
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nthree")
        read_request(connection)
        connection.sendall(b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbusy\r\n0\r\n\r\n")

    server = peer(script)
    transport = Transport(server.url)
    assert transport.request("POST", "/", heard=hear).body == b"onetwo"
    assert transport.request("POST", "/", heard=hear).body == b"three"
    assert transport.request("POST", "/", heard=hear).body == b"busy"
    assert b"".join(heard) == b"onetwothree"
    assert server.connections == 1
    transport.close()


def test_what_was_heard_in_part_is_not_asked_for_again(peer: Callable[[Script], Peer]) -> None:
    heard: list[bytes] = []

    def script(connection: socket.socket, _: int) -> None:
        read_request(connection)
        connection.sendall(OK)
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        while not heard:
            time.sleep(0.01)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()  # which now is a reset

    server = peer(script)
    transport = Transport(server.url)
    transport.request("POST", "/")
    with pytest.raises(StoreUnavailable, match="broke off"):
        transport.request("POST", "/", heard=heard.append)
    assert (heard, server.connections) == ([b"one"], 1)
    transport.close()
