"""``GET /api/v1/policies``"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from nodetide_api.answers import json_answer
from nodetide_api.leaving import while_connected
from nodetide_api.models import Policies
from nodetide_api.openapi import problems_of
from nodetide_api.params import NoParams
from nodetide_api.services import Services
from nodetide_api.timeparse import format_time
from nodetide_core.store import Stream

__all__ = ["router"]


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/api/v1", tags=["inventory"])

    @routes.get(
        "/policies",
        operation_id="listPolicies",
        summary="Policies and their tiers",
        response_model=Policies,
        responses=problems_of(400, 503, 504),
    )
    async def policies(request: Request, _: Annotated[NoParams, Query()]) -> Response:
        """What is kept how long at which resolution, and up to when each tier is rolled up."""
        return json_answer(await while_connected(request, _answer(services)))

    return routes


async def _answer(services: Services) -> dict[str, Any]:
    return {
        "policies": [_policy(stream, await services.watermarks(stream)) for stream in await services.streams()],
    }


def _policy(stream: Stream, watermarks: Mapping[str, int]) -> dict[str, Any]:
    return {
        "name": stream.name,
        "bucket": stream.bucket,
        "interval_seconds": stream.interval,
        "tiers": [
            {
                "name": tier.name,
                "bucket": tier.bucket(stream.bucket),
                "window_seconds": tier.window,
                "retention_seconds": tier.retention,
                "rolled_up_to": format_time(watermarks[tier.name]) if tier.window and tier.name in watermarks else None,
            }
            for tier in stream.tiers.tiers
        ],
    }
