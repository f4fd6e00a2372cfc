"""All hosts at a glance: how many there are, and which are the fullest."""

from __future__ import annotations

from .panels import Age, Board, Count, Panel, Ranking, Row

__all__ = ["BOARD"]

_TOTAL = {"cpu": "cpu-total"}
_ALL_GROUPS = {"group": "all"}
_HOST = "${__field.labels.host}"

BOARD = Board(
    uid="nodetide-fleet",
    title="Fleet",
    description="All hosts of a policy: who reports, and who is the busiest, the fullest, the slowest.",
    rows=(
        Row(
            "Hosts",
            (
                Count("Hosts that reported", "collector", "success", _ALL_GROUPS),
                Age("Since the newest point", "collector", "success", _ALL_GROUPS, levels=(60, 300), width=20),
            ),
        ),
        Row(
            "The largest, now",
            (
                Ranking("CPU", "cpu", "usage_active", "host", _TOTAL, levels=(85, 95), most=100),
                Ranking("Memory", "mem", "used_percent", "host", levels=(85, 95), most=100),
                Ranking("Disk space", "disk", "used_percent", "host", levels=(85, 95), most=100),
                Ranking("Load, 5 min", "system", "load5", "host"),
                Ranking(
                    "Waiting for CPU", "pressure", "avg60", "host",
                    {"resource": "cpu", "type": "some"}, levels=(20, 50), most=100,
                ),
                Ranking(
                    "Waiting for disks", "pressure", "avg60", "host",
                    {"resource": "io", "type": "some"}, levels=(20, 50), most=100,
                ),
            ),
        ),
        Row(
            "Over time",
            (
                Panel("CPU", "cpu", ["usage_active"], _HOST, _TOTAL, most=100),
                Panel("Memory in use", "mem", ["used_percent"], _HOST, most=100),
                Panel("Received", "net", ["bytes_recv"], f"{_HOST} ${{__field.labels.interface}}"),
                Panel("Sent", "net", ["bytes_sent"], f"{_HOST} ${{__field.labels.interface}}"),
            ),
        ),
    ),
)  # fmt: skip
