"""``GET /api/v1/metrics/summary``"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from nodetide_api.answers import encode, json_answer
from nodetide_api.filters import parse_filters
from nodetide_api.leaving import while_connected
from nodetide_api.models import Summary
from nodetide_api.openapi import problems_of
from nodetide_api.params import SummaryParams, no_repeats
from nodetide_api.querying import QueryRoute
from nodetide_api.services import Services
from nodetide_api.summary import plan_summary, summary_answer
from nodetide_api.timeparse import parse_period
from nodetide_core.catalogue import select

__all__ = ["router"]


def router(services: Services) -> APIRouter:
    routes = APIRouter(
        prefix="/api/v1/metrics", tags=["metrics"], route_class=QueryRoute, dependencies=[Depends(no_repeats)]
    )

    @routes.get(
        "/summary",
        operation_id="getSummary",
        summary="A period in eight numbers",
        response_model=Summary,
        responses=problems_of(400, 503, 504),
    )
    async def summary(request: Request, params: Annotated[SummaryParams, Query()]) -> Response:
        """Minimum, maximum, mean, percentiles 50, 95 and 99, last value and count of a period up to now.

        Gauges: `min`, `max`, `mean`, `last` and `count` are of the samples, whatever the tier; percentiles
        are of the means of steps of `resolution_seconds`, which are the samples themselves where that is
        the sampling interval. Counters: every number is of the rates per second of those steps; `mean` is
        the whole growth over the whole time it was seen. Percentiles interpolate linearly between the two
        nearest values (NumPy's default, definition 7 of Hyndman and Fan).
        """
        return json_answer(await while_connected(request, _answer(services, params)))

    return routes


async def _answer(services: Services, params: SummaryParams) -> bytes:
    selection = select(params.metric)
    filters = parse_filters(params.host, params.tag)
    period = parse_period("period", params.period)
    stream = await services.stream(params.policy)
    plan = plan_summary(stream, selection, filters, period, now=services.now, stop=services.now + 1)

    async def read() -> bytes:
        return encode(summary_answer(plan, params.metric, await services.carry_out(plan)))

    return await services.ask(("summary", params.metric, plan), read)
