"""Runs the API: alone in its process, or beside others in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType

import uvicorn
from fastapi import FastAPI

from nodetide_core.errors import ListenError

__all__ = ["ApiServer", "listen", "url_of"]

#: Connections that wait to be accepted.
_BACKLOG = 512

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - how to reach them, not where to listen


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    From here on clients can connect, and wait until a server accepts.

    Raises:
        ListenError: the port is busy, or there is no such address or port on this machine.
    """
    if not 0 <= port <= 65_535:  # getaddrinfo would take the rest of a division
        raise _refused(host, port, "not a port; allowed: 0 to 65535")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise _refused(host, port, f"not an address ({error})") from None
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _refused(host, port, _reason(error)) from None
    return listener


def _refused(host: str, port: int, reason: str) -> ListenError:
    return ListenError(f"cannot listen on {_authority(host, port)}: {reason}")


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another process uses this port; stop it or choose another port"
    if error.errno == errno.EACCES:
        return "ports below 1024 need more rights; choose another port"
    if error.errno == errno.EADDRNOTAVAIL:
        return "the address is not this machine's"
    return str(error)


def url_of(listener: socket.socket) -> str:
    """Where a browser on this machine finds the listener."""
    host, port = listener.getsockname()[:2]
    return f"http://{_authority(_WILDCARDS.get(host, host), port)}"


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class ApiServer:
    """One server of one app.

    Args:
        app: made by `create_app`.
        listener: made by `listen`; closed when the server ends.
        graceful_timeout: seconds that requests may take to end after `stop`; streams end at once.
    """

    def __init__(self, app: FastAPI, listener: socket.socket, *, graceful_timeout: int = 5) -> None:
        self.url = url_of(listener)
        self._listener = listener
        # Logging is the business of whoever composes the process; the app counts its requests itself.
        config = uvicorn.Config(
            app,
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=graceful_timeout,
        )
        self._server = _Server(config, app)

    def run(self, *, signals: bool = False) -> None:
        """Serves until `stop`; blocks. Call it once.

        Args:
            signals: whether SIGINT and SIGTERM stop the server; only in the main thread, of a process that is
                all the server's. Without it, signals are the caller's.
        """
        if signals:
            # What is here now stays. Else each great answer of a store has Python look through all of it for
            # garbage, for some 25 ms, in which nobody is answered.
            gc.collect()
            gc.freeze()
        with self._handled() if signals else contextlib.nullcontext():
            self._server.run(sockets=[self._listener])

    def stop(self) -> None:
        """Asks the server to end; from any thread or signal handler, before, while or after it runs."""
        self._server.should_exit = True

    @contextlib.contextmanager
    def _handled(self) -> Iterator[None]:
        def handle(_: int, __: FrameType | None) -> None:
            self.stop()

        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("signals can be handled in the main thread only")
        before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Server(uvicorn.Server):
    """uvicorn's, which leaves signals alone and ends streams before it waits for connections to end."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.stop_streams()
        await super().shutdown(sockets)
        # What has not ended within the time that uvicorn gives it is cut off, not left open.
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)
