"""Nothing leaves that the catalogue does not know, or with another type than it says."""

from __future__ import annotations

import math
from collections import Counter

from nodetide_collector.probe import Reading
from nodetide_core.catalogue import CATALOGUE, Type
from nodetide_core.points import Value

__all__ = ["conform", "conforming"]

_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1
_PYTHON: dict[Type, type] = {Type.FLOAT: float, Type.INT: int, Type.STRING: str}
_TYPES = {m.name: {f.name: _PYTHON[f.type] for f in m.fields} for m in CATALOGUE}


def conforming(reading: Reading) -> Reading:
    """The reading, less what may not leave, which is counted among what it skipped.

    Raises:
        TypeError, AttributeError: a sample is no `Sample`.
    """
    changed = False
    for index, sample in enumerate(reading.samples):
        hash(sample.tags)
        fields = conform(sample.measurement, sample.fields, reading.skipped)
        if fields is not sample.fields:
            reading.samples[index] = sample._replace(fields=fields)
            changed = True
    if changed:
        reading.samples = [sample for sample in reading.samples if sample.fields]
    return reading


def conform(measurement: str, fields: dict[str, Value], problems: Counter[str]) -> dict[str, Value]:
    """The fields that may leave: ``fields`` itself where all may, which is the rule.

    A whole number of a float field becomes a float.  Everything else that does not fit is left out
    and counted in ``problems`` by a short reason.
    """
    known = _TYPES.get(measurement)
    if known is None:
        problems["measurement not in the catalogue"] += 1
        return {}
    for name, value in fields.items():
        kind = type(value)
        if kind is not known.get(name) or _unwritable(value):
            return _repaired(known, fields, problems)
    return fields


def _unwritable(value: Value) -> str:
    """Why a value of the right type has no line, or nothing."""
    if isinstance(value, float):
        return "" if math.isfinite(value) else "not finite"
    if isinstance(value, int):
        return "" if _INT_MIN <= value <= _INT_MAX else "beyond 64 bits"
    return "" if value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value) else "not Unicode"


def _repaired(known: dict[str, type], fields: dict[str, Value], problems: Counter[str]) -> dict[str, Value]:
    kept: dict[str, Value] = {}
    for name, value in fields.items():
        expected = known.get(name)
        if expected is None:
            problems["field not in the catalogue"] += 1
            continue
        fitting = _as_float(value) if type(value) is int and expected is float else value
        if type(fitting) is not expected:
            problems["field of the wrong type"] += 1
        elif reason := _unwritable(fitting):
            problems[f"value {reason}"] += 1
        else:
            kept[name] = fitting
    return kept


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf
