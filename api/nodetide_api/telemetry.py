"""The API's own metrics, one registry per app."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nodetide_api.flights import Flights
from nodetide_api.live import Live

__all__ = ["Instrumented", "Telemetry"]

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Telemetry:
    """Requests, streams and shared queries, as Prometheus metrics ``nodetide_api_*``."""

    def __init__(self, flights: Flights, live: Live) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "nodetide_api_requests",
            "Requests answered, by route and status.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "nodetide_api_request_seconds",
            "Time from a request to the start of its answer.",
            ("route",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.in_progress = Gauge(
            "nodetide_api_requests_in_progress", "Requests being answered, streams among them.", registry=self.registry
        )
        self.registry.register(_Counts(flights, live))


class _Counts(Collector):
    """What the parts count by themselves."""

    def __init__(self, flights: Flights, live: Live) -> None:
        self._flights = flights
        self._live = live

    def collect(self) -> Iterator[Metric]:
        queries = CounterMetricFamily(
            "nodetide_api_queries", "Questions to the store, by whether they joined one in flight.", labels=("shared",)
        )
        queries.add_metric(("false",), self._flights.started)
        queries.add_metric(("true",), self._flights.shared)
        yield queries
        yield GaugeMetricFamily("nodetide_api_stream_clients", "Clients of /stream now.", value=self._live.clients)
        yield CounterMetricFamily(
            "nodetide_api_stream_skipped", "Samples that slow clients of /stream did not get.", value=self._live.skipped
        )
        yield CounterMetricFamily(
            "nodetide_api_stream_failures", "Reads for /stream that failed.", value=self._live.failures
        )


class Instrumented:
    """ASGI middleware that counts and times requests."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry, timer: Callable[[], float] = time.perf_counter) -> None:
        self.app = app
        self._telemetry = telemetry
        self._timer = timer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = self._timer()
        status = 499  # the client left before there was an answer

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._telemetry.seconds.labels(_route(scope)).observe(self._timer() - began)
            await send(message)

        with self._telemetry.in_progress.track_inprogress():
            try:
                await self.app(scope, receive, watch)
            finally:
                method = scope["method"] if scope["method"] in _METHODS else "other"
                self._telemetry.requests.labels(method, _route(scope), str(status)).inc()


def _route(scope: Scope) -> str:
    """The route's template: paths as clients write them are without number."""
    return getattr(scope.get("route"), "path", "unmatched")
