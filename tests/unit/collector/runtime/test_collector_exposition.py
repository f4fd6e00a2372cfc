from __future__ import annotations

import math
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from nodetide_core.catalogue import CATALOGUE, Kind, Type, prometheus_name
from nodetide_core.exposition import metric_families
from nodetide_core.points import Point, Value, make_tags


class Registry:
    def __init__(self, points: Iterable[Point]) -> None:
        self.points = points

    def collect(self) -> object:
        return metric_families(self.points)


def scraped(points: Iterable[Point]) -> dict[tuple[str, frozenset[tuple[str, str]]], tuple[str, float]]:
    """By sample name and labels: the family's type and the value, as a Prometheus client reads them."""
    text = generate_latest(Registry(points)).decode()  # type: ignore[arg-type]
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, "a sample stands twice"
            found[key] = (family.type, sample.value)
    return found


def everything() -> list[Point]:
    """Every field of the catalogue once."""
    values: dict[Type, Value] = {Type.FLOAT: 1.5, Type.INT: 7, Type.STRING: "text"}
    found = []
    for measurement in CATALOGUE:
        tags = make_tags({"host": "n", **{t.name: "x" for t in measurement.tags}})
        found.append(Point(measurement.name, tags, {f.name: values[f.type] for f in measurement.fields}, 1))
    return found


def test_every_field_of_the_catalogue_is_there_under_its_name_and_kind() -> None:
    found = {name: kind for (name, _), (kind, _) in scraped(everything()).items()}
    for measurement in CATALOGUE:
        for field in measurement.fields:
            if field.kind is not Kind.INFO:
                assert found.pop(prometheus_name(measurement, field)) == field.kind.value
    assert set(found) == {"nodetide_collector_info"}


def test_values_labels_and_help() -> None:
    points = [
        Point("net", make_tags({"host": "n", "interface": "eth0"}), {"bytes_recv": 2**53, "speed": -1}, 1),
        Point("net", make_tags({"host": "n", "interface": "eth1"}), {"bytes_recv": 5}, 1),
    ]
    found = scraped(points)
    eth0 = frozenset({("host", "n"), ("interface", "eth0")})
    eth1 = frozenset({("host", "n"), ("interface", "eth1")})
    assert found["nodetide_net_bytes_recv_total", eth0] == ("counter", float(2**53))
    assert found["nodetide_net_bytes_recv_total", eth1] == ("counter", 5.0)
    assert found["nodetide_net_speed_megabits", eth0] == ("gauge", -1.0)
    help_ = {f.name: f.documentation for f in metric_families(points)}
    assert help_["nodetide_net_bytes_recv"] == "Bytes received."


def test_text_fields_are_labels_of_an_info_metric() -> None:
    found = scraped([Point("collector", make_tags({"group": "all"}), {"policy_hash": 'a"b\\c'}, 1)])
    assert found == {
        ("nodetide_collector_info", frozenset({("group", "all"), ("policy_hash", 'a"b\\c')})): ("gauge", 1.0)
    }


def test_of_one_series_the_newest_point_counts() -> None:
    points = [Point("mem", (), {"total": value}, time) for time, value in ((2, 20), (1, 10), (2, 21))]
    assert list(scraped(points).values()) == [("gauge", 21.0)]


@settings(deadline=None)
@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(min_size=1, max_size=8), max_size=5))
def test_any_tags_make_a_text_that_parses(tags: dict[str, str]) -> None:
    found = scraped([Point("mem", make_tags(tags), {"total": 1, "used_percent": 0.1}, 1)])
    assert {name for name, _ in found} == {"nodetide_mem_total_bytes", "nodetide_mem_used_percent"}


def test_label_names_are_spelled_as_prometheus_takes_them() -> None:
    tags = make_tags(
        {"topology.kubernetes.io/zone": "a", "topology-kubernetes.io/zone": "b", "1st": "c", "__name__": "d"}
    )
    ((_, labels),) = scraped([Point("mem", tags, {"total": 1}, 1)])
    assert dict(labels)["tag_1st"] == "c"
    assert dict(labels)["tag_name__"] == "d"
    assert dict(labels)["topology_kubernetes_io_zone"] in ("a", "b")


def test_what_the_catalogue_does_not_have_is_left_out() -> None:
    assert scraped([Point("mine", (), {"x": 1}, 1), Point("mem", (), {"mine": 1}, 1)]) == {}


def test_extreme_values_survive() -> None:
    found = scraped([Point("mem", (), {"total": 2**63 - 1, "used_percent": 5e-324}, 1)])
    assert [value for _, value in found.values()] == [float(2**63 - 1), 5e-324]
    assert all(math.isfinite(value) for _, value in found.values())
