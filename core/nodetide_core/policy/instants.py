"""Points in time as policies write them."""

from __future__ import annotations

from datetime import datetime

__all__ = ["INSTANT_PATTERN", "parse_instant"]

#: RFC 3339, of this millennium. What the CRD and the parser both accept, but for days that no month has.
INSTANT_PATTERN = (
    r"^2[0-9]{3}-[0-9]{2}-[0-9]{2}[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)


def parse_instant(text: str) -> int:
    """Unix seconds of a time written as `INSTANT_PATTERN` says; a fraction is dropped.

    Raises:
        ValueError: there is no such day.
    """
    # Python 3.10 knows neither Z nor fractions of other than three or six digits.
    head, zone = (text[:-1], "+00:00") if text[-1:] in "zZ" else (text[:-6], text[-6:])
    return int(datetime.fromisoformat(head.partition(".")[0].upper() + zone).timestamp())
