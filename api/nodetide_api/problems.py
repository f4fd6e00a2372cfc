"""Errors as RFC 9457 problem documents: which one each exception is."""

from __future__ import annotations

import logging
import math
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nodetide_api.leaving import ClientLeft
from nodetide_core.errors import QueryError, StoreRejected, StoreUnavailable

__all__ = ["PROBLEM_TYPE", "ProblemResponse", "UnexpectedErrors", "install_problems", "problem"]

PROBLEM_TYPE = "application/problem+json"

_log = logging.getLogger(__name__)


class ProblemResponse(JSONResponse):
    media_type = PROBLEM_TYPE


def problem(
    status: int,
    detail: str,
    *,
    kind: str | None = None,
    parameter: str | None = None,
    instance: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> ProblemResponse:
    """One problem document as a response.

    Args:
        kind: names a problem that its status alone does not say; part of ``type`` and of the title.
        parameter: the query parameter that is wrong.
        instance: identifies this one occurrence in the log.
    """
    document: dict[str, Any] = {
        "type": f"urn:nodetide:problem:{kind}" if kind else "about:blank",
        "title": kind.replace("-", " ").capitalize() if kind else HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if parameter is not None:
        document["parameter"] = parameter
    if instance is not None:
        document["instance"] = instance
    return ProblemResponse(document, status, dict(headers or {}))


def install_problems(app: FastAPI) -> None:
    """Makes every error of ``app`` a problem document.

    Middleware added later stands outside of it.
    """
    app.add_exception_handler(QueryError, _query)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(StoreUnavailable, _unavailable)
    app.add_exception_handler(StoreRejected, _refused)
    app.add_exception_handler(TimeoutError, _timeout)
    app.add_exception_handler(ClientLeft, _left)
    app.add_middleware(UnexpectedErrors)


async def _query(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, QueryError)  # noqa: S101 - the registration says so
    return problem(400, str(error), kind="invalid-parameter", parameter=error.parameter)


async def _validation(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - the registration says so
    first = error.errors()[0]
    parameter = next((part for part in reversed(first["loc"]) if isinstance(part, str)), "query")
    said = "is required" if first["type"] == "missing" else str(first["msg"])
    return problem(400, f"{parameter}: {said}", kind="invalid-parameter", parameter=parameter)


async def _http(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - the registration says so
    details = {
        404: f"nothing is at {request.url.path}; see /docs",
        405: f"{request.method} is not allowed here",
    }
    detail = details.get(error.status_code, str(error.detail))
    return problem(error.status_code, detail, headers=error.headers)


async def _unavailable(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, StoreUnavailable)  # noqa: S101 - the registration says so
    headers = {"Retry-After": str(max(1, math.ceil(error.retry_after)))}
    return problem(503, str(error), kind="store-unavailable", headers=headers)


async def _refused(_: Request, error: Exception) -> ProblemResponse:
    """Parameters were checked before, so it is the store that lacks something: a bucket deleted by hand, say."""
    return problem(503, str(error), kind="store-refused", headers={"Retry-After": "30"})


async def _timeout(_: Request, __: Exception) -> ProblemResponse:
    return problem(504, "the store did not answer in time; ask for a shorter range", kind="query-timeout")


async def _left(_: Request, __: Exception) -> Response:
    return Response(status_code=499)  # nobody reads it; the metrics count it


class UnexpectedErrors:
    """ASGI middleware: an error nobody planned for becomes a 500 without internals, and a line in the
    log under the identifier that the client is given."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception as error:
            instance = f"urn:uuid:{uuid.uuid4()}"
            _log.error("%s %s failed (%s)", scope["method"], scope["path"], instance, exc_info=error)
            if started:
                raise  # half an answer must not look whole: the server cuts the connection
            detail = f"something went wrong; the log has it as {instance}"
            await problem(500, detail, instance=instance)(scope, receive, send)
