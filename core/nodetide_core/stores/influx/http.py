"""One kept-alive HTTP connection to InfluxDB, blocking, with a deadline for every exchange.

Nothing here knows what is sent. Proxies of the environment are not used, and redirects not followed:
what is written must not end up elsewhere.
"""

from __future__ import annotations

import io
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException, HTTPResponse, RemoteDisconnected
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from nodetide_core import __version__
from nodetide_core.errors import StoreUnavailable

__all__ = ["Reply", "Transport"]

#: Enough for every answer to a write.
_ANSWER_LIMIT = 4 * 2**20
#: Of a request over TLS, bytes that are sent at once: there every part has its own time-out.
_TLS_CHUNK = 2**16
#: Bytes received at once.
_BUFFER = 2**16
#: Seconds by which an exchange may be late: setting a socket's time-out costs a system call.
_COARSE = 0.25
#: What would end a line of the request early, or make two requests of one.
_UNSENDABLE = re.compile(r"[^\x20-\x7e]")


class Reply(NamedTuple):
    """An answer; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Belongs to one thread, but for `abort`.

    Args:
        url: of InfluxDB; a path before ``/api`` is kept.
        ca_file: certificates to trust instead of the system's; read again for a new connection
            after one failed.
        connect_timeout: seconds to get a connection, TLS included.
        timeout: seconds for a whole exchange on it.
        answer_limit: bytes of an answer that are read; past it the connection is not used again.
    """

    def __init__(
        self,
        url: str,
        *,
        ca_file: Path | None = None,
        connect_timeout: float = 5.0,
        timeout: float = 20.0,
        answer_limit: int = _ANSWER_LIMIT,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._secure else 80)
        self._authority = parts.netloc
        self._prefix = parts.path.rstrip("/")
        self._ca_file = ca_file
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._answer_limit = answer_limit
        self._monotonic = monotonic
        self._context: ssl.SSLContext | None = None
        self._socket: socket.socket | None = None
        self._aborted = False

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        heard: Callable[[bytes], None] | None = None,
    ) -> Reply:
        """Send a request and read its answer, whatever its status.

        A kept connection that turns out to be closed is replaced once, so only what may safely be
        done twice must be sent.

        Args:
            path: with its query, quoted.
            heard: called with each part of the body of a 200 as it comes.

        Raises:
            StoreUnavailable: there is no answer; the message says why.
        """
        head = self._head(method, path, len(body), headers or {})
        kept = self._socket is not None
        try:
            try:
                return self._exchange(method, head, body, heard)
            except (RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                if not kept or self._aborted:
                    raise
                self.close()
                return self._exchange(method, head, body, heard)
        except (OSError, HTTPException) as error:
            self.close()
            self._context = None
            raise StoreUnavailable(f"{self._host}:{self._port}: {self._explain(error)}") from error

    def abort(self) -> None:
        """End an exchange under way in another thread, which then fails and is not sent again; without one
        under way, the next fails."""
        self._aborted = True
        held = self._socket
        if held is not None:
            try:
                # Not that of an SSLSocket, which would also drop the TLS state that the other thread uses.
                socket.socket.shutdown(held, socket.SHUT_RDWR)
            except OSError:
                return  # it ended by itself

    def close(self) -> None:
        """Let go of the connection; the next request makes another."""
        held, self._socket = self._socket, None
        if held is not None:
            held.close()
        self._aborted = False

    def _head(self, method: str, path: str, length: int, headers: Mapping[str, str]) -> bytes:
        sent = {
            "Host": self._authority,
            "User-Agent": f"nodetide/{__version__}",
            "Content-Length": str(length),
            **headers,
        }
        lines = [f"{method} {self._prefix}{path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
        if any(_UNSENDABLE.search(line) for line in lines):  # which may hold the token, so it is not shown
            raise StoreUnavailable("a header cannot be sent; a token is one line of ASCII text")
        return "\r\n".join([*lines, "", ""]).encode("ascii")

    def _exchange(self, method: str, head: bytes, body: bytes, heard: Callable[[bytes], None] | None) -> Reply:
        held = self._socket or self._connect()
        if self._aborted:
            raise ConnectionAbortedError("given up")
        deadline = _Deadline(held, self._monotonic() + self._timeout, self._monotonic)
        cut = False
        try:
            # At once, so that the server does not wait for the body while this thread waits for the interpreter.
            _send(held, head + body, deadline, _TLS_CHUNK if self._secure else len(head) + len(body))
        except (BrokenPipeError, ConnectionResetError):
            # A server that refuses a request may close before it has read the whole body; its answer says why.
            cut = True
        response = HTTPResponse(deadline, method=method)  # type: ignore[arg-type] # all it asks for is makefile()
        with response:
            response.begin()
            data = self._read(response, heard)
            whole = response.isclosed() and not response.will_close
            reply = Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, data)
        if cut or not whole:
            self.close()
        return reply

    def _read(self, response: HTTPResponse, heard: Callable[[bytes], None] | None) -> bytes:
        if heard is None or response.status != 200 or not response.chunked:
            data = response.read(self._answer_limit)
            if heard is not None and response.status == 200:
                heard(data)
            return data
        parts: list[bytes] = []
        left = self._answer_limit
        try:
            while left and (part := response.read1(left)):
                heard(part)
                parts.append(part)
                left -= len(part)
        except ConnectionResetError as reset:
            # Asked again, it would be heard twice.
            raise ConnectionAbortedError("the answer broke off") from reset
        return b"".join(parts)

    def _connect(self) -> socket.socket:
        if self._secure and self._context is None:
            self._context = ssl.create_default_context(cafile=self._ca_file)
        plain = socket.create_connection((self._host, self._port), self._connect_timeout)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                plain = self._context.wrap_socket(plain, server_hostname=self._host)
        except BaseException:
            plain.close()
            raise
        self._socket = plain
        return plain

    def _explain(self, error: Exception) -> str:
        if isinstance(error, ssl.SSLCertVerificationError):
            trusted = f"the certificates in {self._ca_file}" if self._ca_file else "the system's certificates"
            return f"its certificate is not trusted ({error.verify_message}); it was checked with {trusted}"
        if isinstance(error, FileNotFoundError) and self._secure:
            return f"cannot read the CA file {self._ca_file}"
        if isinstance(error, TimeoutError):
            return "no answer in time"
        if isinstance(error, ssl.SSLError):
            return f"TLS failed ({error.reason or error})"
        return getattr(error, "strerror", None) or str(error) or type(error).__name__


class _Deadline:
    """Keeps one exchange on a socket within a time, however slowly the other side goes on."""

    def __init__(self, held: socket.socket, end: float, monotonic: Callable[[], float]) -> None:
        self._socket = held
        self._end = end
        self._monotonic = monotonic
        self._armed = float("-inf")

    def arm(self) -> None:
        """Before anything that may wait."""
        now = self._monotonic()
        if now >= self._end:
            raise TimeoutError("timed out")
        if now - self._armed > _COARSE:
            self._armed = now
            self._socket.settimeout(self._end - now)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What the socket receives, within the time left; http.client calls this."""
        return io.BufferedReader(_Timed(self._socket, self.arm), _BUFFER)


class _Timed(io.RawIOBase):
    """What a socket receives; asks for its time before every read, and leaves the socket open."""

    def __init__(self, held: socket.socket, arm: Callable[[], None]) -> None:
        super().__init__()
        self._socket = held
        self._arm = arm

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._arm()
        return self._socket.recv_into(buffer)


def _send(held: socket.socket, data: bytes, deadline: _Deadline, chunk: int) -> None:
    view = memoryview(data)
    for start in range(0, len(view), chunk):
        deadline.arm()
        held.sendall(view[start : start + chunk])
