"""The connection tracking table.

``/proc/sys/net`` shows the reader's namespace whatever ``/proc`` it is read through, so the count comes
from ``/proc/1/net/stat/nf_conntrack``; the limit is the kernel's own, and is the same for all.
"""

from __future__ import annotations

from nodetide_collector.host import Host
from nodetide_collector.probe import Reading, Request, probe
from nodetide_collector.probes._files import MALFORMED, init_blocks, needs_linux, take_number
from nodetide_core.points import Value

__all__ = ["ConntrackProbe"]

_ABSENT = "no connection tracking"


@probe("conntrack")
class ConntrackProbe:
    def __init__(self, host: Host) -> None:
        self._host = host

    def read(self, request: Request) -> Reading:
        if not self._host.linux:
            return needs_linux()
        reading = Reading()
        limit = take_number(self._host, reading, self._host.proc_file("sys/net/netfilter/nf_conntrack_max"), _ABSENT)
        if limit is None:
            return reading
        fields: dict[str, Value] = {"ip_conntrack_max": float(limit)}
        count = self._count(reading)
        if count is not None:
            fields["ip_conntrack_count"] = float(count)
            if limit > 0:
                fields["used_percent"] = 100.0 * count / limit
        reading.add("conntrack", (), fields)
        return reading

    def _count(self, reading: Reading) -> int | None:
        attempt = Reading()
        blocks = init_blocks(self._host, attempt, "net/stat/nf_conntrack")
        if blocks is None and self._host.proc == self._host.own_proc:
            # A kernel built without that file; here the reader's namespace is the one we want.
            file = self._host.proc_file("sys/net/netfilter/nf_conntrack_count")
            count = take_number(self._host, Reading(), file)
            if count is not None:
                return count
        reading.skipped.update(attempt.skipped)
        if blocks is None:
            return None
        # A heading, then a line for each CPU that begins with the number of entries of all.
        lines = b"".join(blocks).split(b"\n", 2)
        try:
            return int(lines[1].split(None, 1)[0], 16)
        except (ValueError, IndexError):
            reading.skip(MALFORMED)
            return None
