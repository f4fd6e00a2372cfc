"""``GET /metrics``"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from nodetide_api.current import in_use, newest_by_host
from nodetide_api.filters import HOST
from nodetide_api.last_samples import last_samples
from nodetide_api.leaving import while_connected
from nodetide_api.limits import within
from nodetide_api.openapi import problems_of
from nodetide_api.services import Services
from nodetide_api.together import together
from nodetide_core.alerts.ports import AlertRecord
from nodetide_core.errors import StoreError
from nodetide_core.exposition import alert_states, metric_families
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
        """Hosts that are stale are left out, so that Prometheus sees them go; when each had its newest sample of a
        measurement, `nodetide_last_sample_timestamp_seconds` tells for another hour. Of a series that several policies
        hold, the newest sample counts.

        `nodetide_alert_state` is 1 for an alert that is pending and 2 for one that fires, with the labels that
        receivers are told; alerts that are neither are left out.

        While the store cannot answer, `nodetide_api_store_up` is 0 and only the API's own metrics are there.
        """
        found = await while_connected(request, _scraped(services))
        encoder, content_type = choose_encoder(accept)
        body = await asyncio.to_thread(_expose, services.telemetry.registry, found, encoder)
        return Response(body, headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    return routes


@dataclass(frozen=True, slots=True)
class _Scraped:
    """
    Attributes:
        points: the newest of the hosts that are alive.
        seen: of silent hosts, too.
    """

    points: list[Point]
    seen: list[Point]
    alerts: list[AlertRecord]


async def _scraped(services: Services) -> _Scraped | None:
    """None when the store cannot answer, or not in the time that Prometheus waits."""
    try:
        return await within(_PATIENCE, _read(services))
    except (StoreError, TimeoutError):
        return None


async def _read(services: Services) -> _Scraped:
    points, seen = await _newest(services)
    records = await together(services.alerts(stream) for stream in await services.streams())
    return _Scraped(points, seen, [record for held in records for record in held.values()])


async def _newest(services: Services) -> tuple[list[Point], list[Point]]:
    """The newest points of the hosts that are alive and of all hosts, of all policies."""
    points: list[Point] = []
    seen: list[Point] = []
    for stream in await services.streams():
        found = await services.latest(stream, frozenset())
        hosts = newest_by_host(found)
        stale_after = services.config.stale_after_of(stream)
        oldest = services.clock() - stale_after
        alive = (latest.point for latest in in_use(found, hosts, stale_after))
        points += [point for point in alive if hosts[tag(point.tags, HOST) or ""] >= oldest]
        seen += [latest.point for latest in found]
    return points, seen


def _expose(own: CollectorRegistry, found: _Scraped | None, encoder: Callable[[Collector], bytes]) -> bytes:
    return encoder(_Both(own, found))


class _Both(Collector):
    """The API's metrics and the hosts' as one."""

    def __init__(self, own: CollectorRegistry, found: _Scraped | None) -> None:
        self._own = own
        self._found = found

    def collect(self) -> Iterator[Metric]:
        yield from self._own.collect()
        up = 0 if self._found is None else 1
        yield GaugeMetricFamily("nodetide_api_store_up", "Whether the store answered this scrape.", value=up)
        if self._found is not None:
            yield from metric_families(self._found.points)
            yield last_samples(self._found.seen)
            yield from alert_states(self._found.alerts)
