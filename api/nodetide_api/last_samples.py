"""When each node last had a sample of each measurement, for Prometheus, which else cannot tell silence from absence."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.metrics_core import Metric

from nodetide_core.alerts.promql import LAST_SAMPLE
from nodetide_core.catalogue import CATALOGUE, label_name
from nodetide_core.points import Point

__all__ = ["last_samples"]

_OWN_TAGS = {measurement.name: frozenset(tag.name for tag in measurement.tags) for measurement in CATALOGUE}


def last_samples(points: Iterable[Point]) -> Metric:
    """The newest time of the points of a measurement, by the labels that all series of a node have.

    It stays where a node falls silent, as long as the points are given.
    """
    newest: dict[tuple[tuple[str, str], ...], int] = {}
    for point in points:
        own = _OWN_TAGS.get(point.measurement)
        if own is None:
            continue
        labels = {label_name(key): value for key, value in point.tags if key not in own}
        key = tuple(sorted({**labels, "measurement": point.measurement}.items()))
        newest[key] = max(point.time, newest.get(key, point.time))
    family = Metric(LAST_SAMPLE, "Time of the newest sample of a measurement, of silent hosts, too.", "gauge")
    for key, time in newest.items():
        family.add_sample(family.name, dict(key), float(time))
    return family
