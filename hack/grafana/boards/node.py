"""One host in depth: everything that its collector writes on nearly every machine."""

from __future__ import annotations

from .panels import Board, Panel, Row, Stat

__all__ = ["BOARD"]

_TOTAL = {"cpu": "cpu-total"}
_CORES = {"cpu": "/^cpu[0-9]+$/"}
_FIELD = "${__field.name}"
_INTERFACE = f"${{__field.labels.interface}} {_FIELD}"
_DISK = f"${{__field.labels.name}} {_FIELD}"
_WAITING = "${__field.labels.resource} ${__field.labels.type}"

BOARD = Board(
    uid="nodetide-node",
    title="Node in depth",
    description="One host: where its time, memory, disks and network go.",
    one_host=True,
    rows=(
        Row(
            "Now",
            (
                Stat("CPU", "cpu", "usage_active", _TOTAL, levels=(85, 95), legend=""),
                Stat("Memory", "mem", "used_percent", levels=(85, 95), legend=""),
                Stat("Fullest disk", "disk", "used_percent", levels=(85, 95), legend="${__field.labels.path}"),
                Stat("Load, 1 min", "system", "load1", legend=""),
                Stat("CPUs", "system", "n_cpus", legend=""),
                Stat("Up for", "system", "uptime", legend=""),
            ),
        ),
        Row(
            "CPU",
            (
                Panel(
                    "By what it does", "cpu",
                    ["usage_user", "usage_system", "usage_nice", "usage_iowait", "usage_irq", "usage_softirq",
                     "usage_steal"],
                    _FIELD, _TOTAL, stacked=True,
                ),
                Panel("Each core", "cpu", ["usage_active"], "${__field.labels.cpu}", _CORES, most=100),
                Panel("Load", "system", ["load1", "load5", "load15"], _FIELD),
                Panel("Waiting for CPU, memory, disks", "pressure", ["avg10"], _WAITING, most=100),
                Panel("Switches and interrupts", "kernel", ["context_switches", "interrupts"], _FIELD),
                Panel("Error of the clock, at most", "timex", ["max_error"], _FIELD),
                Panel("Processes", "processes", ["running", "sleeping", "blocked", "zombies"], _FIELD),
            ),
        ),
        Row(
            "Memory",
            (
                Panel("What it is used for", "mem", ["used", "cached", "buffered", "slab"], _FIELD, stacked=True),
                Panel("Available", "mem", ["available"], _FIELD),
                Panel("Being written", "mem", ["dirty", "write_back"], _FIELD),
                Panel("Page faults", "kernel_vmstat", ["pgfault", "pgmajfault"], _FIELD),
                Panel("Swapped in and out", "swap", ["in", "out"], _FIELD),
                Panel("Killed for want of memory", "kernel_vmstat", ["oom_kill"], _FIELD),
            ),
        ),
        Row(
            "Disks",
            (
                Panel("Space in use", "disk", ["used_percent"], "${__field.labels.path}", most=100),
                Panel("Inodes in use", "disk", ["inodes_used_percent"], "${__field.labels.path}", most=100),
                Panel("Read and written", "diskio", ["read_bytes", "write_bytes"], _DISK),
                Panel("Requests", "diskio", ["reads", "writes"], _DISK),
                Panel("Busy", "diskio", ["io_util"], "${__field.labels.name}", most=100),
                Panel("Under way", "diskio", ["iops_in_progress"], "${__field.labels.name}"),
            ),
        ),
        Row(
            "Network",
            (
                Panel("Received and sent", "net", ["bytes_recv", "bytes_sent"], _INTERFACE),
                Panel("Packets", "net", ["packets_recv", "packets_sent"], _INTERFACE),
                Panel("Errors and drops", "net", ["err_in", "err_out", "drop_in", "drop_out"], _INTERFACE),
                Panel(
                    "TCP connections", "netstat",
                    ["tcp_established", "tcp_time_wait", "tcp_close_wait", "tcp_syn_recv"], _FIELD,
                ),
                Panel("Sockets", "sockstat", ["sockets_used", "tcp_inuse", "udp_inuse"], _FIELD),
                Panel("Open files", "linux_sysctl_fs", ["file-nr"], _FIELD),
            ),
        ),
    ),
)  # fmt: skip
