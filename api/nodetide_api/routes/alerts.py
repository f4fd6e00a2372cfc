"""``GET /api/v1/alerts``"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from nodetide_api.alerts import AlertFilter, active, alerts_answer
from nodetide_api.answers import json_answer
from nodetide_api.filters import split_list
from nodetide_api.leaving import while_connected
from nodetide_api.models import Alerts
from nodetide_api.openapi import problems_of
from nodetide_api.params import AlertParams
from nodetide_api.services import Services
from nodetide_api.together import together

__all__ = ["router"]


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/api/v1", tags=["inventory"])

    @routes.get(
        "/alerts",
        operation_id="listAlerts",
        summary="Alerts that are pending or firing",
        response_model=Alerts,
        responses=problems_of(400, 503, 504),
    )
    async def alerts(request: Request, params: Annotated[AlertParams, Query()]) -> Response:
        """Each severity of an alert stands for itself: a `critical` that fires has, as a rule, its `warning` beside
        it. Firing ones come first, then by severity, then the longest.

        `evaluated` is true where this process evaluates alerts, or the store says that somebody did within the last
        half hour. While it is false there is no sign of anybody who evaluates, an empty list says nothing, and what is
        listed may be long over.
        """
        return json_answer(await while_connected(request, _answer(services, params)))

    return routes


async def _answer(services: Services, params: AlertParams) -> dict[str, Any]:
    streams = [await services.stream(params.policy)] if params.policy else await services.streams()
    records = await together(services.alerts(stream) for stream in streams)
    found = (item for stream, held in zip(streams, records, strict=True) for item in active(stream.name, held))
    wanted = AlertFilter(frozenset(params.state), frozenset(params.severity), frozenset(split_list(params.host)))
    evaluated = services.evaluating() or any(await together(services.evaluated(stream) for stream in streams))
    return alerts_answer(found, wanted, params.limit, evaluated=evaluated)
