"""An HTTP server that answers as a test says, for what a real apiserver cannot be made to do."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from kubernetes.client import ApiClient, Configuration

__all__ = ["Asked", "FakeApiserver"]


class Asked(NamedTuple):
    method: str
    path: str
    body: Any
    headers: dict[str, str]


class FakeApiserver:
    """
    Attributes:
        answer: status and body for a request; a body that is bytes is sent as it is.
        asked: what was, in order.
    """

    def __init__(self) -> None:
        self.answer: Callable[[Asked], tuple[int, Any]] = lambda _: (200, {})
        self.asked: list[Asked] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                sent = self.rfile.read(length)
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, self.path, json.loads(sent) if sent else None, headers)
                outer.asked.append(asked)
                status, body = outer.answer(asked)
                payload = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            do_GET = do_POST = do_PATCH = _serve

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._clients: list[ApiClient] = []

    def client(self) -> ApiClient:
        configuration = Configuration(host=f"http://127.0.0.1:{self._server.server_address[1]}")
        configuration.retries = False
        configuration.api_key["BearerToken"] = "Bearer top-secret"
        self._clients.append(ApiClient(configuration))
        return self._clients[-1]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(60)

    def __enter__(self) -> FakeApiserver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.rest_client.pool_manager.clear()
        if self._thread.is_alive():
            self.stop()
