"""``GET /api/v1/metrics/stream``"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from starlette.responses import StreamingResponse

from nodetide_api.current import make_view
from nodetide_api.examples import STREAM_EXAMPLE
from nodetide_api.filters import parse_filters, split_list
from nodetide_api.openapi import problems_of
from nodetide_api.params import CurrentParams
from nodetide_api.services import Services
from nodetide_api.sse import EventStream, follow

__all__ = ["router"]

_STREAM = {
    "description": "Events, until the client leaves or the server stops.",
    "content": {"text/event-stream": {"schema": {"type": "string"}, "example": STREAM_EXAMPLE}},
}


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/api/v1/metrics", tags=["metrics"])

    @routes.get(
        "/stream",
        operation_id="streamCurrent",
        summary="The newest samples as they come (server-sent events)",
        response_class=StreamingResponse,
        responses={200: _STREAM, **problems_of(400, 503, 504)},
    )
    async def stream(params: Annotated[CurrentParams, Query()]) -> Response:
        """One `sample` event per interval of the policy, with the same data as `/current`.

        A `status` event says when the store fails and when it answers again; comments keep a silent
        connection open. The `id` of an event is the Unix time of its newest sample. A client too slow to
        take every sample skips to the newest.
        """
        view = make_view(parse_filters(params.host, params.tag), split_list(params.metric))
        found = await services.stream(params.policy)
        return EventStream(follow(services.live, found, view, services.config.keep_alive))

    return routes
