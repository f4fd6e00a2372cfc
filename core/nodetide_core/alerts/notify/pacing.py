"""When to try again. Pure."""

from __future__ import annotations

__all__ = ["delay"]

#: Seconds that are always waited, so that a lucky draw is no busy loop.
_LEAST = 0.25
_FIRST = 1.0
#: At most, of what a receiver asks for.
_ASKED = 600.0


def delay(failures: int, chance: float, longest: float, asked: float | None = None) -> float:
    """Seconds to wait: anything up to a bound that doubles with every failure in a row (full jitter), so that
    what failed together does not come back together.

    Args:
        failures: in a row, at least 1.
        chance: uniform in [0, 1).
        longest: the bound's bound.
        asked: what the receiver asks for, if it does; it is kept to, and spread.
    """
    if asked is not None:
        return max(_LEAST, min(asked, _ASKED)) + chance * _FIRST
    bound = min(longest, _FIRST * 2.0 ** min(failures - 1, 60))
    return _LEAST + chance * (bound - _LEAST)
