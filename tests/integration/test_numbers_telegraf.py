"""Our names, types, tags and values against Telegraf's, whose dashboards must work with ours.

What differs is in `nodetide_core.catalogue.telegraf`; tests/integration/influx_compat/ shows that it is all.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest
from tests.fixtures.hosts.shapes import SHAPES
from tests.fixtures.hosts.tree import Link, Shape, make_host, write_tree
from tests.integration.things import is_of, things

from nodetide_collector.host import Host
from nodetide_collector.probe import Request, registered
from nodetide_collector.probes.cpu import usage
from nodetide_core.catalogue import CATALOGUE, Kind, Type
from nodetide_core.catalogue.telegraf import DIFFERENCES, OTHER_VALUES, REST, What, Writer, fields_only
from nodetide_core.lineprotocol import parse
from nodetide_core.points import Point, SeriesKey, Value, tag

pytestmark = pytest.mark.peer

Pass = Mapping[SeriesKey, Mapping[str, Value]]
ReadPass = Callable[..., Pass]

AGENT = """
[agent]
  omit_hostname = true
  interval = "1s"
  flush_interval = "1s"
  precision = "1ms"
[[outputs.file]]
  files = ["{output}"]
  data_format = "influx"
"""
INPUTS = """
[[inputs.cpu]]
  percpu = true
  totalcpu = true
  collect_cpu_time = true
  report_active = true
[[inputs.mem]]
[[inputs.swap]]
[[inputs.disk]]
[[inputs.diskio]]
[[inputs.net]]
  ignore_protocol_stats = true
[[inputs.netstat]]
[[inputs.system]]
[[inputs.kernel]]
  collect = ["psi"]
[[inputs.kernel_vmstat]]
[[inputs.processes]]
[[inputs.conntrack]]
[[inputs.linux_sysctl_fs]]
"""

COUNTED_OTHERWISE = ("tcp_listen", "udp_socket")
ADDED_MEASUREMENTS = {
    difference.measurement
    for difference in DIFFERENCES
    if (difference.writer, difference.what) == (Writer.NODETIDE, What.MEASUREMENT)
}


@pytest.fixture(scope="module")
def telegraf(part: Callable[[str], Path]) -> Callable[..., list[Point]]:
    """Runs Telegraf in a folder with some inputs, once, or until its points satisfy a condition."""
    program = part("telegraf")

    def run(
        folder: Path, inputs: str, enough: Callable[[list[Point]], bool] | None = None, **environment: str
    ) -> list[Point]:
        output, config, log = folder / "out.lp", folder / "telegraf.conf", folder / "log"
        config.write_text(AGENT.format(output=output) + inputs)
        command = [str(program), "--config", str(config), *([] if enough else ["--once"])]
        with log.open("w") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **environment})

        def points() -> list[Point]:
            text = output.read_text(errors="replace") if output.exists() else ""
            return list(parse(text[: text.rfind("\n") + 1], "ns"))

        try:
            if enough is None:
                assert process.wait(180) == 0, log.read_text()
            deadline = time.monotonic() + 180
            while enough is not None and not enough(points()):
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
        finally:
            process.terminate()
            process.wait(60)
        return points()

    return run


@pytest.fixture(scope="module")
def both(
    telegraf: Callable[..., list[Point]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Pass, list[Point], Pass]]:
    """Our values before, some seconds of Telegraf's, ours after."""

    def ours() -> Pass:
        host = Host()
        return {
            SeriesKey(sample.measurement, sample.tags): sample.fields
            for registration in registered().values()
            for sample in registration.make(host).read(Request()).samples
        }

    def enough(points: list[Point]) -> bool:
        return sum("usage_user" in point.fields and tag(point.tags, "cpu") == "cpu-total" for point in points) >= 3

    there, before = things(), ours()
    theirs = telegraf(tmp_path_factory.mktemp("telegraf"), INPUTS, enough)
    after = ours()
    # What other tests have mounted or connected meanwhile, or taken away, is not compared.
    there &= things()
    before, after = (
        {key: fields for key, fields in found.items() if is_of(there, key.measurement, dict(key.tags))}
        for found in (before, after)
    )
    yield before, [point for point in theirs if is_of(there, point.measurement, dict(point.tags))], after


def test_names_types_and_tags_are_theirs(both: tuple[Pass, list[Point], Pass]) -> None:
    ours, points, _ = both
    theirs: dict[SeriesKey, dict[str, Value]] = {}
    for point in points:
        theirs.setdefault(point.key, {}).update(point.fields)
    wrong: list[str] = []
    derived = {"cpu": {f for f in CATALOGUE["cpu"].by_name if f.startswith("usage_")}, "diskio": {"io_util"}}
    for key, fields in theirs.items():
        name = key.measurement
        if key not in ours:
            wrong.append(f"we lack the series {key}")
            continue
        mine = set(ours[key]) | derived.get(name, set())
        listed = fields_only(Writer.TELEGRAF, name)
        extra = set(fields) - mine - listed
        if extra and REST not in listed:
            wrong.append(f"{key}: we lack {extra}")
        added = mine - set(fields) - fields_only(Writer.NODETIDE, name) - {"io_util"}
        if added:
            wrong.append(f"{key}: we add {added}")
        for field in mine & set(fields):
            expected = float if CATALOGUE[name].by_name[field].type is Type.FLOAT else int
            if type(fields[field]) is not expected:
                wrong.append(f"{name}.{field} is {fields[field]!r} there")
    assert wrong == []
    seen = {key.measurement for key in theirs}
    assert {key.measurement for key in ours} - seen == ADDED_MEASUREMENTS - {"collector"}  # which no probe reads


def test_series_that_only_we_write(both: tuple[Pass, list[Point], Pass]) -> None:
    """Disks that were never used, interfaces that are down or lo, and the protocol counters."""
    ours, points, _ = both
    theirs = {point.key for point in points}
    for key in set(ours) - theirs:
        if key.measurement == "diskio":
            assert not any(ours[key].values())
        elif key.measurement == "net" and (name := tag(key.tags, "interface")) != "all":
            flags = int((Path("/sys/class/net") / str(name) / "flags").read_text(), 16)
            assert name == "lo" or not flags & 1
        else:
            assert key.measurement in ADDED_MEASUREMENTS or tag(key.tags, "interface") == "all", key


def test_counters_are_exactly_theirs(both: tuple[Pass, list[Point], Pass]) -> None:
    before, points, after = both
    wrong, compared = [], set()
    for point in points:
        for field, value in point.fields.items():
            known = CATALOGUE.field(point.measurement, field)
            if known is None or known.kind is not Kind.COUNTER or field in ("time_idle", "time_iowait"):
                continue
            low, high = (float(found[point.key][field]) for found in (before, after))
            compared.add(f"{point.measurement}.{field}")
            if not low - 1e-6 <= float(value) <= high + 1e-6:
                wrong.append(f"{point.measurement}.{field} {dict(point.tags)}: {low} <= {value} <= {high}")
    assert wrong == []
    assert len(compared) >= 35, sorted(compared)


def test_usage_is_what_they_make_of_the_same_times(both: tuple[Pass, list[Point], Pass]) -> None:
    """Our shares of two of their samples are their shares."""
    _, points, _ = both
    times: dict[SeriesKey, list[Point]] = {}
    shares: dict[tuple[SeriesKey, int], Point] = {}
    for point in sorted((p for p in points if p.measurement == "cpu"), key=lambda p: p.time):
        if "time_user" in point.fields:
            times.setdefault(point.key, []).append(point)
        else:
            shares[point.key, point.time] = point
    compared = 0
    for key, samples in times.items():
        for earlier, later in pairwise(samples):
            theirs = shares.get((key, later.time))
            if theirs is None or min(float(value) for value in theirs.fields.values()) < 0:
                continue  # time moved from iowait to idle: they show it, we do not
            ours = usage(later.fields, earlier.fields, 1.0)
            assert ours == {name: pytest.approx(value, abs=1e-6) for name, value in theirs.fields.items()}
            compared += 1
    assert compared >= 3


def test_gauges_are_within_sampling_error(both: tuple[Pass, list[Point], Pass]) -> None:
    """Some seconds pass between ours and theirs, so what moves quickly is only bounded."""
    before, points, after = both
    exact = {"mem.total", "mem.commit_limit", "mem.huge_page_size", "swap.total", "system.n_cpus", "kernel.boot_time",
             "disk.total", "disk.inodes_total", "conntrack.ip_conntrack_max", "linux_sysctl_fs.file-max",
             "linux_sysctl_fs.aio-max-nr", "net.speed"}  # fmt: skip
    slack = {"mem": 1 << 30, "disk": 2 << 30, "netstat": 200, "processes": 200, "system": 60, "diskio": 200,
             "conntrack": 200, "pressure": 100, "linux_sysctl_fs": 200_000, "swap": 1 << 30}  # fmt: skip
    wrong = []
    seen: dict[tuple[SeriesKey, str], list[float]] = {}
    for point in points:
        for field, value in point.fields.items():
            if isinstance(value, int | float):
                seen.setdefault((point.key, field), []).append(float(value))
    for point in points:
        for field, value in point.fields.items():
            known = CATALOGUE.field(point.measurement, field)
            if known is None or known.kind is not Kind.GAUGE or field not in before.get(point.key, {}):
                continue
            room = 0 if f"{point.measurement}.{field}" in exact else slack[point.measurement]
            room = min(room, 20) if field.endswith("percent") else room
            room += max(seen[point.key, field]) - min(seen[point.key, field])  # it moves
            values = [float(found[point.key][field]) for found in (before, after)]
            if not min(values) - room <= float(value) <= max(values) + room:
                wrong.append(f"{point.measurement}.{field}: {values} and {value}")
    assert wrong == []


@pytest.mark.parametrize("name", sorted(set(SHAPES) - {"malformed"}))
def test_on_other_kernels_we_agree(name: str, telegraf: Callable[..., list[Point]], tmp_path: Path) -> None:
    """Telegraf reads a fixture's /proc, too, for what it does not ask of the system itself."""
    shape = SHAPES[name]
    write_tree(tmp_path, shape.tree)
    inputs = "[[inputs.cpu]]\n  collect_cpu_time = true\n  report_active = true\n[[inputs.mem]]\n[[inputs.diskio]]\n"
    inputs += "[[inputs.processes]]\n"
    theirs = {
        (point.key, field): value
        for point in telegraf(tmp_path, inputs, HOST_PROC=str(tmp_path / "proc"), HOST_SYS=str(tmp_path / "sys"))
        for field, value in point.fields.items()
        if CATALOGUE.field(point.measurement, field) is not None
    }
    host = make_host(tmp_path, shape)
    ours = {
        (SeriesKey(sample.measurement, sample.tags), field): value
        for measurement in ("cpu", "mem", "diskio", "processes")
        for sample in registered()[measurement].make(host).read(Request()).samples
        for field, value in sample.fields.items()
    }
    absent = {pair: value for pair, value in theirs.items() if pair not in ours}
    # They say 0 for what a kernel does not tell.
    assert not any(absent.values()), absent
    # A disk that was never used they leave out.
    assert not any(value for pair, value in ours.items() if pair not in theirs)
    assert {pair: ours[pair] for pair in theirs if pair in ours} == {
        pair: pytest.approx(value, rel=1e-12) for pair, value in theirs.items() if pair in ours
    }
    assert len(theirs) > 40


def test_sensors_and_frequencies_are_theirs(telegraf: Callable[..., list[Point]], tmp_path: Path) -> None:
    tree = dict(SHAPES["cgroup2-nvme-lvm-psi-irq"].tree)
    # One disk only: of two of the same name, Telegraf shows the last.
    tree = {path: content for path, content in tree.items() if "hwmon0" not in path}
    for cpu in range(4):
        for file in ("core_throttle_max_time_ms", "core_throttle_total_time_ms"):
            tree[f"sys/devices/system/cpu/cpu{cpu}/thermal_throttle/{file}"] = "1\n"
    write_tree(tmp_path, tree)
    inputs = (
        f'[[inputs.temp]]\n[[inputs.linux_cpu]]\n  host_sys = "{tmp_path}/sys"\n  metrics = ["cpufreq", "thermal"]\n'
    )
    theirs = {
        point.key: {name: value for name, value in point.fields.items() if CATALOGUE.field(point.measurement, name)}
        for point in telegraf(tmp_path, inputs, HOST_SYS=str(tmp_path / "sys"))
    }
    host = make_host(tmp_path, Shape({}))
    ours = {
        SeriesKey(sample.measurement, sample.tags): sample.fields
        for measurement in ("temp", "linux_cpu")
        for sample in registered()[measurement].make(host).read(Request()).samples
    }
    assert ours == theirs
    assert len(ours) == 4 + 3


def test_thermal_zones_are_theirs(telegraf: Callable[..., list[Point]], tmp_path: Path) -> None:
    tree = {path: content for path, content in SHAPES["kernel-3.10"].tree.items() if "thermal_zone1" not in path}
    write_tree(tmp_path, {path: content for path, content in tree.items() if not isinstance(content, Link)})
    theirs = {
        point.key: dict(point.fields)
        for point in telegraf(tmp_path, "[[inputs.temp]]\n", HOST_SYS=str(tmp_path / "sys"))
    }
    reading = registered()["temp"].make(make_host(tmp_path, Shape({}))).read(Request())
    assert {SeriesKey("temp", sample.tags): sample.fields for sample in reading.samples} == theirs
    assert len(theirs) == 1


def test_sockets_of_one_address_and_unix_sockets_count_otherwise(
    telegraf: Callable[..., list[Point]], tmp_path: Path, read_pass: ReadPass
) -> None:
    """We count every socket, and as UDP's only those."""
    many = 120

    def counts() -> tuple[list[float], list[float]]:
        ours = read_pass()[SeriesKey("netstat", ())]
        (theirs,) = (point.fields for point in telegraf(tmp_path, "[[inputs.netstat]]\n"))
        (tmp_path / "out.lp").unlink()
        listeners, datagrams = ([float(fields[name]) for fields in (ours, theirs)] for name in COUNTED_OTHERWISE)
        return listeners, datagrams

    before = counts()
    with ExitStack() as stack:
        port = 0
        for number in range(many):
            listener = stack.enter_context(socket.socket())
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind(("127.0.0.1", port))
            listener.listen()
            port = listener.getsockname()[1]
            stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)).bind(f"\0{port}-{number}")
        after = counts()
    more = [[now - then for now, then in zip(*pair, strict=True)] for pair in zip(after, before, strict=True)]
    # Others open and close sockets meanwhile, but not so many.
    assert more == [
        [pytest.approx(many, abs=50), pytest.approx(1, abs=50)],
        [pytest.approx(0, abs=50), pytest.approx(many, abs=50)],
    ]
    assert ("netstat", COUNTED_OTHERWISE) in [(other.measurement, other.fields) for other in OTHER_VALUES]
