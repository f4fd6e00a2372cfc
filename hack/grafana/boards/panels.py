"""Panels and dashboards, and the JSON that Grafana takes (dashboard schema 41, Grafana 12)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nodetide_core.catalogue import CATALOGUE, Kind, Unit

from . import flux

__all__ = ["Board", "Panel", "Row", "Stat"]

_SOURCE = {"type": "influxdb", "uid": "nodetide"}
_WIDE = 24
_UNITS = {
    Unit.PERCENT: "percent",
    Unit.BYTES: "bytes",
    Unit.SECONDS: "s",
    Unit.COUNT: "short",
    Unit.NONE: "short",
}
_RATES = {Unit.BYTES: "Bps", Unit.COUNT: "cps", Unit.PAGES: "cps"}


@dataclass(frozen=True, slots=True)
class Panel:
    """A chart over time.

    Attributes:
        tags: by name, what a tag must be: a value, or a regular expression between slashes.
        legend: what names a line, of Grafana's ``${__field…}``.
        stacked: one on the other, filled.
        most: where the axis ends, if it always does.
        width, height: of 24 columns, and rows.
    """

    title: str
    measurement: str
    fields: Sequence[str]
    legend: str
    tags: Mapping[str, str] = field(default_factory=dict)
    stacked: bool = False
    most: float | None = None
    width: int = 12
    height: int = 8

    def render(self) -> dict[str, Any]:
        drawn = {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 40 if self.stacked else 10,
            "showPoints": "never",
            # A hole in the data is to be seen; but on a coarser tier points are far apart.
            "spanNulls": False,
            "stacking": {"mode": "normal" if self.stacked else "none", "group": "A"},
        }
        return {
            "type": "timeseries",
            "title": self.title,
            "datasource": _SOURCE,
            "targets": [_target(flux.over_time(self.measurement, self.fields, self.tags))],
            "fieldConfig": {
                "defaults": {
                    "unit": _unit(self.measurement, self.fields[0]),
                    "min": 0,
                    **({} if self.most is None else {"max": self.most}),
                    "displayName": self.legend,
                    "custom": drawn,
                },
                "overrides": [],
            },
            "options": {
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
                "tooltip": {"mode": "multi", "sort": "desc"},
            },
        }


@dataclass(frozen=True, slots=True)
class Stat:
    """The newest value, large, for each host.

    Attributes:
        levels: from which value on it is yellow, and red; none, and it is green.
    """

    title: str
    measurement: str
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    levels: tuple[float, float] | None = None
    legend: str = "${__field.labels.host}"
    width: int = 4
    height: int = 5

    def render(self) -> dict[str, Any]:
        steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
        if self.levels is not None:
            steps += [{"color": "yellow", "value": self.levels[0]}, {"color": "red", "value": self.levels[1]}]
        return {
            "type": "stat",
            "title": self.title,
            "datasource": _SOURCE,
            "targets": [_target(flux.newest(self.measurement, [self.name], self.tags))],
            "fieldConfig": {
                "defaults": {
                    "unit": _unit(self.measurement, self.name),
                    "displayName": self.legend,
                    "thresholds": {"mode": "absolute", "steps": steps},
                },
                "overrides": [],
            },
            "options": {
                "colorMode": "value",
                "graphMode": "none",
                "justifyMode": "auto",
                "textMode": "auto",
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            },
        }


@dataclass(frozen=True, slots=True)
class Row:
    """A heading, and the panels below it, from left to right and then down."""

    title: str
    panels: Sequence[Panel | Stat]


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard with the variables ``bucket`` (a tier) and ``host``."""

    uid: str
    title: str
    description: str
    rows: Sequence[Row]

    def render(self) -> dict[str, Any]:
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["nodetide"],
            "schemaVersion": 41,
            "version": 1,
            "editable": True,
            "graphTooltip": 1,
            "refresh": "10s",
            "time": {"from": "now-1h", "to": "now"},
            "timezone": "browser",
            "templating": {
                "list": [
                    _variable("bucket", "Tier", flux.BUCKETS),
                    {**_variable("host", "Host", flux.HOSTS), "multi": True, "includeAll": True, "allValue": ".*"},
                ]
            },
            "panels": [{"id": number, **panel} for number, panel in enumerate(self._placed(), 1)],
        }

    def _placed(self) -> Iterator[dict[str, Any]]:
        top = 0
        for row in self.rows:
            yield {
                "type": "row",
                "title": row.title,
                "collapsed": False,
                "panels": [],
                "gridPos": _place(0, top, 24, 1),
            }
            top, left, height = top + 1, 0, 0
            for panel in row.panels:
                if left + panel.width > _WIDE:
                    top, left, height = top + height, 0, 0
                yield {**panel.render(), "gridPos": _place(left, top, panel.width, panel.height)}
                left, height = left + panel.width, max(height, panel.height)
            top += height


def _variable(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": _SOURCE,
        "query": query,
        "definition": query,
        "refresh": 1,
        "sort": 1,
    }


def _target(query: str) -> dict[str, Any]:
    return {"refId": "A", "datasource": _SOURCE, "query": query}


def _place(left: int, top: int, width: int, height: int) -> dict[str, int]:
    return {"x": left, "y": top, "w": width, "h": height}


def _unit(measurement: str, name: str) -> str:
    known = CATALOGUE[measurement].by_name[name]
    return _RATES[known.unit] if known.kind is Kind.COUNTER else _UNITS[known.unit]
