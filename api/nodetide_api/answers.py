"""JSON answers that are made once and not validated again on the way out.

The models of `nodetide_api.models` document them; tests hold real answers against the models.
"""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response

__all__ = ["encode", "json_answer"]

_MEDIA_TYPE = "application/json"


def encode(answer: dict[str, Any]) -> bytes:
    """``answer`` as JSON; values that are not finite become null."""
    return orjson.dumps(answer)


def json_answer(body: bytes | dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A response of JSON, never stored by caches: every answer is about now."""
    content = body if isinstance(body, bytes) else encode(body)
    return Response(content, status, {"Cache-Control": "no-store", **(headers or {})}, _MEDIA_TYPE)
