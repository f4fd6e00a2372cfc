"""Our values against node_exporter's, on this host: counters exactly, gauges within sampling error."""

from __future__ import annotations

import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from servers import ports

from nodetide_core.points import SeriesKey, Value, tag

pytestmark = pytest.mark.peer

Pass = Mapping[SeriesKey, Mapping[str, Value]]
ReadPass = Callable[[], Pass]
Lasting = Callable[[Callable[[], Mapping[str, str]]], Mapping[str, str]]
#: Value by metric name and labels.
Metrics = Mapping[tuple[str, frozenset[tuple[str, str]]], float]

_SAMPLE = re.compile(r"^(?P<name>\w+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def parse(text: str) -> Metrics:
    found = {}
    for line in text.splitlines():
        match = None if line.startswith("#") else _SAMPLE.match(line)
        if match:
            labels = frozenset((key, value) for key, value in _LABEL.findall(match["labels"] or ""))
            found[match["name"], labels] = float(match["value"])
    return found


@pytest.fixture(scope="module")
def scrape(part: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Metrics]]:
    program = part("node_exporter")
    (port,) = ports.free(1)
    address = f"127.0.0.1:{port}"
    log = tmp_path_factory.mktemp("node_exporter") / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [
                str(program),
                f"--web.listen-address={address}",
                "--web.disable-exporter-metrics",
                "--collector.netstat.fields=.*",
                "--collector.filesystem.fs-types-exclude=^$",
                "--collector.filesystem.mount-points-exclude=^$",
                "--collector.diskstats.device-exclude=^$",
                "--collector.netdev.device-exclude=^$",
                "--collector.processes",
            ],
            stdout=out,
            stderr=out,
        )

    def get() -> Metrics:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=120) as answer:
            return parse(answer.read().decode())

    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                get()
                break
            except (urllib.error.URLError, ConnectionError):
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
        yield get
    finally:
        process.terminate()
        process.wait(60)


def names_of(key: SeriesKey, field: str) -> tuple[str, dict[str, str], float] | None:
    """Their metric, its labels and what it is multiplied by, of one of our counters."""
    value = lambda name: tag(key.tags, name) or ""  # noqa: E731
    if key.measurement == "cpu" and value("cpu") != "cpu-total":
        cpu = value("cpu").removeprefix("cpu")
        if field in ("time_guest", "time_guest_nice"):
            mode = "user" if field == "time_guest" else "nice"
            return "node_cpu_guest_seconds_total", {"cpu": cpu, "mode": mode}, 1
        # Idle time moves to iowait and back; the two are compared together below.
        if field not in ("time_active", "time_idle", "time_iowait"):
            return "node_cpu_seconds_total", {"cpu": cpu, "mode": field.removeprefix("time_")}, 1
    if key.measurement == "diskio":
        metric, factor = _DISK.get(field, ("", 1.0))
        return (f"node_disk_{metric}", {"device": value("name")}, factor) if metric else None
    if key.measurement == "net" and value("interface") == "all":
        protocol, _, name = field.partition("_")
        for theirs in _TROUBLES:
            if theirs.lower() == f"{protocol}_{name}":
                return f"node_netstat_{theirs}", {}, 1
    if key.measurement == "net" and field in _NET:
        return f"node_network_{_NET[field]}_total", {"device": value("interface")}, 1
    if key.measurement == "softnet" and value("cpu") != "cpu-total":
        name = {"time_squeezed": "times_squeezed"}.get(field, field)
        return f"node_softnet_{name}_total", {"cpu": value("cpu").removeprefix("cpu")}, 1
    if key.measurement == "pressure" and field == "total":
        state = {"some": "waiting", "full": "stalled"}[value("type")]
        return f"node_pressure_{value('resource')}_{state}_seconds_total", {}, 1e6
    simple = _SIMPLE.get(f"{key.measurement}.{field}")
    return (*simple[:1], {}, simple[1]) if simple else None


_DISK = {
    "reads": ("reads_completed_total", 1.0),
    "writes": ("writes_completed_total", 1.0),
    "merged_reads": ("reads_merged_total", 1.0),
    "merged_writes": ("writes_merged_total", 1.0),
    "read_bytes": ("read_bytes_total", 1.0),
    "write_bytes": ("written_bytes_total", 1.0),
    "read_time": ("read_time_seconds_total", 1e3),
    "write_time": ("write_time_seconds_total", 1e3),
    "io_time": ("io_time_seconds_total", 1e3),
    "weighted_io_time": ("io_time_weighted_seconds_total", 1e3),
}
_NET = {
    "bytes_recv": "receive_bytes",
    "bytes_sent": "transmit_bytes",
    "packets_recv": "receive_packets",
    "packets_sent": "transmit_packets",
    "err_in": "receive_errs",
    "err_out": "transmit_errs",
    "drop_in": "receive_drop",
    "drop_out": "transmit_drop",
}
_TROUBLES = (
    "Tcp_RetransSegs",
    "Tcp_OutRsts",
    "Tcp_EstabResets",
    "Tcp_AttemptFails",
    "Tcp_InErrs",
    "Udp_InErrors",
    "Udp_NoPorts",
    "Udp_RcvbufErrors",
    "Udp_SndbufErrors",
)
_SIMPLE = {
    "kernel.context_switches": ("node_context_switches_total", 1.0),
    "kernel.interrupts": ("node_intr_total", 1.0),
    "kernel.processes_forked": ("node_forks_total", 1.0),
    **{
        f"kernel_vmstat.{name}": (f"node_vmstat_{name}", 1.0)
        for name in ("pgfault", "pgmajfault", "pswpin", "pswpout", "oom_kill")
    },
    "swap.in": ("node_vmstat_pswpin", 4096.0),
    "swap.out": ("node_vmstat_pswpout", 4096.0),
}


def test_counters_are_exactly_theirs(scrape: Callable[[], Metrics], read_pass: ReadPass, lasting: Lasting) -> None:
    compared = set()

    def compare() -> dict[str, str]:
        before, theirs, after = read_pass(), scrape(), read_pass()
        wrong = {}
        for key, fields in before.items():
            for field, low in fields.items():
                match = names_of(key, field)
                if match is None:
                    continue
                metric, labels, factor = match
                name = f"{key.measurement}.{field} {dict(key.tags)}"
                value, high = theirs.get((metric, frozenset(labels.items()))), after.get(key, {}).get(field)
                if value is None or high is None:
                    wrong[name] = f"{metric}{labels} is not theirs, or ours no more"
                    continue
                compared.add(f"{key.measurement}.{field}")
                value *= factor
                slack = 1e-9 * abs(value) + 1e-6  # they divide, we multiply back
                if not float(low) - slack <= value <= float(high) + slack:
                    wrong[name] = f"{low} <= {value} <= {high}"
        return wrong

    assert lasting(compare) == {}
    assert len(compared) >= 45, sorted(compared)


def test_idle_time_is_theirs(scrape: Callable[[], Metrics], read_pass: ReadPass, lasting: Lasting) -> None:
    def compare() -> dict[str, str]:
        before, theirs, after = read_pass(), scrape(), read_pass()
        wrong = {}
        for key in before:
            if key.measurement == "cpu" and tag(key.tags, "cpu") != "cpu-total":
                cpu = ("cpu", (tag(key.tags, "cpu") or "").removeprefix("cpu"))
                value = sum(
                    theirs["node_cpu_seconds_total", frozenset({cpu, ("mode", mode)})] for mode in ("idle", "iowait")
                )
                low, high = (
                    float(found[key]["time_idle"]) + float(found[key]["time_iowait"]) for found in (before, after)
                )
                # The two are read one after the other, and may be a tick apart each.
                if not low - 0.03 <= value <= high + 0.03:
                    wrong[cpu[1]] = f"{low} <= {value} <= {high}"
        return wrong

    assert lasting(compare) == {}


#: Our gauge, theirs, and by how much it may differ from both of ours: what may happen within one scrape.
_GAUGES: tuple[tuple[str, str, float], ...] = (
    ("mem.total", "node_memory_MemTotal_bytes", 0),
    ("mem.commit_limit", "node_memory_CommitLimit_bytes", 0),
    ("mem.huge_pages_total", "node_memory_HugePages_Total", 0),
    ("mem.huge_page_size", "node_memory_Hugepagesize_bytes", 0),
    ("mem.free", "node_memory_MemFree_bytes", 256 << 20),
    ("mem.available", "node_memory_MemAvailable_bytes", 256 << 20),
    ("mem.active", "node_memory_Active_bytes", 256 << 20),
    ("mem.inactive", "node_memory_Inactive_bytes", 256 << 20),
    ("mem.buffered", "node_memory_Buffers_bytes", 64 << 20),
    ("mem.slab", "node_memory_Slab_bytes", 64 << 20),
    ("mem.shared", "node_memory_Shmem_bytes", 64 << 20),
    ("mem.mapped", "node_memory_Mapped_bytes", 128 << 20),
    ("mem.page_tables", "node_memory_PageTables_bytes", 32 << 20),
    ("swap.total", "node_memory_SwapTotal_bytes", 0),
    ("system.load1", "node_load1", 0.5),
    ("system.load5", "node_load5", 0.5),
    ("system.load15", "node_load15", 0.5),
    ("kernel.boot_time", "node_boot_time_seconds", 0),
    ("linux_sysctl_fs.file-max", "node_filefd_maximum", 0),
    ("linux_sysctl_fs.file-nr", "node_filefd_allocated", 1024),
    ("conntrack.ip_conntrack_max", "node_nf_conntrack_entries_limit", 0),
    ("conntrack.ip_conntrack_count", "node_nf_conntrack_entries", 100),
    ("sockstat.sockets_used", "node_sockstat_sockets_used", 100),
    ("sockstat.tcp_alloc", "node_sockstat_TCP_alloc", 50),
    ("processes.total_threads", "node_processes_threads", 200),
    ("timex.offset", "node_timex_offset_seconds", 0.01),
    ("timex.estimated_error", "node_timex_estimated_error_seconds", 0.01),
    ("timex.max_error", "node_timex_maxerror_seconds", 0.01),
    ("timex.sync_status", "node_timex_sync_status", 0),
)


def test_gauges_are_within_sampling_error(scrape: Callable[[], Metrics], read_pass: ReadPass, lasting: Lasting) -> None:
    def compare() -> dict[str, str]:
        before, theirs, after = read_pass(), scrape(), read_pass()
        wrong = {}
        for ours, metric, slack in _GAUGES:
            measurement, _, field = ours.partition(".")
            key = SeriesKey(measurement, ())
            if key not in before:
                continue  # this host has none
            values = [float(found[key][field]) for found in (before, after)]
            value = theirs[metric, frozenset()]
            if not min(values) - slack <= value <= max(values) + slack:
                wrong[ours] = f"{values} and {value}"
        return wrong

    assert lasting(compare) == {}


def test_file_systems_are_theirs(scrape: Callable[[], Metrics], read_pass: ReadPass, lasting: Lasting) -> None:
    compared = set()

    def compare() -> dict[str, str]:
        before, theirs, after = read_pass(), scrape(), read_pass()
        wrong = {}
        for key in before:
            if key.measurement == "disk":
                path = tag(key.tags, "path") or ""
                metrics = {name: value for (name, labels), value in theirs.items() if ("mountpoint", path) in labels}
                try:
                    _compare_file_system(key, before[key], metrics, after[key])
                    compared.add(path)
                except (AssertionError, KeyError) as error:
                    wrong[path] = repr(error)
        return wrong

    assert lasting(compare) == {}
    assert compared


def _compare_file_system(
    key: SeriesKey, before: Mapping[str, Value], theirs: Mapping[str, float], after: Mapping[str, Value]
) -> None:
    assert theirs["node_filesystem_size_bytes"] == before["total"]
    assert theirs["node_filesystem_files"] == before["inodes_total"]
    assert theirs["node_filesystem_readonly"] == (tag(key.tags, "mode") == "ro")
    for name, metric in (("free", "avail_bytes"), ("inodes_free", "files_free")):
        values = [float(found[name]) for found in (before, after)]
        slack = 512 << 20 if name == "free" else 20_000
        assert min(values) - slack <= theirs[f"node_filesystem_{metric}"] <= max(values) + slack, (name, values)
