"""The collector's own Prometheus endpoint: the newest values, as text."""

from __future__ import annotations

import logging
import platform
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import NamedTuple

from prometheus_client import generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from nodetide_core import __version__
from nodetide_core.exposition import metric_families
from nodetide_core.points import Point

__all__ = ["Exporter"]

log = logging.getLogger(__name__)

#: A group's values are shown, and the collector is healthy, for so many intervals after the last pass.
_INTERVALS = 3
_CLIENT_TIMEOUT = 5.0


class _Latest(NamedTuple):
    points: Sequence[Point]
    at: float
    interval: int


class Exporter:
    """Serves ``/metrics`` and ``/healthz`` from a daemon thread.

    Args:
        address: host and port to listen on; port 0 takes a free one.
        monotonic: the clock that `update` is stamped with.

    Raises:
        OSError: the address cannot be listened on.
    """

    def __init__(self, address: tuple[str, int], monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._latest: dict[tuple[str, str], _Latest] = {}
        self._last_pass = monotonic()
        self._interval = 1
        self._server = _Server(address, self)
        self._thread = threading.Thread(target=self._server.serve_forever, name="nodetide-exporter", daemon=True)
        self._thread.start()
        log.info("exporter listens address=%s:%d", *self.address)

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def update(self, stream: str, group: str, points: Sequence[Point], interval: int) -> None:
        """Take a group's newest points, instead of those before.

        Args:
            interval: seconds until the next ones are expected.
        """
        self._latest[stream, group] = _Latest(points, self._monotonic(), interval)

    def passed(self, interval: int) -> None:
        """Note that a pass has ended, or that none is due.

        Args:
            interval: seconds until the next one is expected.
        """
        self._last_pass = self._monotonic()
        self._interval = interval

    def points(self) -> Iterator[Point]:
        """Newest points of every group that is not overdue."""
        now = self._monotonic()
        for latest in list(self._latest.values()):
            if now - latest.at <= _INTERVALS * latest.interval:
                yield from latest.points

    def healthy(self) -> bool:
        return self._monotonic() - self._last_pass <= _INTERVALS * self._interval

    def exposition(self) -> bytes:
        """The text format, version 0.0.4."""
        return generate_latest(_Families(self))

    def close(self) -> None:
        """Stop listening; calling again does nothing."""
        self._server.shutdown()
        self._server.server_close()


class _Families:
    """What prometheus_client collects from."""

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter

    def collect(self) -> Iterable[Metric]:
        labels = ["version", "python"]
        build = GaugeMetricFamily("nodetide_build_info", "Version of Nodetide and of Python.", labels=labels)
        build.add_metric([__version__, platform.python_version()], 1)
        yield build
        yield from metric_families(self._exporter.points())


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], exporter: Exporter) -> None:
        self.exporter = exporter
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer's own would ask the DNS for our name, and wait for it


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "nodetide"
    timeout = _CLIENT_TIMEOUT

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._answer(200, "text/plain; version=0.0.4; charset=utf-8", self.server.exporter.exposition())
        elif path == "/healthz":
            healthy = self.server.exporter.healthy()
            self._answer(200 if healthy else 503, "text/plain", b"ok\n" if healthy else b"the last pass is overdue\n")
        else:
            self._answer(404, "text/plain", b"only /metrics and /healthz are here\n")

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        log.debug("request client=%s %s", self.client_address[0], format % args)
