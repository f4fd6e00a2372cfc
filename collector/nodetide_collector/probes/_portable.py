"""What psutil alone can tell: how the probes serve a system without ``/proc``, such as macOS.

Never used on Linux, where psutil would show a container's own view as the host's.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import Any

import psutil

from nodetide_collector.host import reason
from nodetide_collector.probe import Reading, Request
from nodetide_collector.probes.disk import space
from nodetide_core.points import Value, make_tags

__all__ = ["cpu", "disk", "diskio", "kernel", "linux_cpu", "mem", "net", "processes", "swap", "system"]

_CPU_MODES = ("user", "system", "idle", "nice", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")
_WITHIN_OTHERS = ("idle", "guest", "guest_nice")
_MEM = {"total": "total", "available": "available", "free": "free", "active": "active", "inactive": "inactive"}
_PROCESS_STATES = {
    psutil.STATUS_RUNNING: "running",
    psutil.STATUS_SLEEPING: "sleeping",
    psutil.STATUS_DISK_SLEEP: "blocked",
    psutil.STATUS_STOPPED: "stopped",
    psutil.STATUS_TRACING_STOP: "stopped",
    psutil.STATUS_ZOMBIE: "zombies",
    psutil.STATUS_IDLE: "idle",
}


def cpu(request: Request) -> Reading:
    reading = Reading()
    reading.add("cpu", (("cpu", "cpu-total"),), _cpu_times(psutil.cpu_times()))
    if request.per_cpu:
        for number, times in enumerate(psutil.cpu_times(percpu=True)):
            reading.add("cpu", (("cpu", f"cpu{number}"),), _cpu_times(times))
    return reading


def _cpu_times(times: Any) -> dict[str, Value]:
    found = {mode: float(getattr(times, mode)) for mode in _CPU_MODES if hasattr(times, mode)}
    fields: dict[str, Value] = {f"time_{mode}": seconds for mode, seconds in found.items()}
    fields["time_active"] = sum(seconds for mode, seconds in found.items() if mode not in _WITHIN_OTHERS)
    return fields


def linux_cpu(request: Request) -> Reading:
    reading = Reading()
    if not request.per_cpu:
        return reading
    try:
        frequencies = psutil.cpu_freq(percpu=True) or []
    except (OSError, RuntimeError, AttributeError, NotImplementedError):
        frequencies = []
    if not frequencies:
        reading.skip("this system does not tell CPU frequencies")
    for number, frequency in enumerate(frequencies):
        fields: dict[str, Value] = {"scaling_cur_freq": int(frequency.current * 1000)}
        if frequency.max > 0:
            fields["scaling_min_freq"] = int(frequency.min * 1000)
            fields["scaling_max_freq"] = int(frequency.max * 1000)
        reading.add("linux_cpu", (("cpu", str(number)),), fields)
    return reading


def mem(request: Request) -> Reading:
    reading = Reading()
    memory = psutil.virtual_memory()
    fields: dict[str, Value] = {field: getattr(memory, name) for field, name in _MEM.items() if hasattr(memory, name)}
    used = memory.total - memory.available
    fields["used"] = used
    fields["used_percent"] = 100.0 * used / memory.total
    fields["available_percent"] = 100.0 * memory.available / memory.total
    reading.add("mem", (), fields)
    return reading


def swap(request: Request) -> Reading:
    reading = Reading()
    memory = psutil.swap_memory()
    fields: dict[str, Value] = {"total": memory.total, "used": memory.used, "free": memory.free}
    fields["used_percent"] = 100.0 * memory.used / memory.total if memory.total else 0.0
    fields["in"], fields["out"] = memory.sin, memory.sout
    reading.add("swap", (), fields)
    return reading


def disk(request: Request) -> Reading:
    reading = Reading()
    for partition in psutil.disk_partitions(all=False):
        if not (request.wants_fs_type(partition.fstype) and request.wants(partition.mountpoint)):
            continue
        try:
            fields = space(os.statvfs(partition.mountpoint))
        except OSError as error:
            reading.skip(f"statvfs: {reason(error)}")
            continue
        read_only = "ro" in partition.opts.split(",") or "read-only" in partition.opts.split(",")
        tags = {
            "path": partition.mountpoint,
            "device": partition.device.replace("/dev/", ""),
            "fstype": partition.fstype,
            "mode": "ro" if read_only else "rw",
        }
        reading.add("disk", make_tags(tags), fields)
    return reading


def diskio(request: Request) -> Reading:
    reading = Reading()
    for name, counters in (psutil.disk_io_counters(perdisk=True, nowrap=False) or {}).items():
        if not request.wants(name):
            continue
        fields: dict[str, Value] = {
            "reads": counters.read_count,
            "writes": counters.write_count,
            "read_bytes": counters.read_bytes,
            "write_bytes": counters.write_bytes,
            "read_time": int(counters.read_time),
            "write_time": int(counters.write_time),
        }
        reading.add("diskio", make_tags({"name": name}), fields)
    return reading


def net(request: Request) -> Reading:
    reading = Reading()
    links = psutil.net_if_stats()
    for name, counters in psutil.net_io_counters(pernic=True, nowrap=False).items():
        if not request.wants(name):
            continue
        fields: dict[str, Value] = {
            "bytes_sent": counters.bytes_sent,
            "bytes_recv": counters.bytes_recv,
            "packets_sent": counters.packets_sent,
            "packets_recv": counters.packets_recv,
            "err_in": counters.errin,
            "err_out": counters.errout,
            "drop_in": counters.dropin,
            "drop_out": counters.dropout,
            "speed": (links[name].speed if name in links else 0) or -1,
        }
        reading.add("net", make_tags({"interface": name}), fields)
    return reading


def system(request: Request) -> Reading:
    reading = Reading()
    load1, load5, load15 = psutil.getloadavg()
    fields: dict[str, Value] = {"load1": load1, "load5": load5, "load15": load15}
    fields["n_cpus"] = psutil.cpu_count() or 1
    fields["n_users"] = len(psutil.users())
    fields["uptime"] = max(int(time.time() - psutil.boot_time()), 0)
    reading.add("system", (), fields)
    return reading


def kernel(request: Request) -> Reading:
    reading = Reading()
    counters = psutil.cpu_stats()
    fields: dict[str, Value] = {
        "boot_time": int(psutil.boot_time()),
        "context_switches": counters.ctx_switches,
        "interrupts": counters.interrupts,
    }
    reading.add("kernel", (), fields)
    return reading


def processes(request: Request) -> Reading:
    reading = Reading()
    states: Counter[str] = Counter()
    threads = 0
    for process in psutil.process_iter(["status", "num_threads"]):
        states[_PROCESS_STATES.get(process.info["status"], "")] += 1
        threads += process.info["num_threads"] or 0
    fields: dict[str, Value] = {"total": sum(states.values())}
    fields.update((state, states[state]) for state in _PROCESS_STATES.values())
    fields["total_threads"] = threads
    reading.add("processes", (), fields)
    return reading
