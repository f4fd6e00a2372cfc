"""Counters of the kernel as a whole, from ``/proc/stat``."""

from __future__ import annotations

from nodetide_collector.host import Host
from nodetide_collector.probe import Reading, Request, probe
from nodetide_collector.probes._files import take
from nodetide_collector.probes._meminfo import pick

__all__ = ["KernelProbe"]

_FIELDS = {
    b"btime": "boot_time",
    b"ctxt": "context_switches",
    b"intr": "interrupts",
    b"processes": "processes_forked",
}


@probe("kernel")
class KernelProbe:
    def __init__(self, host: Host) -> None:
        self._host = host
        self._file = host.proc_file("stat")

    def read(self, request: Request) -> Reading:
        if not self._host.linux:
            from nodetide_collector.probes import _portable

            return _portable.kernel(request)
        reading = Reading()
        data = take(self._host, reading, self._file)
        if data is not None:
            # Not the lines of the CPUs, of which there may be many.
            rest = data[max(data.find(b"\nintr "), 0) :]
            reading.add("kernel", (), {**pick(rest, _FIELDS, b" ", reading)})
        return reading
