"""The Flux of dashboards: names come from the catalogue, or there is no dashboard."""

from __future__ import annotations

import pytest
from hack.grafana.boards.flux import newest, over_time


def test_gauges_are_averaged_and_counters_become_rates():
    gauge = over_time("mem", ["used_percent"], {})
    assert "fn: mean" in gauge
    assert "derivative" not in gauge
    counter = over_time("net", ["bytes_recv", "bytes_sent"], {})
    assert counter.index("fn: last") < counter.index("derivative(unit: 1s, nonNegative: true)")


def test_tags_are_values_or_expressions():
    assert 'r.cpu == "cpu-total"' in newest("cpu", ["usage_active"], {"cpu": "cpu-total"})
    assert "r.cpu =~ /^cpu[0-9]+$/" in newest("cpu", ["usage_active"], {"cpu": "/^cpu[0-9]+$/"})


@pytest.mark.parametrize(
    ("measurement", "fields", "tags", "named"),
    [
        ("memory", ["used_percent"], {}, "memory is not in the catalogue"),
        ("mem", ["used_percentage"], {}, "mem has no used_percentage"),
        ("cpu", ["usage_active"], {"core": "1"}, "cpu has no core"),
        ("diskio", ["read_bytes", "io_util"], {}, "not of one kind"),
    ],
)
def test_what_is_not_in_the_catalogue_is_refused(measurement: str, fields: list[str], tags: dict[str, str], named: str):
    with pytest.raises(ValueError, match=named):
        over_time(measurement, fields, tags)


def test_a_counter_has_no_newest_value():
    with pytest.raises(ValueError, match="counter"):
        newest("net", ["bytes_recv"], {})
