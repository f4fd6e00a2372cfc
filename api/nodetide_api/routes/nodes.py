"""``GET /api/v1/nodes``"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from nodetide_api.answers import json_answer
from nodetide_api.current import host_head
from nodetide_api.leaving import while_connected
from nodetide_api.models import Nodes
from nodetide_api.openapi import problems_of
from nodetide_api.params import PolicyParams
from nodetide_api.services import Services

__all__ = ["router"]


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/api/v1", tags=["inventory"])

    @routes.get(
        "/nodes",
        operation_id="listNodes",
        summary="Nodes that have sent samples",
        response_model=Nodes,
        responses=problems_of(400, 503, 504),
    )
    async def nodes(request: Request, params: Annotated[PolicyParams, Query()]) -> Response:
        """Every node of which raw samples are kept, and how fresh it is; of one policy, or of all of them.

        A node of several policies counts with its newest sample.
        """
        return json_answer(await while_connected(request, _answer(services, params.policy)))

    return routes


async def _answer(services: Services, policy: str) -> dict[str, Any]:
    streams = [await services.stream(policy)] if policy else await services.streams()
    newest: dict[str, tuple[int, float]] = {}
    for stream in streams:
        seen = await services.hosts(stream)
        for host, time in seen.items():
            newest[host] = max(newest.get(host, (0, 0.0)), (time, services.config.stale_after_of(stream)))
    now = services.clock()
    return {
        "nodes": [
            host_head(host, time, now, stale_after, "last_seen") for host, (time, stale_after) in sorted(newest.items())
        ]
    }
