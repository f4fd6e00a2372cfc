"""Routes whose parameters are all in one model of the query.

FastAPI looks into each parameter's type anew at each request, which takes longer than what else there is to do for a
small answer. The model alone reads the same; the OpenAPI document still comes from FastAPI.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, get_origin, get_type_hints

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.datastructures import QueryParams

__all__ = ["QueryRoute"]


class QueryRoute(APIRoute):
    """A route of an endpoint ``(request, params)``; what it depends on takes the request alone."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint = self.endpoint
        read = _reader(get_type_hints(endpoint)["params"])
        before = [depends.dependency for depends in self.dependencies if depends.dependency is not None]

        async def handle(request: Request) -> Response:
            for depend in before:
                await depend(request)
            response: Response = await endpoint(request, read(request.query_params))
            return response

        return handle


def _reader(model: type[BaseModel]) -> Callable[[QueryParams], BaseModel]:
    lists = {name for name, field in model.model_fields.items() if get_origin(field.annotation) is list}

    def read(query: QueryParams) -> BaseModel:
        given: Mapping[str, Any] = {name: query.getlist(name) if name in lists else query[name] for name in query}
        try:
            return model.model_validate(given)
        except ValidationError as error:
            raise RequestValidationError(
                [{**each, "loc": ("query", *each["loc"])} for each in error.errors()]
            ) from error

    return read
