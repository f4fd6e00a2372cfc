"""What everything that reads raw points needs besides a connection."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nodetide_core.stores.embedded.layouts import Shapes

__all__ = ["RawContext"]


@dataclass(frozen=True, slots=True)
class RawContext:
    """
    Attributes:
        path: the database's file, for messages.
        shapes: what hot rows hold.
        block_seconds: raw points that share a chunk.
    """

    path: Path
    shapes: Shapes
    block_seconds: int
