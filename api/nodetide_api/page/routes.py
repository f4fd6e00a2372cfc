"""Serves the live page."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nodetide_api.page.files import PageFile, page_files

__all__ = ["HEADERS", "mount_page"]

_POLICY = (
    "default-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
)

#: On the page and each of its files.
HEADERS = {
    "Content-Security-Policy": "; ".join(_POLICY),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Asked about each time and answered with a 304: after an upgrade no old module meets a new one.
    "Cache-Control": "no-cache",
}


def mount_page(app: FastAPI) -> None:
    """Adds ``/`` and ``/static/…`` to ``app``; neither is part of its OpenAPI document.

    Raises:
        ModuleNotFoundError: the chart library is not installed.
    """
    found = page_files()

    async def index(request: Request) -> Response:
        return _answer(request, found["index.html"])

    async def static(request: Request) -> Response:
        file = found.get(request.path_params["name"])
        if file is None:
            raise HTTPException(404, "the page has no such file")
        return _answer(request, file)

    app.router.routes.append(Route("/", index, include_in_schema=False))
    app.router.routes.append(Route("/static/{name:path}", static, include_in_schema=False))


def _answer(request: Request, file: PageFile) -> Response:
    headers = HEADERS | {"ETag": file.etag}
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if file.etag in known:
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)
