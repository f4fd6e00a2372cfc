"""The first dashboard: CPU, memory, disk, network and load of the chosen hosts, on the chosen tier."""

from __future__ import annotations

from .panels import Board, Panel, Row, Stat

__all__ = ["BOARD"]

_TOTAL = {"cpu": "cpu-total"}
_CORES = {"cpu": "/^cpu[0-9]+$/"}
_HOST = "${__field.labels.host}"
_FIELD = f"{_HOST} ${{__field.name}}"

BOARD = Board(
    uid="nodetide-system-metrics",
    title="System metrics",
    description="What Nodetide's collectors write: choose a tier that reaches back far enough, and hosts.",
    rows=(
        Row(
            "Now",
            (
                Stat("CPU", "cpu", "usage_active", _TOTAL, levels=(85, 95)),
                Stat("Memory", "mem", "used_percent", levels=(85, 95)),
                Stat("Swap", "swap", "used_percent", levels=(50, 80)),
                Stat(
                    "Disk space",
                    "disk",
                    "used_percent",
                    levels=(85, 95),
                    legend=f"{_HOST} ${{__field.labels.path}}",
                ),
                Stat("Load, 1 min", "system", "load1"),
                Stat("Up for", "system", "uptime"),
            ),
        ),
        Row(
            "CPU",
            (
                Panel("CPU", "cpu", ["usage_active"], _HOST, _TOTAL, most=100),
                Panel(
                    "CPU by what it does",
                    "cpu",
                    ["usage_user", "usage_system", "usage_nice", "usage_iowait", "usage_softirq", "usage_steal"],
                    _FIELD,
                    _TOTAL,
                    stacked=True,
                ),
                Panel("Each core", "cpu", ["usage_active"], f"{_HOST} ${{__field.labels.cpu}}", _CORES, most=100),
                Panel("Load", "system", ["load1", "load5", "load15", "n_cpus"], _FIELD),
            ),
        ),
        Row(
            "Memory",
            (
                Panel("Memory in use", "mem", ["used_percent"], _HOST, most=100),
                Panel("Memory", "mem", ["used", "available", "cached", "buffered"], _FIELD),
                Panel("Swap in use", "swap", ["used_percent"], _HOST, most=100),
                Panel("Swapped in and out", "swap", ["in", "out"], _FIELD),
            ),
        ),
        Row(
            "Disk",
            (
                Panel("Space in use", "disk", ["used_percent"], f"{_HOST} ${{__field.labels.path}}", most=100),
                Panel("Inodes in use", "disk", ["inodes_used_percent"], f"{_HOST} ${{__field.labels.path}}", most=100),
                Panel(
                    "Read and written",
                    "diskio",
                    ["read_bytes", "write_bytes"],
                    f"{_HOST} ${{__field.labels.name}} ${{__field.name}}",
                ),
                Panel("Busy", "diskio", ["io_util"], f"{_HOST} ${{__field.labels.name}}", most=100),
            ),
        ),
        Row(
            "Network",
            (
                Panel(
                    "Received and sent",
                    "net",
                    ["bytes_recv", "bytes_sent"],
                    f"{_HOST} ${{__field.labels.interface}} ${{__field.name}}",
                ),
                Panel(
                    "Packets",
                    "net",
                    ["packets_recv", "packets_sent"],
                    f"{_HOST} ${{__field.labels.interface}} ${{__field.name}}",
                ),
                Panel(
                    "Errors and drops",
                    "net",
                    ["err_in", "err_out", "drop_in", "drop_out"],
                    f"{_HOST} ${{__field.labels.interface}} ${{__field.name}}",
                ),
                Panel(
                    "TCP connections",
                    "netstat",
                    ["tcp_established", "tcp_time_wait", "tcp_listen", "tcp_close_wait"],
                    _FIELD,
                ),
            ),
        ),
    ),
)
