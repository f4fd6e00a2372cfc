"""Requests to block devices, from ``/proc/diskstats``."""

from __future__ import annotations

from collections.abc import Mapping

from nodetide_collector.host import Host
from nodetide_collector.probe import Reading, Request, probe
from nodetide_collector.probes._files import MALFORMED, take
from nodetide_collector.probes._names import TagCache
from nodetide_core.points import Value

__all__ = ["DiskIoProbe", "utilisation"]

#: What the kernel calls a sector here is 512 bytes whatever the device (Documentation/admin-guide/iostats.rst).
_SECTOR = 512
_COLUMNS = 11


def utilisation(now: Mapping[str, Value], before: Mapping[str, Value], seconds: float) -> dict[str, Value]:
    """Share of the time between two samples with at least one request in flight, 0 to 100 %.

    Empty where no time passed or the counter went backwards: it wraps after 49 days of work.
    """
    if seconds <= 0 or "io_time" not in now or "io_time" not in before:
        return {}
    busy = float(now["io_time"]) - float(before["io_time"])
    if busy < 0:
        return {}
    # The kernel adds a request's time when it ends, so a share may come out above 100.
    return {"io_util": min(100.0, busy / (10.0 * seconds))}


@probe("diskio", derive=utilisation)
class DiskIoProbe:
    def __init__(self, host: Host) -> None:
        self._host = host
        self._file = host.proc_file("diskstats")
        self._tags = TagCache("name")

    def read(self, request: Request) -> Reading:
        if not self._host.linux:
            from nodetide_collector.probes import _portable

            return _portable.diskio(request)
        reading = Reading()
        data = take(self._host, reading, self._file)
        if data is None:
            return reading
        for line in data.split(b"\n"):
            parts = line.split(None, 3 + _COLUMNS)
            if len(parts) < 3:
                if parts:
                    reading.skip(MALFORMED)
                continue
            name, tags = self._tags.get(parts[2])
            if not request.wants(name):
                continue
            try:
                (
                    reads, merged_reads, read_sectors, read_time,
                    writes, merged_writes, write_sectors, write_time,
                    in_progress, io_time, weighted_io_time,
                ) = map(int, parts[3 : 3 + _COLUMNS])  # fmt: skip
            except ValueError:
                reading.skip(MALFORMED)
                continue
            reading.add(
                "diskio",
                tags,
                {
                    "reads": reads,
                    "writes": writes,
                    "merged_reads": merged_reads,
                    "merged_writes": merged_writes,
                    "read_bytes": read_sectors * _SECTOR,
                    "write_bytes": write_sectors * _SECTOR,
                    "read_time": read_time,
                    "write_time": write_time,
                    "io_time": io_time,
                    "weighted_io_time": weighted_io_time,
                    "iops_in_progress": in_progress,
                },
            )
        return reading
