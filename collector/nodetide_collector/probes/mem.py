"""Memory, from ``/proc/meminfo``."""

from __future__ import annotations

from nodetide_collector.host import Host
from nodetide_collector.probe import Reading, Request, probe
from nodetide_collector.probes._files import MALFORMED, take
from nodetide_collector.probes._meminfo import pick
from nodetide_core.points import Value

__all__ = ["MemProbe", "estimate_available"]

_KIB = {
    b"MemTotal": "total",
    b"MemAvailable": "available",
    b"MemFree": "free",
    b"Active": "active",
    b"Inactive": "inactive",
    b"Buffers": "buffered",
    b"Cached": "cached",
    b"Shmem": "shared",
    b"Slab": "slab",
    b"SReclaimable": "sreclaimable",
    b"SUnreclaim": "sunreclaim",
    b"Dirty": "dirty",
    b"Writeback": "write_back",
    b"Mapped": "mapped",
    b"PageTables": "page_tables",
    b"Committed_AS": "committed_as",
    b"CommitLimit": "commit_limit",
    b"Hugepagesize": "huge_page_size",
}
_PAGES = {b"HugePages_Total": "huge_pages_total", b"HugePages_Free": "huge_pages_free"}
_FILE_PAGES = {b"Active(file)": "active_file", b"Inactive(file)": "inactive_file"}
_WANTED = {**_KIB, **_PAGES}


@probe("mem")
class MemProbe:
    def __init__(self, host: Host) -> None:
        self._host = host
        self._file = host.proc_file("meminfo")

    def read(self, request: Request) -> Reading:
        if not self._host.linux:
            from nodetide_collector.probes import _portable

            return _portable.mem(request)
        reading = Reading()
        data = take(self._host, reading, self._file)
        if data is None:
            return reading
        found = pick(data, _WANTED, b":", reading)
        if "available" not in found:
            self._estimate(data, found, reading)
        fields: dict[str, Value] = {
            name: number if name in _PAGES.values() else number * 1024 for name, number in found.items()
        }
        if "cached" in found:
            fields["cached"] = (found["cached"] + found.get("sreclaimable", 0)) * 1024
        total, available = found.get("total", 0), found.get("available")
        if total > 0 and available is not None:
            used = max(total - available, 0)
            fields["used"] = used * 1024
            fields["used_percent"] = 100.0 * used / total
            fields["available_percent"] = 100.0 * available / total
        reading.add("mem", (), fields)
        return reading

    def _estimate(self, data: bytes, found: dict[str, int], reading: Reading) -> None:
        """Kernels before 3.14 do not say what is available."""
        files = pick(data, _FILE_PAGES, b":", reading)
        zones = take(self._host, reading, self._host.proc_file("zoneinfo"))
        if zones is None or len(files) < len(_FILE_PAGES) or "free" not in found:
            reading.skip("no MemAvailable")
            return
        try:
            low_pages = sum(int(line.split()[1]) for line in zones.split(b"\n") if line.split()[:1] == [b"low"])
        except (ValueError, IndexError):
            reading.skip(MALFORMED)
            return
        found["available"] = estimate_available(
            free=found["free"],
            page_cache=files["active_file"] + files["inactive_file"],
            reclaimable=found.get("sreclaimable", 0),
            low_watermark=low_pages * self._host.page_size // 1024,
        )


def estimate_available(*, free: int, page_cache: int, reclaimable: int, low_watermark: int) -> int:
    """What the kernel itself computes as MemAvailable since 3.14; all in KiB.

    Half of each cache, or as much as the low watermark, counts as needed.
    """
    available = free - low_watermark
    available += page_cache - min(page_cache // 2, low_watermark)
    available += reclaimable - min(reclaimable // 2, low_watermark)
    return max(available, 0)
