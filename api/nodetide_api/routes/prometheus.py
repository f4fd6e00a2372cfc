"""``GET /metrics``"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from nodetide_api.current import in_use, newest_by_host
from nodetide_api.filters import HOST
from nodetide_api.leaving import while_connected
from nodetide_api.limits import within
from nodetide_api.openapi import problems_of
from nodetide_api.services import Services
from nodetide_core.errors import StoreError
from nodetide_core.exposition import metric_families
from nodetide_core.points import Point, tag

__all__ = ["router"]

#: Seconds that the store may take; Prometheus by default waits 10.
_PATIENCE = 5.0
_TEXT = {
    "description": "Prometheus text format, or OpenMetrics where `Accept` asks for it.",
    "content": {"text/plain": {"schema": {"type": "string"}, "example": "nodetide_api_store_up 1.0\n"}},
}


def router(services: Services) -> APIRouter:
    routes = APIRouter(tags=["operations"])

    @routes.get(
        "/metrics",
        operation_id="getPrometheusMetrics",
        summary="The newest samples of all hosts, and the API's own metrics, for Prometheus",
        response_class=Response,
        responses={200: _TEXT, **problems_of()},
    )
    async def metrics(
        request: Request,
        accept: Annotated[str, Header(description="Asks for OpenMetrics where it names that format.")] = "",
    ) -> Response:
        """Hosts that are stale are left out, so that Prometheus sees them go. Of a series that several policies hold,
        the newest sample counts.

        While the store cannot answer, `nodetide_api_store_up` is 0 and only the API's own metrics are there.
        """
        points = await while_connected(request, _points(services))
        encoder, content_type = choose_encoder(accept)
        body = await asyncio.to_thread(_expose, services.telemetry.registry, points, encoder)
        return Response(body, headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    return routes


async def _points(services: Services) -> list[Point] | None:
    """See `_alive`; None when the store cannot answer, or not in the time that Prometheus waits."""
    try:
        return await within(_PATIENCE, _alive(services))
    except (StoreError, TimeoutError):
        return None


async def _alive(services: Services) -> list[Point]:
    """The newest points of the hosts that are alive, of all policies."""
    points: list[Point] = []
    for stream in await services.streams():
        found = await services.latest(stream, frozenset())
        hosts = newest_by_host(found)
        stale_after = services.config.stale_after_of(stream)
        oldest = services.clock() - stale_after
        alive = (latest.point for latest in in_use(found, hosts, stale_after))
        points += [point for point in alive if hosts[tag(point.tags, HOST) or ""] >= oldest]
    return points


def _expose(own: CollectorRegistry, points: list[Point] | None, encoder: Callable[[Collector], bytes]) -> bytes:
    return encoder(_Both(own, points))


class _Both(Collector):
    """The API's metrics and the hosts' as one."""

    def __init__(self, own: CollectorRegistry, points: Iterable[Point] | None) -> None:
        self._own = own
        self._points = points

    def collect(self) -> Iterator[Metric]:
        yield from self._own.collect()
        up = 0 if self._points is None else 1
        yield GaugeMetricFamily("nodetide_api_store_up", "Whether the store answered this scrape.", value=up)
        yield from metric_families(self._points or ())
