"""The optional bearer token (RFC 6750)."""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from nodetide_api.problems import problem

__all__ = ["OPEN_PATHS", "OPEN_PREFIX", "BearerToken", "is_open"]

#: Open without a token: the probes, which the kubelet calls, and the page's own files, which hold no
#: data and which a browser fetches before anyone can type a token.
OPEN_PATHS = frozenset({"/", "/health", "/readiness", "/liveness"})
OPEN_PREFIX = "/static/"


class BearerToken:
    """ASGI middleware: everything else needs ``Authorization: Bearer <token>``.

    A token in the address is not accepted: addresses end up in logs.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_open(scope["path"]):
            await self.app(scope, receive, send)
            return
        scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode("latin-1"), self._token):
            await self.app(scope, receive, send)
            return
        challenge = 'Bearer realm="nodetide"'
        if scheme.lower() == "bearer":
            challenge += ', error="invalid_token"'
            detail = "the bearer token is wrong"
        else:
            detail = "send the API's token as the header Authorization: Bearer <token>"
        response = problem(401, detail, headers={"WWW-Authenticate": challenge})
        await response(scope, receive, send)


def is_open(path: str) -> bool:
    """Whether this path needs no token."""
    return path in OPEN_PATHS or path.startswith(OPEN_PREFIX)
