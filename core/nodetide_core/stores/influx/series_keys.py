"""Series as the index writes them: a measurement and its tags in one text.  Pure."""

from __future__ import annotations

from collections.abc import Iterable

from nodetide_core.points import Tags

__all__ = ["hosts_among", "series_key"]

_ESCAPE = "\\"


def series_key(measurement: str, tags: Tags) -> str:
    """As the index writes a series, as long as nothing in it is escaped."""
    return ",".join([measurement, *(f"{name}={value}" for name, value in tags)])


def hosts_among(keys: Iterable[str]) -> frozenset[str] | None:
    """The hosts of these series, an empty name for those without one; None where they cannot be told, because something
    is escaped."""
    hosts = set()
    for key in keys:
        if _ESCAPE in key:
            return None
        tags = dict(part.partition("=")[::2] for part in key.split(",")[1:])
        hosts.add(tags.get("host", ""))
    return frozenset(hosts)
