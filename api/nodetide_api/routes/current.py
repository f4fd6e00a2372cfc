"""``GET /api/v1/metrics/current``"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from nodetide_api.answers import encode, json_answer
from nodetide_api.current import current_answer, make_view
from nodetide_api.filters import parse_filters, split_list
from nodetide_api.leaving import while_connected
from nodetide_api.models import Current
from nodetide_api.openapi import problems_of
from nodetide_api.params import CurrentParams
from nodetide_api.querying import QueryRoute
from nodetide_api.services import Services

__all__ = ["router"]


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/api/v1/metrics", tags=["metrics"], route_class=QueryRoute)

    @routes.get(
        "/current",
        operation_id="getCurrent",
        summary="The newest sample of every series",
        response_model=Current,
        responses=problems_of(400, 503, 504),
    )
    async def current(request: Request, params: Annotated[CurrentParams, Query()]) -> Response:
        """Values as sampled; counters as their total under `values` and as growth per second under `rates`.

        There is no rate on the first sample, after a counter was reset, or across a hole in the samples.
        A series that its host has stopped sending (an unmounted disk) is left out.
        """
        return json_answer(await while_connected(request, _answer(services, params)))

    return routes


async def _answer(services: Services, params: CurrentParams) -> bytes:
    view = make_view(parse_filters(params.host, params.tag), split_list(params.metric))
    stream = await services.stream(params.policy)
    found = await services.latest(stream, view.filters.hosts)
    return encode(
        current_answer(
            found,
            view,
            now=services.clock(),
            stale_after=services.config.stale_after_of(stream),
            counter_gap=stream.tiers.counter_gap,
        )
    )
