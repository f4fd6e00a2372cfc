"""The node's numbers, not the container's: with the chart's defaults, what a pod without any right reports, all the way
through InfluxDB and the API, is what node_exporter, Telegraf and the kernel's files say on the node itself."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from servers import RealNode, program
from servers.client import Client
from tests.cluster.release import Release, eventually
from tests.integration.test_numbers_node_exporter import (
    parse,
    test_counters_are_exactly_theirs,
    test_file_systems_are_theirs,
    test_gauges_are_within_sampling_error,
    test_idle_time_is_theirs,
)
from tests.integration.test_numbers_telegraf import AGENT, INPUTS
from tests.integration.test_numbers_telegraf import test_counters_are_exactly_theirs as test_counters_are_telegrafs
from tests.integration.test_numbers_telegraf import (
    test_gauges_are_within_sampling_error as test_gauges_are_telegrafs_within_sampling_error,
)
from tests.integration.test_numbers_telegraf import (
    test_names_types_and_tags_are_theirs as test_names_types_and_tags_are_telegrafs,
)

import nodetide_collector.probes  # noqa: F401 (registers them)
from nodetide_collector.probe import registered
from nodetide_core.lineprotocol import parse as parse_lines
from nodetide_core.points import Point, SeriesKey, Value, make_tags, tag

__all__ = [
    "test_counters_are_exactly_theirs",
    "test_counters_are_telegrafs",
    "test_file_systems_are_theirs",
    "test_gauges_are_telegrafs_within_sampling_error",
    "test_gauges_are_within_sampling_error",
    "test_idle_time_is_theirs",
    "test_names_types_and_tags_are_telegrafs",
]
pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1200)]

Pass = Mapping[SeriesKey, Mapping[str, Value]]
Metrics = Mapping[tuple[str, frozenset[tuple[str, str]]], float]

#: Nothing of what there is left out.
EVERYTHING = {
    "storage": {"bucket": "everything"},
    "collection": {
        "interval": "1s",
        "groups": {
            **{name: {"interval": "1s"} for name in registered()},
            "net": {"interval": "1s", "include": ["*"]},
            "disk": {"interval": "1s", "include": ["*"], "excludeFsTypes": []},
            "diskio": {"interval": "1s", "include": ["*"]},
        },
    },
}
PORT = 9100
OPTIONS = (
    "--web.disable-exporter-metrics",
    "--collector.netstat.fields=.*",
    "--collector.filesystem.fs-types-exclude=^$",
    "--collector.filesystem.mount-points-exclude=^$",
    "--collector.diskstats.device-exclude=^$",
    "--collector.netdev.device-exclude=^$",
    "--collector.processes",
)
#: What a user without rights learns of the file systems on the node itself: sizes by path, once for each folder that
#: is mounted, and the paths that are closed to it.
FILE_SYSTEMS = """\
import json, os
os.setgroups([]); os.setresgid(65532, 65532, 65532); os.setresuid(65532, 65532, 65532)
mounts = {}
for line in open("/proc/1/mountinfo"):
    fields = line.split()
    mounts[fields[4]] = (fields[2], fields[3], fields[fields.index("-") + 1])
found, seen, closed = {}, set(), []
for path, (device, root, kind) in mounts.items():
    if (device, root) in seen or kind == "autofs":
        continue
    seen.add((device, root))
    try:
        size = os.statvfs(path)
    except PermissionError:
        closed.append(path)
        continue
    if size.f_blocks:
        found[path] = [size.f_blocks * size.f_frsize, size.f_files]
print(json.dumps([found, closed]))
"""


@pytest.fixture(scope="module")
def release(stocked: RealNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """Installed with the chart's defaults, but for how often points are written."""
    made = Release(stocked, tmp_path_factory.mktemp("helm"))
    try:
        made.install(f"--set-json=defaultPolicy.spec={json.dumps(EVERYTHING)}", "--set=collector.flushInterval=1s")
        made.kubectl("rollout", "status", "deployment/nodetide-api", "--timeout=300s")
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="module")
def read_pass(release: Release) -> Callable[[], Pass]:
    """Reads what the pod has sampled since: of each series the first that the API serves."""

    def read() -> Pass:
        since = time.time()
        found: dict[SeriesKey, Mapping[str, Value]] = eventually(lambda: current(release.api, since))
        return found

    return read


def current(api: Client, since: float) -> dict[SeriesKey, Mapping[str, Value]] | None:
    """Values by series, once there are some of every measurement that were sampled after `since`."""
    (host,) = api.call("GET", "/api/v1/metrics/current")["hosts"]
    found: dict[SeriesKey, Mapping[str, Value]] = {}
    for series in host["series"]:
        if datetime.fromisoformat(series["time"].replace("Z", "+00:00")).timestamp() > since:
            found[SeriesKey(series["measurement"], make_tags(series["tags"]))] = as_read(series["values"])
    known = {series["measurement"] for series in host["series"]}
    return found if known == {key.measurement for key in found} else None


def as_read(values: Mapping[str, Value]) -> dict[str, Value]:
    """Without the shares of a CPU's time between two samples, which a pass of the probes alone does not have."""
    return {field: value for field, value in values.items() if not field.startswith("usage_")}


@pytest.fixture(scope="module")
def scrape(stocked: RealNode) -> Iterator[Callable[[], Metrics]]:
    """Asks a node_exporter that runs on the node, as root."""
    address = f"{stocked.machine.network.there}:{PORT}"
    client = Client(f"http://{address}")
    with running(stocked, program("node_exporter"), f"--web.listen-address={address}", *OPTIONS):
        yield lambda: parse(eventually(lambda: client.call("GET", "/metrics")))


@contextmanager
def running(node: RealNode, *argv: str | Path) -> Iterator[None]:
    """A program on the node, as root."""
    entering = node.machine.entering(list(map(str, argv)))
    with subprocess.Popen(entering, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            # What we started has entered the node and ignores polite signals; its child does not.
            subprocess.run(["pkill", "--parent", str(process.pid)], check=False)
            process.kill()


@pytest.fixture(scope="module")
def both(
    stocked: RealNode, read_pass: Callable[[], Pass], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Pass, list[Point], Pass]:
    """What the pod says before, some seconds of a Telegraf's that runs on the node, and what the pod says after.

    Telegraf runs as root, and tells of a file system once for each place where it is mounted: what is closed to
    others, and the same once more, is left out.
    """
    folder = tmp_path_factory.mktemp("telegraf")
    config, output = folder / "telegraf.conf", folder / "points"
    config.write_text(AGENT.format(output=output) + INPUTS)

    def points() -> list[Point]:
        text = output.read_text() if output.exists() else ""
        return list(parse_lines(text[: text.rfind("\n") + 1], "ns"))

    def enough() -> bool:
        return sum("usage_user" in point.fields and tag(point.tags, "cpu") == "cpu-total" for point in points()) >= 2

    before = read_pass()
    with running(stocked, program("telegraf"), f"--config={config}"):
        eventually(enough)
    after = read_pass()
    seen, _ = file_systems(stocked)
    theirs = [point for point in points() if point.measurement != "disk" or tag(point.tags, "path") in seen]
    assert {"/", "/run"} < {tag(point.tags, "path") for point in theirs}
    assert {"eth0", "cni0"} < {tag(point.tags, "interface") for point in theirs}
    return of_probes(before), theirs, of_probes(after)


def of_probes(found: Pass) -> Pass:
    """Without what the collector tells of itself."""
    return {series: fields for series, fields in found.items() if series.measurement != "collector"}


def file_systems(node: RealNode) -> tuple[dict[str, list[int]], list[str]]:
    """Bytes and inodes by path, and the paths that are closed."""
    seen, closed = json.loads(node.machine.run(sys.executable, "-c", FILE_SYSTEMS))
    return seen, closed


def names(found: Pass, measurement: str, key: str) -> set[str]:
    return {tag(series.tags, key) or "" for series in found if series.measurement == measurement}


def theirs_of(metrics: Metrics, metric: str, label: str) -> set[str]:
    return {dict(labels)[label] for name, labels in metrics if name == metric}


def test_every_interface_and_disk_of_the_node_is_there(
    stocked: RealNode, scrape: Callable[[], Metrics], read_pass: Callable[[], Pass]
) -> None:
    found, theirs = read_pass(), scrape()
    interfaces = names(found, "net", "interface") - {"all"}
    assert interfaces == theirs_of(theirs, "node_network_receive_bytes_total", "device")
    assert {"lo", "eth0", "cni0"} < interfaces, "and the ends of the pods' cables"
    assert names(found, "diskio", "name") == theirs_of(theirs, "node_disk_reads_completed_total", "device")
    assert names(found, "cpu", "cpu") - {"cpu-total"} == {
        f"cpu{number}" for number in theirs_of(theirs, "node_cpu_seconds_total", "cpu")
    }


def test_every_file_system_of_the_node_that_anybody_may_see_is_there(
    stocked: RealNode, read_pass: Callable[[], Pass]
) -> None:
    stocked.machine.run("mkdir", "-p", "/run/later")
    stocked.machine.run("mount", "-t", "tmpfs", "-o", "size=7m", "later", "/run/later")
    try:
        found = read_pass()
        seen, closed = file_systems(stocked)
    finally:
        stocked.machine.run("umount", "/run/later")
    ours = {
        tag(series.tags, "path"): [fields["total"], fields["inodes_total"]]
        for series, fields in found.items()
        if series.measurement == "disk"
    }
    assert ours == seen
    assert ours["/run/later"][0] == 7 << 20, "mounted after the pod was started"
    print(f"{len(ours)} file systems; closed to a user without rights: {closed}")


def test_the_kernels_own_counters_are_those_of_the_node(stocked: RealNode, read_pass: Callable[[], Pass]) -> None:
    before = read_pass()
    files = ("/proc/1/net/snmp", "/proc/vmstat", "/proc/stat", "/proc/1/net/softnet_stat")
    snmp, vmstat, stat, softnet = (stocked.machine.run("cat", file).splitlines() for file in files)
    after = read_pass()
    heading, values = (line.split()[1:] for line in snmp if line.startswith("Tcp:"))
    tcp = dict(zip(heading, map(int, values), strict=True))
    pages = dict(line.split() for line in vmstat)
    theirs = {
        ("net", "interface", "all", "tcp_retranssegs"): tcp["RetransSegs"],
        ("net", "interface", "all", "tcp_outrsts"): tcp["OutRsts"],
        ("net", "interface", "all", "tcp_estabresets"): tcp["EstabResets"],
        ("kernel_vmstat", "", "", "pgfault"): int(pages["pgfault"]),
        ("kernel_vmstat", "", "", "pgmajfault"): int(pages["pgmajfault"]),
        ("kernel", "", "", "processes_forked"): next(int(line.split()[1]) for line in stat if "processes " in line),
        ("softnet", "cpu", "cpu-total", "processed"): sum(int(line.split()[0], 16) for line in softnet),
    }
    wrong = []
    for (measurement, key, value, field), number in theirs.items():
        series = SeriesKey(measurement, make_tags({key: value} if key else {}))
        low, high = before[series][field], after[series][field]
        if not float(low) <= number <= float(high):
            wrong.append(f"{measurement}.{field}: {low} <= {number} <= {high}")
    assert wrong == []


def test_processes_and_sockets_are_the_nodes(stocked: RealNode, read_pass: Callable[[], Pass]) -> None:
    def are_the_nodes() -> bool:
        """Not at a moment when a process begins or ends there."""
        found = read_pass()
        running = len([name for name in stocked.machine.run("ls", "/proc").split() if name.isdigit()])
        tables = [stocked.machine.run("cat", f"/proc/1/net/{name}").splitlines()[1:] for name in ("tcp", "tcp6")]
        listening = sum(line.split()[3] == "0A" for table in tables for line in table)
        processes = float(found[SeriesKey("processes", ())]["total"])
        return abs(processes - running) <= 10 and found[SeriesKey("netstat", ())]["tcp_listen"] == listening

    eventually(are_the_nodes)


def test_the_pod_has_no_rights(release: Release) -> None:
    (pod,) = release.pods("collector")
    spec: dict[str, Any] = pod["spec"]
    assert not spec.get("hostNetwork")
    assert not spec.get("hostPID")
    status = release.kubectl("exec", pod["metadata"]["name"], "--", "cat", "/proc/1/status").splitlines()
    told = {line.split(":")[0]: line.split()[1:] for line in status}
    assert told["Uid"] == ["65532"] * 4
    assert told["NoNewPrivs"] == ["1"]
    assert {tuple(told[name]) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {("0" * 16,)}
