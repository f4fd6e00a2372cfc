"""Our values on this host against independent readings: /proc read in another way, and psutil."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import pytest
from tests.fixtures.hosts.check import problems

from nodetide_core.catalogue import CATALOGUE, Kind
from nodetide_core.points import SeriesKey, Value

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's files")

Pass = Mapping[SeriesKey, Mapping[str, Value]]
ReadPass = Callable[[], Pass]
Lasting = Callable[[Callable[[], Mapping[str, str]]], Mapping[str, str]]


def counters(found: Pass) -> dict[tuple[SeriesKey, str], float]:
    """Values of counters by series and field."""
    return {
        (key, name): float(value)
        for key, fields in found.items()
        for name, value in fields.items()
        if CATALOGUE[key.measurement].by_name[name].kind is Kind.COUNTER
    }


def between(before: Pass, theirs: Mapping[tuple[SeriesKey, str], float], after: Pass) -> dict[str, str]:
    """Counters of theirs that are not between ours before and ours after, or that we lack."""
    low, high = counters(before), counters(after)
    lacking = float("inf")
    return {
        f"{key.measurement}.{name} {dict(key.tags)}": f"{low.get((key, name))} <= {value} <= {high.get((key, name))}"
        for (key, name), value in theirs.items()
        if not low.get((key, name), lacking) - 1e-6 <= value <= high.get((key, name), -lacking) + 1e-6
    }


def series(measurement: str, **tags: str) -> SeriesKey:
    return SeriesKey(measurement, tuple(sorted(tags.items())))


def test_every_value_is_what_the_catalogue_promises(read_pass: ReadPass) -> None:
    from nodetide_collector.probe import Sample

    found = read_pass()
    assert problems(Sample(key.measurement, key.tags, dict(fields)) for key, fields in found.items()) == []
    assert {"cpu", "mem", "net", "diskio", "disk", "system", "kernel", "processes", "netstat"} <= {
        key.measurement for key in found
    }


def test_counters_against_psutil(read_pass: ReadPass, lasting: Lasting) -> None:
    assert lasting(lambda: against_psutil(read_pass)) == {}


def against_psutil(read_pass: ReadPass) -> dict[str, str]:
    before = read_pass()
    theirs: dict[tuple[SeriesKey, str], float] = {}
    for number, times in enumerate(psutil.cpu_times(percpu=True)):
        for mode in ("user", "nice", "system", "irq", "softirq", "steal", "guest", "guest_nice"):
            theirs[series("cpu", cpu=f"cpu{number}"), f"time_{mode}"] = getattr(times, mode)
    for name, disk in psutil.disk_io_counters(perdisk=True, nowrap=False).items():
        key = series("diskio", name=name)
        theirs |= {
            (key, "reads"): disk.read_count,
            (key, "writes"): disk.write_count,
            (key, "read_bytes"): disk.read_bytes,
            (key, "write_bytes"): disk.write_bytes,
            (key, "read_time"): disk.read_time,
            (key, "write_time"): disk.write_time,
            (key, "io_time"): disk.busy_time,
            (key, "merged_reads"): disk.read_merged_count,
            (key, "merged_writes"): disk.write_merged_count,
        }
    for name, link in psutil.net_io_counters(pernic=True, nowrap=False).items():
        key = series("net", interface=name)
        theirs |= {
            (key, "bytes_sent"): link.bytes_sent,
            (key, "bytes_recv"): link.bytes_recv,
            (key, "packets_sent"): link.packets_sent,
            (key, "packets_recv"): link.packets_recv,
            (key, "err_in"): link.errin,
            (key, "err_out"): link.errout,
            (key, "drop_in"): link.dropin,
            (key, "drop_out"): link.dropout,
        }
    kernel = psutil.cpu_stats()
    theirs[series("kernel"), "context_switches"] = kernel.ctx_switches
    theirs[series("kernel"), "interrupts"] = kernel.interrupts
    assert len(theirs) > 20
    return between(before, theirs, read_pass())


def test_counters_against_the_files(read_pass: ReadPass, lasting: Lasting) -> None:
    assert lasting(lambda: against_the_files(read_pass)) == {}


def against_the_files(read_pass: ReadPass) -> dict[str, str]:
    before = read_pass()
    theirs: dict[tuple[SeriesKey, str], float] = {}
    vmstat = dict(line.split() for line in Path("/proc/vmstat").read_text().splitlines())
    for name in ("pgfault", "pgmajfault", "pswpin", "pswpout", "oom_kill"):
        if name in vmstat:
            theirs[series("kernel_vmstat"), name] = int(vmstat[name])
    theirs[series("swap"), "in"] = int(vmstat["pswpin"]) * os.sysconf("SC_PAGE_SIZE")
    forked = re.search(r"^processes (\d+)$", Path("/proc/stat").read_text(), re.MULTILINE)
    assert forked is not None
    theirs[series("kernel"), "processes_forked"] = int(forked[1])
    for resource in ("cpu", "memory", "io"):
        file = Path("/proc/pressure") / resource
        for kind, total in re.findall(
            r"^(some|full).*total=(\d+)$", file.read_text() if file.exists() else "", re.MULTILINE
        ):
            if (resource, kind) != ("cpu", "full"):
                theirs[series("pressure", resource=resource, type=kind), "total"] = int(total)
    names, values = (
        line.split()[1:] for line in Path("/proc/1/net/snmp").read_text().splitlines() if line.startswith("Tcp:")
    )
    tcp = dict(zip(names, map(int, values), strict=True))
    for field, name in (("retranssegs", "RetransSegs"), ("outrsts", "OutRsts"), ("estabresets", "EstabResets")):
        theirs[series("net", interface="all"), f"tcp_{field}"] = tcp[name]
    rows = [line.split() for line in Path("/proc/1/net/softnet_stat").read_text().splitlines()]
    theirs[series("softnet", cpu="cpu-total"), "processed"] = sum(int(row[0], 16) for row in rows)
    return between(before, theirs, read_pass())


def test_gauges_that_do_not_move_are_equal(read_pass: ReadPass) -> None:
    found = read_pass()
    memory = psutil.virtual_memory()
    assert found[series("mem")]["total"] == memory.total
    assert found[series("swap")]["total"] == psutil.swap_memory().total
    system = found[series("system")]
    assert system["n_cpus"] == psutil.cpu_count()
    assert found[series("kernel")]["boot_time"] == psutil.boot_time()
    usage = psutil.disk_usage("/")
    root = next(fields for key, fields in found.items() if key.measurement == "disk" and ("path", "/") in key.tags)
    assert root["total"] == usage.total


def test_gauges_that_move_are_within_sampling_error(read_pass: ReadPass, lasting: Lasting) -> None:
    assert lasting(lambda: moved(read_pass)) == {}


def moved(read_pass: ReadPass) -> dict[str, str]:
    """Gauges that are further from another reading than what others may take or give back meanwhile."""
    before, memory, usage, pids, after = (
        read_pass(),
        psutil.virtual_memory(),
        psutil.disk_usage("/"),
        len(psutil.pids()),
        read_pass(),
    )
    slack = 256 << 20
    used = [
        float(next(f for k, f in found.items() if k.measurement == "disk" and ("path", "/") in k.tags)["used"])
        for found in (before, after)
    ]
    compared = {
        **{
            name: ([float(found[series("mem")][name]) for found in (before, after)], getattr(memory, name), slack)
            for name in ("available", "free", "cached")
        },
        "used": (used, usage.used, slack),
        "processes": ([float(found[series("processes")]["total"]) for found in (before, after)], pids, 30),
    }
    return {
        name: f"{values} and {value}"
        for name, (values, value, room) in compared.items()
        if not min(values) - room <= value <= max(values) + room
    }


def test_our_own_sockets_are_counted(lasting: Lasting) -> None:
    """So many connections more are so many more on both of their ends, in either family; others come and go."""
    from nodetide_collector.host import Host
    from nodetide_collector.probe import Request
    from nodetide_collector.probes._sock_diag import sees_host, tcp_states
    from nodetide_collector.probes.netstat import NetstatProbe

    def by_files() -> Counter[int]:
        raise OSError("use the files")

    probes = [NetstatProbe(Host(), by_files)]
    if sees_host(Host()):
        probes.append(NetstatProbe(Host(), tcp_states))

    def compare(probe: NetstatProbe) -> dict[str, str]:
        with socket.create_server(("127.0.0.1", 0), backlog=200) as server:
            before = probe.read(Request()).samples[0].fields
            ends: list[socket.socket] = []
            try:
                for _ in range(150):
                    ends += [socket.create_connection(server.getsockname()), server.accept()[0]]
                after = probe.read(Request()).samples[0].fields
                theirs = Counter(c.status for c in psutil.net_connections("tcp"))
            finally:
                for end in ends:
                    end.close()
        grown = float(after["tcp_established"]) - float(before["tcp_established"])
        differences = {  # by how much, and by how much they may for those of others
            "grown": (grown - 300, 60),
            "established": (float(after["tcp_established"]) - theirs["ESTABLISHED"], 60),
            "listen": (float(after["tcp_listen"]) - theirs["LISTEN"], 20),
        }
        return {name: f"by {by}" for name, (by, room) in differences.items() if abs(by) > room}

    for probe in probes:
        assert lasting(lambda probe=probe: compare(probe)) == {}


_AS_NOBODY = """
import ctypes, os, sys  # what is imported later, nobody may be allowed to read
import nodetide_collector.probes
from nodetide_collector.host import Host
from nodetide_collector.probe import registered, Request
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
for name, registration in sorted(registered().items()):
    reading = registration.make(Host()).read(Request())
    print(name, len(reading.samples), sorted(reading.skipped))
"""

_ELSEWHERE = """
import nodetide_collector.probes
from pathlib import Path
from nodetide_collector.host import Host
from nodetide_collector.probe import registered, Request
from nodetide_collector.probes._sock_diag import sees_host
host = Host(proc=Path("/proc"), own_proc=Path("/proc/self/root/proc"))
reading = registered()["net"].make(host).read(Request())
print(*sorted(dict(sample.tags)["interface"] for sample in reading.samples))
print(sees_host(Host()), *sorted(line.split(":")[0].strip() for line in open("/proc/self/net/dev") if ":" in line))
"""


def _script(code: str, *prefix: str) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [*prefix, sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=180
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")
def test_an_unprivileged_user_sees_the_same(read_pass: ReadPass, lasting: Lasting) -> None:
    """As the DaemonSet runs: uid 65534, no capabilities."""

    def compare() -> dict[str, str]:
        lines = [line.split(" ", 2) for line in _script(_AS_NOBODY).splitlines()]
        ours = Counter(key.measurement for key in read_pass())
        return {
            name: f"{count} series instead of {ours[name]}, {skipped}"
            for name, count, skipped in lines
            if name != "disk" and (int(count) != ours[name] or "permission denied" in skipped)
        }

    assert lasting(compare) == {}


@pytest.mark.skipif(os.getuid() != 0 or shutil.which("unshare") is None, reason="needs root and unshare")
def test_from_another_network_namespace_the_host_is_seen(read_pass: ReadPass, lasting: Lasting) -> None:
    """As in a pod without hostNetwork: what we read is the host's, and we know that netlink would not be."""

    def compare() -> dict[str, str]:
        host, own = _script(_ELSEWHERE, "unshare", "--net").splitlines()
        assert own.split() == ["False", "lo"]
        expected = sorted(dict(key.tags)["interface"] for key in read_pass() if key.measurement == "net")
        return {} if host.split() == expected else {"net": f"{host} instead of {expected}"}

    assert lasting(compare) == {}
