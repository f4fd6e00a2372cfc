"""Durations as users write them (``1s``, ``5m``, ``1h30m``, ``7d``), in whole seconds."""

from __future__ import annotations

import re

__all__ = ["DURATION_PATTERN", "format_about", "format_duration", "parse_duration"]

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}

#: What the CRD and the parser both accept.
DURATION_PATTERN = r"^(0|([0-9]{1,9}(w|d|h|m|s)){1,5})$"

_WHOLE = re.compile(DURATION_PATTERN)
_PART = re.compile(r"([0-9]+)([wdhms])")


def parse_duration(text: str) -> int:
    """Seconds of ``text``; ``0`` is zero.

    Raises:
        ValueError: ``text`` is not a duration; the message says what one looks like.
    """
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration; write numbers with s, m, h, d or w, such as 1s, 5m, 24h or 7d")
    return sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def format_duration(seconds: int) -> str:
    """The shortest exact text, in one unit where it is a whole number: 300 -> ``5m``, 5400 -> ``90m``."""
    if seconds == 0:
        return "0s"
    for unit in ("d", "h", "m"):
        if seconds % _UNITS[unit] == 0:
            return f"{seconds // _UNITS[unit]}{unit}"
    return f"{seconds}s"


def format_about(seconds: int) -> str:
    """At most two units, rounded up to the smaller one: 5400 -> ``1h30m``, 614400 -> ``7d3h``."""
    for unit, less in (("d", "h"), ("h", "m"), ("m", "s")):
        if seconds >= _UNITS[unit]:
            rounded = -(-seconds // _UNITS[less]) * _UNITS[less]
            if rounded != seconds:
                return format_about(rounded)  # it may be a whole one of the next unit now
            whole, rest = divmod(seconds, _UNITS[unit])
            return f"{whole}{unit}" + (f"{rest // _UNITS[less]}{less}" if rest else "")
    return format_duration(seconds)
