from __future__ import annotations

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.catalogue import (
    ALIASES,
    CATALOGUE,
    Catalogue,
    Field,
    Kind,
    Measurement,
    Selection,
    Type,
    Unit,
    prometheus_name,
    select,
)
from nodetide_core.errors import QueryError
from nodetide_core.rollup import CounterRollup, GaugeRollup

MEASUREMENTS = list(CATALOGUE)
FIELDS = [(measurement, field) for measurement in MEASUREMENTS for field in measurement.fields]
#: Names Telegraf writes with a hyphen: they are those of files in /proc/sys/fs.
HYPHENATED = "linux_sysctl_fs"


@pytest.mark.parametrize("measurement", MEASUREMENTS, ids=lambda m: m.name)
def test_names_are_telegrafs_kind_of_names(measurement: Measurement):
    name = r"[a-z][a-z0-9]*([_-][a-z0-9]+)*" if measurement.name == HYPHENATED else r"[a-z][a-z0-9]*(_[a-z0-9]+)*"
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", measurement.name)
    for item in (*measurement.fields, *measurement.tags):
        assert re.fullmatch(name, item.name), item.name


@pytest.mark.parametrize("measurement", MEASUREMENTS, ids=lambda m: m.name)
def test_everything_is_explained_in_whole_sentences(measurement: Measurement):
    for item in (measurement, *measurement.fields, *measurement.tags):
        assert item.help.endswith(".") and not item.help.endswith(".."), item.name
        assert item.help == item.help.strip() and "\n" not in item.help
        # A sentence begins with a capital, unless it begins with a name.
        assert not item.help[0].islower() or item.help.split()[0] in {f.name for f in measurement.fields}, item.help


@pytest.mark.parametrize("measurement", MEASUREMENTS, ids=lambda m: m.name)
def test_a_measurement_is_consistent(measurement: Measurement):
    tags = [tag.name for tag in measurement.tags]
    assert len(set(tags)) == len(tags)
    assert "host" not in tags and not set(tags) & set(measurement.by_name)
    assert measurement.filter_tag is None or measurement.filter_tag in tags
    assert measurement.interval is None or 1 <= measurement.interval <= 3600
    assert measurement.fields


@pytest.mark.parametrize(("measurement", "field"), FIELDS, ids=lambda item: item.name)
def test_type_unit_and_kind_go_together(measurement: Measurement, field: Field):
    assert (field.type is Type.STRING) == (field.kind is Kind.INFO)
    if field.unit in (Unit.PERCENT, Unit.CELSIUS):
        assert (field.type, field.kind) == (Type.FLOAT, Kind.GAUGE)
    if field.unit in (Unit.BYTES, Unit.PAGES, Unit.KILOHERTZ, Unit.TIMESTAMP):
        assert field.type is Type.INT


def test_rollup_fields_meet_no_field_of_the_catalogue():
    """A tier holds `f_min`, `f_max`, `f_count` of a gauge and `f_increase`, `f_seconds` of a counter."""
    assert GaugeRollup._fields[1:3] == ("min", "max")
    assert CounterRollup._fields[1:] == ("increase", "seconds")
    for measurement, field in FIELDS:
        ends = ("min", "max", "count") if field.kind is Kind.GAUGE else ("increase", "seconds")
        assert not {f"{field.name}_{end}" for end in ends} & set(measurement.by_name)


def test_prometheus_names_are_valid_and_each_is_one_fields():
    names = [prometheus_name(measurement, field) for measurement, field in FIELDS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"nodetide_[a-z0-9_]+", name) for name in names)


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        ("cpu.usage_active", "nodetide_cpu_usage_active_percent"),
        ("cpu.time_user", "nodetide_cpu_time_user_seconds_total"),
        ("mem.used", "nodetide_mem_used_bytes"),
        ("mem.used_percent", "nodetide_mem_used_percent"),
        ("net.bytes_recv", "nodetide_net_bytes_recv_total"),
        ("net.err_in", "nodetide_net_err_in_total"),
        ("diskio.io_time", "nodetide_diskio_io_time_milliseconds_total"),
        ("system.load1", "nodetide_system_load1"),
        ("linux_sysctl_fs.file-nr", "nodetide_linux_sysctl_fs_file_nr"),
    ],
)
def test_prometheus_names_by_example(metric: str, name: str):
    measurement, field = metric.split(".")
    assert prometheus_name(CATALOGUE[measurement], CATALOGUE[measurement].by_name[field]) == name


def test_prometheus_names_of_counters_alone_say_unit_and_total():
    for measurement, field in FIELDS:
        name = prometheus_name(measurement, field)
        assert field.kind is not Kind.COUNTER or name.endswith("_total")
        if field.unit not in (Unit.COUNT, Unit.NONE):
            assert field.unit.value in name.split("_")


@pytest.mark.parametrize("alias", ALIASES.values(), ids=lambda alias: alias.name)
def test_aliases_select_what_the_catalogue_has(alias):  # type: ignore[no-untyped-def]
    chosen = select(alias.name)
    assert chosen == alias.selection
    measurement = CATALOGUE[chosen.measurement]
    assert chosen.fields and set(chosen.fields) <= set(measurement.by_name)
    assert {key for key, _ in chosen.tags} <= {tag.name for tag in measurement.tags}
    # One axis for all of them.
    assert len({(measurement.by_name[f].unit, measurement.by_name[f].kind) for f in chosen.fields}) == 1
    assert alias.help.endswith(".")


def test_the_short_names_of_the_api_are_there():
    assert {"cpu", "memory", "swap", "disk", "network", "load"} <= set(ALIASES)


@pytest.mark.parametrize(("measurement", "field"), FIELDS, ids=lambda item: item.name)
def test_every_field_can_be_selected(measurement: Measurement, field: Field):
    assert select(f"{measurement.name}.{field.name}") == Selection(measurement.name, (field.name,))


def test_a_whole_measurement_is_selected_less_its_text():
    assert select("mem") == Selection("mem", tuple(CATALOGUE["mem"].by_name))
    assert set(CATALOGUE["collector"].by_name) - set(select("collector").fields) == {"policy_hash"}


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("memry", "metric: 'memry' is not known; did you mean memory"),
        ("cpu.usage_actve", "metric: 'cpu' has no field 'usage_actve'; did you mean cpu.usage_active"),
        ("nonsense", "metric: 'nonsense' is not known; the short names are cpu, memory, swap, disk, diskio, network"),
        ("", "metric: '' is not known; the short names are"),
        (".", "metric: '.' is not known"),
        ("cpu.", None),
        ("CPU", "metric: 'CPU' is not known"),
        ("cpu.usage_active.x", "metric: 'cpu' has no field 'usage_active.x'; did you mean cpu.usage_active"),
        ("memory.used", "metric: 'memory.used' is not known; did you mean mem.used"),
    ],
)
def test_what_is_not_known_is_refused_with_the_nearest_names(metric: str, message: str | None):
    if message is None:
        assert select(metric) == Selection("cpu", tuple(CATALOGUE["cpu"].by_name))
        return
    with pytest.raises(QueryError) as caught:
        select(metric)
    assert str(caught.value).startswith(message)
    assert str(caught.value).endswith("; see /api/v1/catalogue")
    assert caught.value.parameter == "metric"


@given(st.text(max_size=30))
def test_any_text_is_a_selection_or_a_query_error(metric: str):
    try:
        chosen = select(metric)
    except QueryError:
        return
    assert set(chosen.fields) <= set(CATALOGUE[chosen.measurement].by_name)


def test_look_ups():
    assert "cpu" in CATALOGUE and "gpu" not in CATALOGUE and 5 not in CATALOGUE
    assert CATALOGUE.get("gpu") is None
    assert CATALOGUE.get("cpu") is CATALOGUE["cpu"]
    assert CATALOGUE.field("cpu", "usage_idle") is CATALOGUE["cpu"].by_name["usage_idle"]
    assert CATALOGUE.field("cpu", "x") is None
    assert CATALOGUE.field("gpu", "x") is None
    assert CATALOGUE.names == tuple(m.name for m in CATALOGUE)


def test_a_field_named_twice_is_refused():
    field = CATALOGUE["system"].fields[0]
    with pytest.raises(ValueError, match="m names a field twice"):
        Measurement("m", "Help.", (field, field))


def test_a_measurement_named_twice_is_refused():
    with pytest.raises(ValueError, match="cpu stands twice"):
        Catalogue([CATALOGUE["cpu"], dataclasses.replace(CATALOGUE["cpu"], help="Other.")])


@pytest.mark.parametrize(
    ("unit", "rate"),
    [
        (Unit.BYTES, "bytes_per_second"),
        (Unit.COUNT, "per_second"),
        (Unit.NONE, "per_second"),
        (Unit.SECONDS, "ratio"),
        (Unit.MILLISECONDS, "milliseconds_per_second"),
    ],
)
def test_the_unit_of_a_rate(unit: Unit, rate: str):
    assert unit.per_second == rate
