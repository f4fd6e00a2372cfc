"""How much one call of upkeep may still do."""

from __future__ import annotations

import threading

__all__ = ["Budget"]


class Budget:
    """Counts batches; it is spent at once when the store is being closed.

    Attributes:
        spent: whether something was refused.
    """

    def __init__(self, batches: int, stopping: threading.Event) -> None:
        self._left = batches
        self._stopping = stopping
        self.spent = False

    def take(self) -> bool:
        """Whether one more batch may be done."""
        if self._left <= 0 or self._stopping.is_set():
            self.spent = True
            return False
        self._left -= 1
        return True
