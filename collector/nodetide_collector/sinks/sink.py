"""Where points go: the port between the collector's loop and the outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from nodetide_core.points import Point

__all__ = ["Sink", "SinkStats"]


@dataclass(frozen=True, slots=True)
class SinkStats:
    """What a sink holds and what became of the rest.

    Attributes:
        spool_bytes: taken and not written yet.
        spool_oldest_s: age in seconds of the oldest of it, 0 where there is none.
        written: points written since the start.
        dropped: points lost since the start.
    """

    spool_bytes: int = 0
    spool_oldest_s: float = 0.0
    written: int = 0
    dropped: int = 0


class Sink(Protocol):
    """Used by one thread, which it must not keep waiting."""

    def write(self, bucket: str, points: Sequence[Point]) -> None:
        """Take points of one tick; never blocks, and never fails because of the outside."""

    def flush(self, timeout: float) -> int:
        """Try to write what is held for at most so many seconds; returns the points still held."""

    def close(self) -> None:
        """Let go; what is still held is lost, and counted. Calling again does nothing."""

    def stats(self) -> SinkStats: ...
