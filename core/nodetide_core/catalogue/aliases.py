"""Short names users ask for (``cpu``, ``memory``) and what they select."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from nodetide_core.catalogue.measurements import CATALOGUE
from nodetide_core.catalogue.model import Kind
from nodetide_core.errors import QueryError

__all__ = ["ALIASES", "Alias", "Selection", "select"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Fields of one measurement, narrowed by exact tag values."""

    measurement: str
    fields: tuple[str, ...]
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Alias:
    """A short name for a selection."""

    name: str
    selection: Selection
    help: str


_ALL = (
    Alias("cpu", Selection("cpu", ("usage_active",), (("cpu", "cpu-total"),)), "Busy share of all CPUs together."),
    Alias("memory", Selection("mem", ("used_percent",)), "Share of memory in use."),
    Alias("swap", Selection("swap", ("used_percent",)), "Share of swap in use."),
    Alias("disk", Selection("disk", ("used_percent",)), "Share of each file system in use."),
    Alias("diskio", Selection("diskio", ("read_bytes", "write_bytes")), "Bytes read and written per disk."),
    Alias("network", Selection("net", ("bytes_recv", "bytes_sent")), "Bytes received and sent per interface."),
    Alias("load", Selection("system", ("load1", "load5", "load15")), "Load averages."),
    Alias("pressure", Selection("pressure", ("avg10",)), "Share of time that tasks waited for a resource."),
)

ALIASES: dict[str, Alias] = {alias.name: alias for alias in _ALL}


def select(metric: str) -> Selection:
    """What ``metric`` (an alias, ``measurement`` or ``measurement.field``) selects.

    Text fields are left out of a whole measurement: they have no history worth drawing.

    Raises:
        QueryError: the catalogue has no such metric; the message offers the nearest names.
    """
    alias = ALIASES.get(metric)
    if alias is not None:
        return alias.selection
    measurement, _, field = metric.partition(".")
    known = CATALOGUE.get(measurement)
    if known is None:
        raise QueryError("metric", f"{metric!r} is not known{_nearest(metric)}; see /api/v1/catalogue")
    if not field:
        return Selection(measurement, tuple(f.name for f in known.fields if f.kind is not Kind.INFO))
    if field not in known.by_name:
        raise QueryError("metric", f"{measurement!r} has no field {field!r}{_nearest(metric)}; see /api/v1/catalogue")
    return Selection(measurement, (field,))


def _nearest(metric: str) -> str:
    names = dict.fromkeys([*ALIASES, *CATALOGUE.names, *(f"{m.name}.{f.name}" for m in CATALOGUE for f in m.fields)])
    close = difflib.get_close_matches(metric, names, n=3, cutoff=0.6)
    return f"; did you mean {', '.join(close)}?" if close else f"; the short names are {', '.join(ALIASES)}"
