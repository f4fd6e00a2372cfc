"""Swap space, from ``/proc/meminfo`` and ``/proc/vmstat``."""

from __future__ import annotations

from nodetide_collector.host import Host
from nodetide_collector.probe import Reading, Request, probe
from nodetide_collector.probes._files import take
from nodetide_collector.probes._meminfo import pick
from nodetide_core.points import Value

__all__ = ["SwapProbe"]

_SPACE = {b"SwapTotal": "total", b"SwapFree": "free"}
_TRAFFIC = {b"pswpin": "in", b"pswpout": "out"}


@probe("swap")
class SwapProbe:
    def __init__(self, host: Host) -> None:
        self._host = host
        self._meminfo = host.proc_file("meminfo")
        self._vmstat = host.proc_file("vmstat")

    def read(self, request: Request) -> Reading:
        if not self._host.linux:
            from nodetide_collector.probes import _portable

            return _portable.swap(request)
        reading = Reading()
        fields: dict[str, Value] = {}
        data = take(self._host, reading, self._meminfo)
        if data is not None:
            space = pick(data, _SPACE, b":", reading)
            fields.update((name, number * 1024) for name, number in space.items())
            if len(space) == len(_SPACE):
                used = max(space["total"] - space["free"], 0)
                fields["used"] = used * 1024
                fields["used_percent"] = 100.0 * used / space["total"] if space["total"] > 0 else 0.0
        data = take(self._host, reading, self._vmstat)
        if data is not None:
            traffic = pick(data, _TRAFFIC, b" ", reading)
            fields.update((name, number * self._host.page_size) for name, number in traffic.items())
        reading.add("swap", (), fields)
        return reading
