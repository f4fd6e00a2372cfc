"""Moments and spans as users write them in a query: ``-1h``, ``now()``, RFC 3339, Unix seconds."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from nodetide_core.durations import parse_duration
from nodetide_core.errors import QueryError

__all__ = ["LATEST_TIME", "PERIOD_PATTERN", "TIME_PATTERN", "format_time", "parse_period", "parse_time"]

#: 2100-01-01: later times are mistakes, most often milliseconds.
LATEST_TIME = 4_102_444_800

_DURATION = r"(?:[0-9]{1,9}[wdhms]){1,5}"
_OFFSET = r"(?:[Zz]|[+\- ][0-9]{2}:[0-9]{2})"
_RFC3339 = rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt ][0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?:\.[0-9]{{1,9}})?{_OFFSET}"

#: What `parse_time` reads, for the OpenAPI document.
TIME_PATTERN = rf"^(now(\(\))?|-(0|{_DURATION})|[0-9]{{1,10}}(\.[0-9]{{1,9}})?|{_RFC3339})$".replace("(?:", "(")

#: What `parse_period` reads, for the OpenAPI document.
PERIOD_PATTERN = rf"^-?{_DURATION}$".replace("(?:", "(")

_ALLOWED = "a span back from now such as -1h, now(), an RFC 3339 time with its offset, or Unix seconds"
_UNIX = re.compile(r"[0-9]{1,18}(\.[0-9]{1,9})?")
_RFC3339_PARTS = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]{1,9})?"
    r"(?:([Zz])|([+\- ])([0-9]{2}):([0-9]{2}))"
)


def parse_time(parameter: str, text: str, *, now: int) -> int:
    """Unix seconds of ``text``; parts of a second are cut off.

    Args:
        parameter: its name, for the error.
        now: what ``now()`` and spans count from.

    Raises:
        QueryError: not a time, or one before 1970 or after 2099.
    """
    time = _parse(parameter, text, now)
    if not 0 <= time <= LATEST_TIME:
        hint = "; Unix times are in seconds, not milliseconds" if _UNIX.fullmatch(text) else ""
        raise QueryError(parameter, f"{text!r} is not between 1970-01-01 and 2100-01-01{hint}")
    return time


def _parse(parameter: str, text: str, now: int) -> int:
    if text in ("now()", "now"):
        return now
    if text.startswith("-"):
        return now - _span(parameter, text[1:], text, _ALLOWED)
    if _UNIX.fullmatch(text):
        return int(text.partition(".")[0])
    match = _RFC3339_PARTS.fullmatch(text)
    if match is None:
        raise QueryError(parameter, f"{text!r} is not a time; allowed: {_ALLOWED}")
    return _rfc3339(parameter, text, match)


def _rfc3339(parameter: str, text: str, match: re.Match[str]) -> int:
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    zulu, sign, offset_hour, offset_minute = match.groups()[6:]
    leap = second == 60  # RFC 3339 allows it; Unix time has no such second and counts it as the next
    offset = timedelta()
    if zulu is None:
        if int(offset_hour) > 23 or int(offset_minute) > 59:
            raise QueryError(parameter, f"{text!r} has no valid offset; allowed: Z or +hh:mm up to +23:59")
        offset = timedelta(hours=int(offset_hour), minutes=int(offset_minute))
        # An offset's plus sign that was not percent-encoded arrives as a space.
        offset = -offset if sign == "-" else offset
    try:
        local = datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=timezone.utc)
    except ValueError as error:
        raise QueryError(parameter, f"{text!r} is not a time: {error}") from None
    # Not datetime arithmetic: that overflows at both ends of the calendar.
    return int(local.timestamp()) + leap - int(offset.total_seconds())


def parse_period(parameter: str, text: str) -> int:
    """Seconds of a span written ``-1h`` or ``1h``; at least one.

    Raises:
        QueryError: not a span, or an empty one.
    """
    seconds = _span(parameter, text.removeprefix("-"), text, "a span such as -1h, -30m or -7d")
    if seconds == 0:
        raise QueryError(parameter, f"{text!r} is empty; allowed: at least 1s")
    return seconds


def _span(parameter: str, digits: str, text: str, allowed: str) -> int:
    try:
        return parse_duration(digits)
    except ValueError:
        raise QueryError(parameter, f"{text!r} is not a time; allowed: {allowed}") from None


def format_time(time: float) -> str:
    """RFC 3339 in UTC, to the second for whole seconds, else to the millisecond."""
    moment = datetime.fromtimestamp(time, timezone.utc)
    text = moment.isoformat(timespec="seconds" if time == int(time) else "milliseconds")
    return text.replace("+00:00", "Z")
