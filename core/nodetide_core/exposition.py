"""Points and alerts as Prometheus metric families, points named and explained by the catalogue.

prometheus_client is imported only when families are made, so that whoever serves none needs none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from nodetide_core.alerts.model import Phase
from nodetide_core.alerts.ports import AlertRecord
from nodetide_core.catalogue import CATALOGUE, Kind, Measurement, label_name, prometheus_name
from nodetide_core.points import Point, SeriesKey

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

__all__ = ["alert_states", "metric_families"]

_PHASES = {Phase.PENDING: 1.0, Phase.FIRING: 2.0}


def metric_families(points: Iterable[Point]) -> Iterator[Metric]:
    """One family per field that occurs, in the order of the catalogue; tags become labels.

    Text fields become labels of ``nodetide_<measurement>_info``, whose value is 1.  Of several points
    of one series the newest counts, the last one given where they are of the same time.
    Measurements and fields that the catalogue does not have are left out.
    """
    newest: dict[SeriesKey, Point] = {}
    for point in points:
        before = newest.get(point.key)
        if before is None or point.time >= before.time:
            newest[point.key] = point
    by_measurement: dict[str, list[tuple[dict[str, str], Point]]] = {}
    for point in newest.values():
        by_measurement.setdefault(point.measurement, []).append((_labels(point.tags), point))
    for measurement in CATALOGUE:
        found = by_measurement.get(measurement.name)
        if found:
            yield from _values(measurement, found)
            yield from _info(measurement, found)


def _values(measurement: Measurement, points: list[tuple[dict[str, str], Point]]) -> Iterator[Metric]:
    from prometheus_client.metrics_core import Metric

    for field in measurement.fields:
        if field.kind is Kind.INFO:
            continue
        name = prometheus_name(measurement, field)
        # A family is named without the suffix that its samples carry.
        family = (
            Metric(name.removesuffix("_total"), field.help, "counter")
            if field.kind is Kind.COUNTER
            else Metric(name, field.help, "gauge")
        )
        for labels, point in points:
            value = point.fields.get(field.name)
            if value is not None and not isinstance(value, str):
                family.add_sample(name, labels, float(value))
        if family.samples:
            yield family


def _info(measurement: Measurement, points: list[tuple[dict[str, str], Point]]) -> Iterator[Metric]:
    from prometheus_client.metrics_core import Metric

    names = [field.name for field in measurement.fields if field.kind is Kind.INFO]
    family = Metric(f"nodetide_{measurement.name}", measurement.help, "info")
    for labels, point in points:
        texts = {name: str(point.fields[name]) for name in names if name in point.fields}
        if texts:
            family.add_sample(f"{family.name}_info", {**labels, **texts}, 1.0)
    if family.samples:
        yield family


def alert_states(records: Iterable[AlertRecord]) -> Iterator[Metric]:
    """The family ``nodetide_alert_state``: alerts that are pending (1) or fire (2), by their labels.

    Of several whose labels come out alike, the one that fires counts.
    """
    from prometheus_client.metrics_core import Metric

    found: dict[tuple[tuple[str, str], ...], float] = {}
    for record in records:
        value = _PHASES.get(record.state.phase)
        if value is not None:
            labels = tuple(sorted(_labels(sorted(record.labels.items())).items()))
            found[labels] = max(value, found.get(labels, value))
    if found:
        family = Metric("nodetide_alert_state", "Alerts of policies: 1 pending, 2 firing.", "gauge")
        for labels, value in found.items():
            family.add_sample(family.name, dict(labels), value)
        yield family


def _labels(tags: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Labels of tags; a key that Prometheus does not take is spelled with underscores, and of two
    that come out alike the first counts."""
    labels: dict[str, str] = {}
    for key, value in tags:
        labels.setdefault(label_name(key), value)
    return labels
