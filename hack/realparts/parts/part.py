"""What every part answers."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Part(Protocol):
    """A program that can be got, once, and then found."""

    @property
    def name(self) -> str: ...

    def version(self) -> str:
        """Its version, as told to people."""
        ...

    def expected(self) -> Path:
        """Where it is, or will be."""
        ...

    def path(self) -> Path | None:
        """Where it is; None while it is missing."""
        ...

    def get(self) -> Path:
        """Where it is, got first if missing. Raises StepFailed."""
        ...
