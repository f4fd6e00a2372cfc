"""Telegraf's data and ours, read back from InfluxDB, are the same but for what is listed."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest
from tests.integration.influx_compat import host
from tests.integration.influx_compat.judging import Hosts, Name, Pair, disagreements
from tests.integration.influx_compat.reading import Held, Series

from nodetide_core.catalogue import CATALOGUE
from nodetide_core.catalogue.telegraf import DIFFERENCES, OTHER_VALUES, REST, What, Writer

pytestmark = [pytest.mark.peer, pytest.mark.slow]

_NET, _DISKS, _PRESSURE = Path("/sys/class/net"), Path("/sys/block"), Path("/proc/pressure")
#: Both count other sockets, as OTHER_VALUES has it; test_numbers_telegraf.py shows it.
_OTHER_SOCKETS = {("netstat", "udp_socket")}
_SHARES = {("cpu", name) for name in CATALOGUE["cpu"].by_name if name.startswith("usage_")}


def _listed(writer: Writer, what: What) -> set[Name]:
    """Measurement and name of what is in the table."""
    found = [difference for difference in DIFFERENCES if (difference.writer, difference.what) == (writer, what)]
    return {(difference.measurement, name) for difference in found for name in difference.names}


def _measurements(writer: Writer) -> set[str]:
    return {d.measurement for d in DIFFERENCES if (d.writer, d.what) == (writer, What.MEASUREMENT)}


def test_measurements(hosts: Hosts) -> None:
    here, files = hosts.here, hosts.files
    # What this host may lack, the other has.
    assert here.theirs.measurements - here.ours.measurements - files.shared == _measurements(Writer.TELEGRAF)
    assert here.ours.measurements - here.theirs.measurements - files.shared == _measurements(Writer.NODETIDE)
    assert files.theirs.measurements == set(host.GROUPS)
    # The collector always tells of itself.
    assert files.ours.measurements == {*host.GROUPS, "collector"}


def test_fields(hosts: Hosts) -> None:
    theirs: set[Name] = set()
    ours: set[Name] = set()
    for pair in (hosts.here, hosts.files):
        left, right = pair.fields_only()
        theirs |= left
        ours |= right
        # No field that both have is missing in some series.
        missing = pair.gaps()
        assert missing[0] <= left and missing[1] <= right
    assert theirs == _with_rest(_listed(Writer.TELEGRAF, What.FIELD))
    assert ours == _listed(Writer.NODETIDE, What.FIELD)


def _with_rest(listed: set[Name]) -> set[Name]:
    """With the kernel's own names instead of "the rest of vmstat"."""
    names = {line.split()[0] for line in Path("/proc/vmstat").read_text().splitlines()}
    assert {name for name in listed if name[1] == REST} == {("kernel_vmstat", REST)}
    rest = {("kernel_vmstat", name) for name in names - CATALOGUE["kernel_vmstat"].by_name.keys()}
    return listed - {("kernel_vmstat", REST)} | rest


def test_tags(hosts: Hosts) -> None:
    """A tag more or less would make another series, so here it is enough which were left out of theirs."""
    expected = {("disk", "label")}
    if any((disk / "wwid").exists() for disk in _DISKS.iterdir()):
        expected.add(("diskio", "wwid"))
    assert hosts.here.dropped_tags | hosts.files.dropped_tags == expected
    assert _listed(Writer.TELEGRAF, What.TAG) == {("disk", "label"), ("diskio", "wwid")}
    assert _listed(Writer.NODETIDE, What.TAG) == set()


def test_series_of_this_host(hosts: Hosts) -> None:
    theirs, ours = _series_only(hosts.here)
    assert theirs == set()
    expected = {("net", "all")}
    there = {name for measurement, tags in hosts.here.ours.series if measurement == "net" for _, name in tags}
    expected |= {
        ("net", interface.name) for interface in _NET.iterdir() if interface.name in there and not _carries(interface)
    }
    expected |= {("diskio", line[2]) for line in _diskstats() if not any(map(int, line[3:14]))}
    if (_PRESSURE / "irq").exists():
        expected.add(("pressure", "irq"))
    # Of sensors with one name the other host has some.
    assert {series for series in ours if series[0] != "temp"} == expected


def test_series_of_the_other_host_where_what_is_excluded_by_default_is(hosts: Hosts) -> None:
    theirs, ours = _series_only(hosts.files)
    assert theirs == {
        ("disk", "/var/lib/docker/overlay2/1/merged"), ("diskio", "loop0"), ("net", "lo"), ("net", "veth1234"),
    }  # fmt: skip
    assert ours == {("diskio", host.IDLE), ("net", "all"), ("temp", "nvme_composite_nvme1")}


def test_every_kind_of_series_that_is_listed_is_in_the_two_tests_above() -> None:
    assert _listed(Writer.TELEGRAF, What.SERIES) == {
        (name, "excluded by default") for name in ("disk", "diskio", "net")
    }
    assert _listed(Writer.NODETIDE, What.SERIES) == {
        ("diskio", "devices that were never used"),
        ("net", "interface `all`"),
        ("net", "interfaces that are down, and `lo` where included"),
        ("pressure", "resource `irq`"),
        ("temp", "sensors that have the name of another"),
    }


def _series_only(pair: Pair) -> tuple[set[Name], set[Name]]:
    """Measurement and telling tag of the series that only they and only we have of shared measurements."""
    found: tuple[Collection[Series], ...] = pair.only_theirs, pair.only_ours
    theirs, ours = ({_name(series) for series in only if series[0] in pair.shared} for only in found)
    return theirs, ours


def _name(series: Series) -> Name:
    measurement, tags = series
    telling = "resource" if measurement == "pressure" else CATALOGUE[measurement].filter_tag
    return measurement, dict(tags)[telling] if telling else str(sorted(tags))


def _carries(interface: Path) -> bool:
    """Whether Telegraf takes it: it is up, and no loopback."""
    flags = int((interface / "flags").read_text(), 16)
    return bool(flags & 0x1) and not flags & 0x8


def _diskstats() -> list[list[str]]:
    return [line.split() for line in Path("/proc/diskstats").read_text().splitlines()]


def test_types_and_values_of_this_host(hosts: Hosts) -> None:
    wrong, compared = disagreements(hosts.here, leaving=_OTHER_SOCKETS)
    assert wrong == []
    assert compared > _SHARES


def test_types_and_values_of_the_other_host(hosts: Hosts) -> None:
    # Its CPUs move only once.
    assert disagreements(hosts.files, leaving=_SHARES)[0] == []


def test_every_field_of_the_catalogue_was_compared(hosts: Hosts) -> None:
    """But those that are listed as only ours."""
    done = disagreements(hosts.here, _OTHER_SOCKETS)[1] | disagreements(hosts.files)[1]
    alone = _measurements(Writer.NODETIDE) | (set() if _PRESSURE.exists() else {"pressure"})
    known = {(m.name, f.name) for m in CATALOGUE for f in m.fields if m.name not in alone}
    assert known - done == _listed(Writer.NODETIDE, What.FIELD) | _OTHER_SOCKETS


def test_other_values(hosts: Hosts) -> None:
    """As listed; that a kernel's silence is 0, and which sockets count, test_numbers_telegraf.py shows."""
    theirs, ours = (_range(held, "diskio", "io_util") for held in (hosts.files.theirs, hosts.files.ours))
    assert theirs[1] > 100 and ours == (0, 100)
    theirs, ours = (_range(held, "cpu", "usage_iowait") for held in (hosts.files.theirs, hosts.files.ours))
    assert theirs[0] < 0 and ours == (0, 0)
    listed = {(other.measurement, field) for other in OTHER_VALUES for field in other.fields or ("",)}
    assert listed == _OTHER_SOCKETS | {
        ("cpu", "usage_idle"), ("cpu", "usage_iowait"), ("diskio", "io_util"), ("mem", ""), ("netstat", "tcp_listen"),
    }  # fmt: skip


def _range(held: Held, measurement: str, field: str) -> tuple[float, float]:
    fields = [fields for (name, _), fields in held.series.items() if name == measurement]
    values = [value for found in fields for value in found.get(field, {}).values()]
    return min(values), max(values)


def test_types_are_the_catalogue_s(hosts: Hosts) -> None:
    for (measurement, field), types in hosts.here.ours.types.items():
        assert types == {CATALOGUE[measurement].by_name[field].type.value}


def test_times_are_whole_seconds(hosts: Hosts) -> None:
    """So that a series goes on when one of the two takes over from the other."""
    for held in (hosts.here.theirs, hosts.here.ours, hosts.files.theirs, hosts.files.ours):
        times = {time for fields in held.series.values() for readings in fields.values() for time in readings}
        assert times and all(time % 1_000_000_000 == 0 for time in times)
