"""``/liveness``, ``/readiness`` and ``/metrics``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST

from nodetide_core.errors import ListenError

__all__ = ["Server"]

#: What is wrong; empty where nothing is.
Check = Callable[[], Sequence[str]]


class Server:
    """
    Args:
        address: host and port; port 0 takes a free one.
        checks: by path.

    Raises:
        ListenError
    """

    def __init__(self, address: tuple[str, int], checks: dict[str, Check], metrics: Callable[[], bytes]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path == "/metrics":
                    self._answer(200, metrics(), CONTENT_TYPE_LATEST)
                elif path in checks:
                    wrong = checks[path]()
                    self._answer(503 if wrong else 200, ("\n".join(wrong) or "ok").encode() + b"\n", "text/plain")
                else:
                    known = " ".join(["/metrics", *checks])
                    self._answer(404, f"nothing is here; there are: {known}\n".encode(), "text/plain")

            def _answer(self, status: int, body: bytes, kind: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Probes are no news."""

        Handler.timeout = 10
        try:
            self._server = ThreadingHTTPServer(address, Handler)
        except OSError as error:
            raise ListenError(f"cannot listen on {address[0]}:{address[1]}: {error.strerror or error}") from None
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="http", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
