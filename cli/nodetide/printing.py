"""Printing points to standard output, once or as they come."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TextIO

from nodetide_collector.sinks.jsonlines import render_json
from nodetide_collector.sinks.sink import SinkStats
from nodetide_collector.sinks.table import render_table
from nodetide_core.lineprotocol import encode
from nodetide_core.points import Point

__all__ = ["RENDERERS", "PrintSink"]


def _render_lines(points: Sequence[Point]) -> str:
    return encode(points).decode()


#: By the name that ``--format`` takes.
RENDERERS: dict[str, Callable[[Sequence[Point]], str]] = {
    "line": _render_lines,
    "json": render_json,
    "table": render_table,
}


class PrintSink:
    """A sink for people who watch: writes at once, and waits for whoever reads."""

    def __init__(self, render: Callable[[Sequence[Point]], str], stream: TextIO | None = None) -> None:
        self._render = render
        self._stream = stream or sys.stdout
        self._written = 0

    def write(self, bucket: str, points: Sequence[Point]) -> None:
        del bucket  # nothing is written to it
        if points:
            self._stream.write(self._render(points))
            self._stream.flush()
            self._written += len(points)

    def flush(self, timeout: float) -> int:
        del timeout
        return 0

    def close(self) -> None:
        """Standard output is not ours to close."""

    def stats(self) -> SinkStats:
        return SinkStats(written=self._written)
