"""JSON answers that are made once and not validated again on the way out.

The models of `nodetide_api.models` document them; tests hold real answers against the models.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

__all__ = ["encode", "json_answer"]

_MEDIA_TYPE = "application/json"
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def encode(answer: dict[str, Any]) -> bytes:
    """``answer`` as JSON; a NaN or an infinity in it is a mistake of ours and raises ValueError."""
    return _ENCODER.encode(answer).encode()


def json_answer(body: bytes | dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A response of JSON, never stored by caches: every answer is about now."""
    content = body if isinstance(body, bytes) else encode(body)
    return Response(content, status, {"Cache-Control": "no-store", **(headers or {})}, _MEDIA_TYPE)
