"""Checks a document against a structural schema, and says every problem in words users act on."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any

from nodetide_core.durations import DURATION_PATTERN
from nodetide_core.errors import Problem
from nodetide_core.policy.instants import INSTANT_PATTERN

__all__ = ["check"]

#: Fields of one mapping that are named as unknown, before the rest is only counted.
_MOST_UNKNOWN = 10
#: By pattern, what people call what it describes.
_CALLED = {
    DURATION_PATTERN: "a duration such as 1s, 5m, 24h or 7d",
    INSTANT_PATTERN: "a time such as 2026-01-31T18:00:00Z",
}
_NAMES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
}

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


def check(value: Any, schema: dict[str, Any], path: str) -> Iterator[Problem]:
    """Problems of ``value``, each with its own path; none means it fits.

    Knows type, properties, required, additionalProperties, items, enum, pattern, minimum, maximum,
    minLength, maxLength, minItems, maxItems and maxProperties.  An unknown property is a problem
    here, though Kubernetes prunes it: a typo must not pass in silence.
    """
    kind: str = schema["type"]
    checked: Any = value
    if not isinstance(value, _TYPES[kind]) or (kind in ("integer", "number") and isinstance(value, bool)):
        yield Problem(path, _wrong_type(value, schema))
        return
    if kind == "object":
        yield from _check_object(checked, schema, path)
    elif kind == "array":
        yield from _check_array(checked, schema, path)
    elif kind == "string":
        yield from _check_string(checked, schema, path)
    elif kind in ("integer", "number"):
        low, high = schema.get("minimum"), schema.get("maximum")
        if (low is not None and value < low) or (high is not None and value > high):
            yield Problem(path, f"must be {low} to {high}, not {_show(value)}")


def _check_object(value: dict[Any, Any], schema: dict[str, Any], path: str) -> Iterator[Problem]:
    properties: dict[str, Any] = schema.get("properties", {})
    inner = schema.get("additionalProperties")
    for name in schema.get("required", ()):
        if name not in value:
            yield Problem(f"{path}.{name}", "is required")
    if len(value) > schema.get("maxProperties", len(value)):
        # No word on each of them: a document made to be huge must not make the answer huge.
        yield Problem(path, f"has {len(value)} entries; at most {schema['maxProperties']} are allowed")
        return
    unknown = 0
    for name, item in value.items():
        here = f"{path}.{name}"
        if not isinstance(name, str):
            yield Problem(path, f"the key {_show(name)} must be text; put it in quotes")
        elif name in properties:
            # An empty YAML value (`cpu:`) means "with its defaults" where an object is expected.
            yield from check(
                {} if item is None and properties[name]["type"] == "object" else item, properties[name], here
            )
        elif inner:
            yield from check(item, inner, here)
        elif (unknown := unknown + 1) <= _MOST_UNKNOWN:
            yield Problem(here, _unknown(name, tuple(properties)))
    if unknown > _MOST_UNKNOWN:
        yield Problem(path, f"has {unknown - _MOST_UNKNOWN} more fields that are none")


def _check_array(value: list[Any], schema: dict[str, Any], path: str) -> Iterator[Problem]:
    low, high = schema.get("minItems", 0), schema.get("maxItems")
    if len(value) < low or (high is not None and len(value) > high):
        allowed = str(low) if low == high else f"{low} to {high}"
        yield Problem(path, f"has {len(value)} entries; {allowed} are allowed")
        return
    for index, item in enumerate(value):
        yield from check(item, schema["items"], f"{path}[{index}]")


def _check_string(value: str, schema: dict[str, Any], path: str) -> Iterator[Problem]:
    low, high = schema.get("minLength", 0), schema.get("maxLength")
    if "enum" in schema:
        if value not in schema["enum"]:
            yield Problem(path, f"must be one of {', '.join(schema['enum'])}, not {_show(value)}")
    elif len(value) < low or (high is not None and len(value) > high):
        yield Problem(path, f"must have {low} to {high} characters, not {len(value)}")
    elif "pattern" in schema and not re.fullmatch(schema["pattern"], value):
        if called := _CALLED.get(schema["pattern"]):
            yield Problem(path, f"must be {called}, not {_show(value)}")
        else:
            yield Problem(path, f"must match {schema['pattern']}, and {_show(value)} does not")


def _wrong_type(value: Any, schema: dict[str, Any]) -> str:
    kind = schema["type"]
    if schema.get("pattern") == DURATION_PATTERN:
        return f"must be {_CALLED[DURATION_PATTERN]}, not {_show(value)}"
    # YAML reads `on` and `1.10` as something else than the text they look like.
    quotes = "; put it in quotes" if kind == "string" and not isinstance(value, (dict, list, type(None))) else ""
    return f"must be {_NAMES[kind]}, not {_show(value)}{quotes}"


def _show(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    for kind in ("object", "array"):
        if isinstance(value, _TYPES[kind]):
            return _NAMES[kind]
    if isinstance(value, int) and value.bit_length() > 128:
        return "a number of that size"
    text = repr(value) if isinstance(value, (str, int, float)) else f"the {type(value).__name__} {value}"
    return text if len(text) <= 60 else text[:57] + "..."


def _unknown(name: str, allowed: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, allowed, n=1, cutoff=0.6)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"is not a field{hint} (allowed: {', '.join(sorted(allowed))})"
