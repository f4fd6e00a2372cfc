"""Which points a store takes: the same answer from every store.

The catalogue fixes names and types; the clock bounds times.  A point is taken whole or refused
whole, with a reason.  Reasons are few, so that counting by reason stays bounded.
"""

from __future__ import annotations

from collections.abc import Mapping

from nodetide_core.catalogue import Catalogue, Type
from nodetide_core.points import Point, Value

__all__ = ["FUTURE", "LARGEST", "Refused", "admit", "refuse_time"]

#: How far ahead of the store's clock, in seconds, a point may be: enough for two hosts' clocks to
#: differ, not enough for one wrong clock to hide an hour of what comes after it.
FUTURE = 3_600

#: Floats must be smaller, so that sums of any window stay finite.
LARGEST = 1e300

_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1


class Refused(ValueError):
    """A point is not taken; the text is the reason that is counted."""


def admit(point: Point, catalogue: Catalogue) -> Mapping[str, float | int | str]:
    """The fields of ``point``, each of the type that the catalogue gives it.

    Raises:
        Refused: the measurement or a field is unknown, or a value does not have the field's type.
    """
    measurement = catalogue.get(point.measurement)
    if measurement is None:
        raise Refused("unknown measurement")
    if not point.fields:
        raise Refused("no fields")
    found: dict[str, float | int | str] = {}
    for name, value in point.fields.items():
        field = measurement.by_name.get(name)
        if field is None:
            raise Refused(f"{point.measurement}: unknown field")
        typed = _typed(field.type, value)
        if typed is None:
            raise Refused(f"{point.measurement}.{name}: not {_EXPECTED[field.type]}")
        found[name] = typed
    return found


_EXPECTED = {
    Type.FLOAT: "a finite number",
    Type.INT: "a whole number of 64 bits",
    Type.STRING: "text",
}


def _typed(type: Type, value: Value) -> float | int | str | None:
    if type is Type.STRING:
        return value if isinstance(value, str) and _utf8(value) else None
    if isinstance(value, str):
        return None
    if type is Type.FLOAT:
        return float(value) if abs(value) < LARGEST else None
    if isinstance(value, float):
        return int(value) if value.is_integer() and _INT_MIN <= value <= _INT_MAX else None
    return int(value) if _INT_MIN <= value <= _INT_MAX else None


def _utf8(text: str) -> bool:
    """Whether it has no lone surrogate, which no store can keep."""
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def refuse_time(time: int, now: int, oldest: int) -> str | None:
    """Why a point of ``time`` is not taken at ``now``, or None.

    Args:
        oldest: the oldest time whose windows can still be rolled up; see
            `nodetide_core.stores.retention.oldest_accepted`.
    """
    if time < oldest:
        return "older than what can still be rolled up"
    if time > now + FUTURE:
        return "more than an hour in the future"
    return None
