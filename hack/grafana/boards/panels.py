"""Panels and dashboards, and the JSON that Grafana takes (dashboard schema 41, Grafana 12)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from nodetide_core.catalogue import CATALOGUE, Kind, Unit

from . import flux

__all__ = ["Age", "AlertTable", "AlertTimeline", "Board", "Count", "Panel", "Ranking", "Row", "Stat"]

_SOURCE = {"type": "influxdb", "uid": "nodetide"}
_WIDE = 24
_ALL = {"multi": True, "includeAll": True, "allValue": ".*", "current": {"text": "All", "value": "$__all"}}
#: Grafana's units, of values and of rates a second; whatever the catalogue may have is here.
_UNITS = {
    Unit.PERCENT: "percent",
    Unit.BYTES: "bytes",
    Unit.SECONDS: "s",
    Unit.MILLISECONDS: "ms",
    Unit.MICROSECONDS: "µs",
    Unit.KILOHERTZ: "suffix: kHz",
    Unit.MEGABITS: "Mbits",
    Unit.CELSIUS: "celsius",
    Unit.COUNT: "short",
    Unit.PAGES: "short",
    Unit.TIMESTAMP: "dateTimeFromNow",
    Unit.NONE: "short",
}
_RATES = {
    Unit.BYTES: "Bps",
    Unit.COUNT: "cps",
    Unit.PAGES: "cps",
    Unit.SECONDS: "percentunit",
    Unit.MILLISECONDS: "ms",
    Unit.MICROSECONDS: "µs",
}


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
        query = flux.newest(self.measurement, [self.name], self.tags)
        unit = _unit(self.measurement, self.name)
        return _large(
            self.title, query, {"unit": unit, "displayName": self.legend, "thresholds": _thresholds(self.levels)}
        )


@dataclass(frozen=True, slots=True)
class Ranking:
    """The largest values, as bars."""

    title: str
    measurement: str
    name: str
    legend: str
    tags: Mapping[str, str] = field(default_factory=dict)
    levels: tuple[float, float] | None = None
    most: float | None = None
    width: int = 8
    height: int = 8

    def render(self) -> dict[str, Any]:
        return {
            "type": "bargauge",
            "title": self.title,
            "datasource": _SOURCE,
            "targets": [_target(flux.ranked(self.measurement, self.name, self.tags))],
            # Rows become bars; without it, Grafana makes one of all.
            "transformations": [{"id": "rowsToFields", "options": {"mappings": _bars(self.legend)}}],
            "fieldConfig": {
                "defaults": {
                    "unit": _unit(self.measurement, self.name),
                    "min": 0,
                    **({} if self.most is None else {"max": self.most}),
                    "thresholds": _thresholds(self.levels),
                },
                "overrides": [],
            },
            "options": {
                "orientation": "horizontal",
                "displayMode": "lcd",
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            },
        }


@dataclass(frozen=True, slots=True)
class Count:
    """How many hosts there are."""

    title: str
    measurement: str
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    width: int = 4
    height: int = 5

    def render(self) -> dict[str, Any]:
        query = flux.counted(self.measurement, self.name, self.tags)
        return _large(self.title, query, {"unit": "short", "thresholds": _thresholds(None)})


@dataclass(frozen=True, slots=True)
class Age:
    """How old the newest point of each host is."""

    title: str
    measurement: str
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    levels: tuple[float, float] | None = None
    width: int = 12
    height: int = 5

    def render(self) -> dict[str, Any]:
        query = flux.age(self.measurement, self.name, self.tags)
        shown = {"unit": "s", "displayName": "${__field.labels.host}", "thresholds": _thresholds(self.levels)}
        return _large(self.title, query, shown)


@dataclass(frozen=True, slots=True)
class AlertTable:
    """The alerts that fire."""

    title: str
    width: int = 24
    height: int = 10

    def render(self) -> dict[str, Any]:
        return {
            "type": "table",
            "title": self.title,
            "datasource": _SOURCE,
            "targets": [_target(flux.ALERTS_FIRING)],
            "fieldConfig": {"defaults": {}, "overrides": []},
            "options": {"showHeader": True},
        }


@dataclass(frozen=True, slots=True)
class AlertTimeline:
    """When each alert was pending, and when it fired."""

    title: str
    width: int = 24
    height: int = 12

    def render(self) -> dict[str, Any]:
        names = {"0": ("inactive", "green"), "1": ("pending", "yellow"), "2": ("firing", "red")}
        mapped = {value: {"text": text, "color": color} for value, (text, color) in names.items()}
        legend = "${__field.labels.alert} ${__field.labels.severity} ${__field.labels.series}"
        return {
            "type": "state-timeline",
            "title": self.title,
            "datasource": _SOURCE,
            "targets": [_target(flux.ALERTS_OVER_TIME)],
            "fieldConfig": {
                "defaults": {"displayName": legend, "mappings": [{"type": "value", "options": mapped}]},
                "overrides": [],
            },
            "options": {"mergeValues": True, "showValue": "auto", "rowHeight": 0.8},
        }


class Drawn(Protocol):
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    def render(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Row:
    """A heading, and the panels below it, from left to right and then down."""

    title: str
    panels: Sequence[Drawn]


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard with the variables ``policy``, ``bucket`` (a tier), ``cluster`` and ``host``.

    Attributes:
        one_host: whether it shows one host at a time.
    """

    uid: str
    title: str
    description: str
    rows: Sequence[Row]
    one_host: bool = False

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
                    _variable("policy", "Policy", flux.POLICIES),
                    # Sorted by the query, and asked again as the time changes: the first is the finest it affords.
                    {**_variable("bucket", "Tier", flux.TIERS), "refresh": 2, "sort": 0},
                    {**_variable("cluster", "Cluster", flux.CLUSTERS), **_ALL},
                    {**_variable("host", "Host", flux.HOSTS), **({} if self.one_host else _ALL)},
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


def _large(title: str, query: str, shown: Mapping[str, Any]) -> dict[str, Any]:
    """A panel with one large value for each series."""
    return {
        "type": "stat",
        "title": title,
        "datasource": _SOURCE,
        "targets": [_target(query)],
        "fieldConfig": {"defaults": dict(shown), "overrides": []},
        "options": {
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "textMode": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        },
    }


def _thresholds(levels: tuple[float, float] | None) -> dict[str, Any]:
    """From which value on it is yellow, and red; none, and it is green."""
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if levels is not None:
        steps += [{"color": "yellow", "value": levels[0]}, {"color": "red", "value": levels[1]}]
    return {"mode": "absolute", "steps": steps}


def _bars(name: str) -> list[dict[str, str]]:
    return [{"fieldName": name, "handlerKey": "field.name"}, {"fieldName": "_value", "handlerKey": "field.value"}]


def _target(query: str) -> dict[str, Any]:
    return {"refId": "A", "datasource": _SOURCE, "query": query}


def _place(left: int, top: int, width: int, height: int) -> dict[str, int]:
    return {"x": left, "y": top, "w": width, "h": height}


def _unit(measurement: str, name: str) -> str:
    known = CATALOGUE[measurement].by_name[name]
    return _RATES[known.unit] if known.kind is Kind.COUNTER else _UNITS[known.unit]
