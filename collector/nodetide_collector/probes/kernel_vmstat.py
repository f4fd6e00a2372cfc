"""Paging and out-of-memory counters, from ``/proc/vmstat``."""

from __future__ import annotations

from nodetide_collector.host import Host
from nodetide_collector.probe import Reading, Request, probe
from nodetide_collector.probes._files import needs_linux, take
from nodetide_collector.probes._meminfo import pick

__all__ = ["KernelVmstatProbe"]

_FIELDS = {name.encode(): name for name in ("pgfault", "pgmajfault", "pswpin", "pswpout", "oom_kill")}


@probe("kernel_vmstat")
class KernelVmstatProbe:
    def __init__(self, host: Host) -> None:
        self._host = host
        self._file = host.proc_file("vmstat")

    def read(self, request: Request) -> Reading:
        if not self._host.linux:
            return needs_linux()
        reading = Reading()
        data = take(self._host, reading, self._file)
        if data is not None:
            reading.add("kernel_vmstat", (), {**pick(data, _FIELDS, b" ", reading)})
        return reading
