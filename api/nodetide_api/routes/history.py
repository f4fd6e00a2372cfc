"""``GET /api/v1/metrics/history``"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from nodetide_api.answers import encode, json_answer
from nodetide_api.filters import parse_filters
from nodetide_api.history import history_answer, parse_step, plan_history
from nodetide_api.leaving import while_connected
from nodetide_api.models import History
from nodetide_api.openapi import problems_of
from nodetide_api.params import HistoryParams, no_repeats
from nodetide_api.querying import QueryRoute
from nodetide_api.services import Services
from nodetide_api.timeparse import parse_time
from nodetide_core.catalogue import select

__all__ = ["router"]


def router(services: Services) -> APIRouter:
    routes = APIRouter(
        prefix="/api/v1/metrics", tags=["metrics"], route_class=QueryRoute, dependencies=[Depends(no_repeats)]
    )

    @routes.get(
        "/history",
        operation_id="getHistory",
        summary="Values over time",
        response_model=History,
        responses=problems_of(400, 503, 504),
    )
    async def history(request: Request, params: Annotated[HistoryParams, Query()]) -> Response:
        """One value per step and series, as columns.

        The answer is read from the coarsest tier that has the step and still keeps the start; what that
        tier does not hold yet comes from finer ones, so an answer reaches to now whatever its step.
        A step that the tier cannot give is widened; `step_seconds` says which was used.
        """
        return json_answer(await while_connected(request, _answer(services, params)))

    return routes


async def _answer(services: Services, params: HistoryParams) -> bytes:
    selection = select(params.metric)
    filters = parse_filters(params.host, params.tag)
    step = parse_step(params.step)
    end_of_second = services.now + 1
    start = parse_time("start_time", params.start_time, now=end_of_second)
    stop = parse_time("end_time", params.end_time, now=end_of_second)
    plan = plan_history(
        await services.stream(params.policy),
        selection,
        params.agg,
        filters,
        start=start,
        stop=stop,
        now=services.now,
        step=step,
        max_points=params.max_points,
        default_points=services.config.max_points,
    )

    async def read() -> bytes:
        return encode(history_answer(plan, params.metric, params.agg, await services.carry_out(plan)))

    return await services.ask(("history", params.metric, params.agg, plan), read)
