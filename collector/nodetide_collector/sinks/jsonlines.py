"""Points as JSON, one object per line, for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable

from nodetide_core.points import Point

__all__ = ["render_json"]


def render_json(points: Iterable[Point]) -> str:
    """One line per point, ``measurement``, ``tags``, ``fields`` and ``time`` (Unix seconds), each
    ended by a newline."""
    return "".join(
        json.dumps(
            {
                "measurement": point.measurement,
                "tags": dict(point.tags),
                "fields": dict(point.fields),
                "time": point.time,
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )
        + "\n"
        for point in points
    )
