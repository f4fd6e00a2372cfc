"""How long to wait after failures, so that many who failed together do not come back together. Pure."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Backoff"]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits after failures in a row, in seconds: anything up to a bound that doubles (full jitter).

    Attributes:
        least: what is always waited, so that a lucky draw is no busy loop.
        first, longest: the bound after the first failure, and the bound's bound.
    """

    least: float = 0.25
    first: float = 1.0
    longest: float = 30.0

    def delay(self, failures: int, chance: float, asked: float | None = None) -> float:
        """
        Args:
            failures: at least 1.
            chance: uniform in [0, 1).
            asked: seconds that the other side asks to wait, if it does; kept to up to ten times ``longest``, and
                what is added for spreading comes on top.
        """
        if asked is not None:
            return max(self.least, min(asked, 10 * self.longest) + chance * self.first)
        bound = min(self.longest, self.first * 2.0 ** min(failures - 1, 60))
        return self.least + chance * (bound - self.least)
