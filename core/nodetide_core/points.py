"""Points: what a probe saw of one series at one second."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

__all__ = ["Point", "SeriesKey", "Tags", "Value", "make_tags", "tag", "writable"]

#: Tags as sorted (key, value) pairs: hashable, and in the order InfluxDB wants them.
Tags: TypeAlias = tuple[tuple[str, str], ...]
Value: TypeAlias = float | int | str | bool


class SeriesKey(NamedTuple):
    """A measurement with its tags: what InfluxDB calls a series, less the field."""

    measurement: str
    tags: Tags


class Point(NamedTuple):
    """Fields of one series at one time.

    Attributes:
        measurement: a name of the catalogue.
        tags: sorted, without empty values.
        fields: by name; floats are finite.
        time: Unix seconds, UTC.
    """

    measurement: str
    tags: Tags
    fields: Mapping[str, Value]
    time: int

    @property
    def key(self) -> SeriesKey:
        return SeriesKey(self.measurement, self.tags)


#: What line protocol cannot carry in a tag: control characters (a newline ends the line), lone surrogates, and a
#: backslash that would swallow the separator behind it.
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]|\\(?=[,= \\]|\Z)")


def make_tags(pairs: Mapping[str, str] | Iterable[tuple[str, str]]) -> Tags:
    """Sorted tags, without those whose value is empty (InfluxDB refuses an empty tag value).

    Line protocol has no way to write control characters in a tag, nor a backslash at its end or
    before a separator: the first become ``_``, the second ``/``, here, so that every store and
    every reader sees the same value.  Of several values of one key, the last counts.
    """
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    return tuple(sorted({writable(key): writable(value) for key, value in items if key and value}.items()))


def writable(text: str) -> str:
    """``text`` as line protocol can carry it in a name or a tag; see `make_tags`."""
    return _UNWRITABLE.sub(lambda match: "/" if match[0] == "\\" else "_", text)


def tag(tags: Tags, name: str) -> str | None:
    """The value of one tag, or None."""
    for key, value in tags:
        if key == name:
            return value
    return None
