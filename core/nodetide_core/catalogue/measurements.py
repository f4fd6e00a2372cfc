"""Every measurement Nodetide writes.

Names, types and tags follow Telegraf's input plugins; meanings follow the kernel's own documents
(proc(5), Documentation/admin-guide/iostats.rst, Documentation/accounting/psi.rst).
"""

from __future__ import annotations

from collections.abc import Iterable

from nodetide_core.catalogue.model import Catalogue, Field, Kind, Measurement, Platform, Tag, Type, Unit

__all__ = ["CATALOGUE"]


def _gauge(name: str, unit: Unit, help: str, type: Type = Type.INT) -> Field:
    return Field(name, type, unit, Kind.GAUGE, help)


def _counter(name: str, unit: Unit, help: str, type: Type = Type.INT) -> Field:
    return Field(name, type, unit, Kind.COUNTER, help)


def _percent(name: str, help: str) -> Field:
    return Field(name, Type.FLOAT, Unit.PERCENT, Kind.GAUGE, help)


def _bytes(items: Iterable[tuple[str, str]]) -> tuple[Field, ...]:
    return tuple(_gauge(name, Unit.BYTES, help) for name, help in items)


def _counts(items: Iterable[tuple[str, str]]) -> tuple[Field, ...]:
    return tuple(_gauge(name, Unit.COUNT, help) for name, help in items)


def _totals(items: Iterable[tuple[str, str]], unit: Unit = Unit.COUNT) -> tuple[Field, ...]:
    return tuple(_counter(name, unit, help) for name, help in items)


_CPU_MODES = (
    ("user", "running user code, without nice and guest time"),
    ("system", "running kernel code"),
    ("idle", "idle"),
    ("nice", "running user code at lowered priority"),
    ("iowait", "idle while a disk request was outstanding"),
    ("irq", "serving interrupts"),
    ("softirq", "serving soft interrupts"),
    ("steal", "taken by the hypervisor for other guests"),
    ("guest", "running guests' CPUs"),
    ("guest_nice", "running guests' CPUs at lowered priority"),
    ("active", "not idle: everything but idle"),
)

#: The kernel counts guests' time as user time, too; the shares take it out again, as Telegraf does.
_CPU_TIMES = {
    "user": "running user code and guests' CPUs, without nice time",
    "nice": "running user code and guests' CPUs at lowered priority",
}

_CPU = Measurement(
    "cpu",
    "Time of the CPUs, all together and one by one.",
    (
        *(_percent(f"usage_{mode}", f"Share of time {text}.") for mode, text in _CPU_MODES),
        *(
            Field(
                f"time_{mode}",
                Type.FLOAT,
                Unit.SECONDS,
                Kind.COUNTER,
                f"Time {_CPU_TIMES.get(mode, text)}, since boot.",
            )
            for mode, text in _CPU_MODES
        ),
    ),
    (Tag("cpu", "`cpu-total` for all together, `cpu0` and so on for one."),),
    platform=Platform.ANY,
)

_LINUX_CPU = Measurement(
    "linux_cpu",
    "Frequency and thermal throttling of each CPU.",
    (
        _gauge("scaling_cur_freq", Unit.KILOHERTZ, "Frequency now."),
        _gauge("scaling_min_freq", Unit.KILOHERTZ, "Lowest frequency the governor may choose."),
        _gauge("scaling_max_freq", Unit.KILOHERTZ, "Highest frequency the governor may choose."),
        _counter("throttle_count", Unit.COUNT, "Times the core was slowed because of heat."),
    ),
    (Tag("cpu", "Number of the CPU: `0` and so on, as Telegraf has it."),),
    interval=10,
    platform=Platform.ANY,
)

_MEM = Measurement(
    "mem",
    "Memory of the node.",
    (
        *_bytes(
            (
                ("total", "Usable memory."),
                ("available", "Memory that new work can have without swapping (MemAvailable)."),
                ("used", "Total less available."),
                ("free", "Memory used for nothing at all."),
                ("active", "Recently used; reclaimed last."),
                ("inactive", "Less recently used; reclaimed first."),
                ("buffered", "Raw disk blocks in memory (Buffers)."),
                ("cached", "File contents in memory and slab that can be given back (Cached + SReclaimable)."),
                ("shared", "Shared memory and tmpfs (Shmem)."),
                ("slab", "The kernel's own data structures."),
                ("sreclaimable", "Slab that can be given back."),
                ("sunreclaim", "Slab that cannot be given back."),
                ("dirty", "Waiting to be written to disk."),
                ("write_back", "Being written to disk now."),
                ("mapped", "Files mapped into processes."),
                ("page_tables", "Page tables."),
                ("committed_as", "Memory promised to processes."),
                ("commit_limit", "Memory that may be promised under strict overcommit."),
                ("huge_page_size", "Size of one huge page."),
            )
        ),
        _gauge("huge_pages_total", Unit.PAGES, "Size of the pool of huge pages."),
        _gauge("huge_pages_free", Unit.PAGES, "Huge pages not allocated yet."),
        _percent("used_percent", "Used share of total."),
        _percent("available_percent", "Available share of total."),
    ),
    platform=Platform.ANY,
)

_SWAP = Measurement(
    "swap",
    "Swap space.",
    (
        *_bytes((("total", "Size of swap."), ("used", "Swap in use."), ("free", "Swap not in use."))),
        _percent("used_percent", "Used share of total; 0 without swap."),
        _counter("in", Unit.BYTES, "Read back from swap since boot."),
        _counter("out", Unit.BYTES, "Written to swap since boot."),
    ),
    platform=Platform.ANY,
)

_DISK = Measurement(
    "disk",
    "Space and inodes of mounted file systems.",
    (
        *_bytes(
            (
                ("total", "Size of the file system."),
                ("used", "Bytes in use."),
                ("free", "Bytes that ordinary users may still use."),
            )
        ),
        _percent("used_percent", "used / (used + free): what df shows."),
        *_counts(
            (
                ("inodes_total", "Inodes of the file system; 0 where it has no fixed number."),
                ("inodes_used", "Inodes in use."),
                ("inodes_free", "Inodes not in use."),
            )
        ),
        _percent("inodes_used_percent", "Used share of inodes."),
        _gauge(
            "forced_read_only",
            Unit.COUNT,
            "1 where the kernel made it read-only, mostly after an error, though it is mounted to be written; else 0.",
        ),
    ),
    (
        Tag("path", "Mount point on the node."),
        Tag("device", "Device, without `/dev/`."),
        Tag("fstype", "Type of the file system."),
        Tag("mode", "`rw` or `ro`."),
    ),
    interval=10,
    filter_tag="path",
    platform=Platform.ANY,
)

_DISKIO = Measurement(
    "diskio",
    "Requests to block devices.",
    (
        *_totals(
            (
                ("reads", "Reads completed."),
                ("writes", "Writes completed."),
                ("merged_reads", "Reads merged with a neighbour before they were queued."),
                ("merged_writes", "Writes merged with a neighbour before they were queued."),
            )
        ),
        *_totals((("read_bytes", "Bytes read."), ("write_bytes", "Bytes written.")), Unit.BYTES),
        *_totals(
            (
                ("read_time", "Time spent in reads, summed over requests."),
                ("write_time", "Time spent in writes, summed over requests."),
                ("io_time", "Time with at least one request in flight."),
                ("weighted_io_time", "Time in requests, weighted by their number."),
            ),
            Unit.MILLISECONDS,
        ),
        _gauge("iops_in_progress", Unit.COUNT, "Requests in flight now."),
        _percent("io_util", "Share of time with at least one request in flight. No value on the first sample."),
    ),
    (Tag("name", "Device, such as `sda` or `nvme0n1p1`."),),
    filter_tag="name",
    platform=Platform.ANY,
)

_NET = Measurement(
    "net",
    "Network interfaces; and, as interface `all`, the node's TCP and UDP troubles.",
    (
        *_totals((("bytes_sent", "Bytes sent."), ("bytes_recv", "Bytes received.")), Unit.BYTES),
        *_totals(
            (
                ("packets_sent", "Packets sent."),
                ("packets_recv", "Packets received."),
                ("err_in", "Receive errors."),
                ("err_out", "Send errors."),
                ("drop_in", "Received packets dropped."),
                ("drop_out", "Packets dropped before they were sent."),
            )
        ),
        _gauge("speed", Unit.MEGABITS, "Link speed per second; -1 where the driver does not know."),
        *_totals(
            (
                ("tcp_retranssegs", "TCP segments sent again. Interface `all`."),
                ("tcp_outrsts", "TCP resets sent. Interface `all`."),
                ("tcp_estabresets", "Established TCP connections reset. Interface `all`."),
                ("tcp_attemptfails", "TCP connection attempts that failed. Interface `all`."),
                ("tcp_inerrs", "Bad TCP segments received. Interface `all`."),
                ("udp_inerrors", "UDP datagrams that could not be delivered. Interface `all`."),
                ("udp_noports", "UDP datagrams for a port nobody listens on. Interface `all`."),
                ("udp_rcvbuferrors", "UDP datagrams dropped: receive buffer full. Interface `all`."),
                ("udp_sndbuferrors", "UDP datagrams dropped: send buffer full. Interface `all`."),
            )
        ),
    ),
    (Tag("interface", "Interface, or `all` for the protocol counters."),),
    filter_tag="interface",
    platform=Platform.ANY,
)

_NETSTAT = Measurement(
    "netstat",
    "Sockets of the node by state (IPv4 and IPv6).",
    _counts(
        (
            ("tcp_established", "Open connections."),
            ("tcp_syn_sent", "Waiting for the answer to a SYN."),
            ("tcp_syn_recv", "SYN received, handshake not finished."),
            ("tcp_fin_wait1", "Closed here, FIN sent."),
            ("tcp_fin_wait2", "Closed here, waiting for the peer's FIN."),
            ("tcp_time_wait", "Closed, waiting out late packets."),
            ("tcp_close", "Not in use."),
            ("tcp_close_wait", "Closed by the peer, not yet by us: rising numbers are a leak."),
            ("tcp_last_ack", "Waiting for the last ACK."),
            ("tcp_listen", "Listening."),
            ("tcp_closing", "Both sides closed at once."),
            ("udp_socket", "UDP sockets."),
        )
    ),
    interval=10,
)

_SYSTEM = Measurement(
    "system",
    "Load, users and uptime.",
    (
        Field("load1", Type.FLOAT, Unit.NONE, Kind.GAUGE, "Tasks running or in uninterruptible sleep, mean of 1 min."),
        Field("load5", Type.FLOAT, Unit.NONE, Kind.GAUGE, "The same over 5 min."),
        Field("load15", Type.FLOAT, Unit.NONE, Kind.GAUGE, "The same over 15 min."),
        _gauge("n_cpus", Unit.COUNT, "CPUs online."),
        _gauge("n_users", Unit.COUNT, "Sessions of logged-in users."),
        _gauge("uptime", Unit.SECONDS, "Time since boot."),
    ),
    platform=Platform.ANY,
)

_KERNEL = Measurement(
    "kernel",
    "Counters of the kernel as a whole.",
    (
        _gauge("boot_time", Unit.TIMESTAMP, "Unix time of the boot."),
        *_totals(
            (
                ("context_switches", "Context switches."),
                ("interrupts", "Interrupts served."),
                ("processes_forked", "Processes and threads created."),
            )
        ),
    ),
    platform=Platform.ANY,
)

_KERNEL_VMSTAT = Measurement(
    "kernel_vmstat",
    "Paging and out-of-memory counters.",
    _totals(
        (
            ("pgfault", "Page faults."),
            ("pgmajfault", "Page faults that had to read a disk."),
            ("pswpin", "Pages read back from swap."),
            ("pswpout", "Pages written to swap."),
            ("oom_kill", "Processes killed because memory ran out."),
        )
    ),
)

_PRESSURE = Measurement(
    "pressure",
    "Pressure stall information: time that tasks waited for a resource.",
    (
        _percent("avg10", "Share of the last 10 s."),
        _percent("avg60", "Share of the last 60 s."),
        _percent("avg300", "Share of the last 300 s."),
        _counter("total", Unit.MICROSECONDS, "Time waited, since boot."),
    ),
    (
        Tag("resource", "`cpu`, `memory`, `io` or `irq`."),
        Tag("type", "`some`: at least one task waited; `full`: all of them did."),
    ),
)

_PROCESSES = Measurement(
    "processes",
    "Processes of the node by state.",
    _counts(
        (
            ("total", "Processes."),
            ("running", "On a CPU or ready to be."),
            ("sleeping", "Waiting for an event."),
            ("blocked", "In uninterruptible sleep, mostly waiting for a disk."),
            ("stopped", "Stopped by a signal or a debugger."),
            ("zombies", "Dead, not yet reaped by their parent."),
            ("idle", "Idle kernel threads."),
            ("total_threads", "Threads of all processes."),
        )
    ),
    interval=10,
    platform=Platform.ANY,
)

_CONNTRACK = Measurement(
    "conntrack",
    "The connection tracking table; full, new connections are dropped.",
    (
        # Floats, and "ip_" whatever the kernel calls its files: as Telegraf has it.
        Field("ip_conntrack_count", Type.FLOAT, Unit.COUNT, Kind.GAUGE, "Entries in use."),
        Field("ip_conntrack_max", Type.FLOAT, Unit.COUNT, Kind.GAUGE, "Entries the table can hold."),
        _percent("used_percent", "Used share of the table."),
    ),
)

_SYSCTL_FS = Measurement(
    "linux_sysctl_fs",
    "Kernel tables of files, inodes and asynchronous requests.",
    (
        *_counts(
            (
                ("file-nr", "Open file handles."),
                ("file-max", "File handles the kernel allows."),
                ("inode-nr", "Inodes in memory."),
                ("inode-free-nr", "Inodes in memory that are free."),
                ("dentry-nr", "Directory entries in memory."),
                ("dentry-unused-nr", "Directory entries in memory that are unused."),
                ("aio-nr", "Asynchronous requests allocated."),
                ("aio-max-nr", "Asynchronous requests the kernel allows."),
            )
        ),
        _percent("file-used-percent", "Open share of the file handles that the kernel allows."),
    ),
    interval=10,
)

_TEMP = Measurement(
    "temp",
    "Temperatures the hardware reports.",
    (Field("temp", Type.FLOAT, Unit.CELSIUS, Kind.GAUGE, "Temperature."),),
    (Tag("sensor", "Chip and label, such as `coretemp_package_id_0`."),),
    interval=10,
    filter_tag="sensor",
)

_TIMEX = Measurement(
    "timex",
    "The clock, and how well it is kept in time, as adjtimex(2) tells.",
    (
        Field("offset", Type.FLOAT, Unit.SECONDS, Kind.GAUGE, "What the kernel has yet to correct the clock by."),
        Field("estimated_error", Type.FLOAT, Unit.SECONDS, Kind.GAUGE, "Error that the time daemon estimates."),
        Field("max_error", Type.FLOAT, Unit.SECONDS, Kind.GAUGE, "Error that the clock has at most; grows until 16 s."),
        _gauge("sync_status", Unit.COUNT, "1 while something keeps the clock in time, else 0."),
    ),
    interval=10,
)

_SOCKSTAT = Measurement(
    "sockstat",
    "Sockets in use and the memory they hold.",
    (
        *_counts(
            (
                ("sockets_used", "Sockets of all kinds."),
                ("tcp_inuse", "TCP sockets of IPv4 and IPv6, without those waiting in time-wait."),
                ("tcp_orphan", "TCP sockets no process holds any more."),
                ("tcp_tw", "TCP sockets in time-wait."),
                ("tcp_alloc", "TCP sockets allocated."),
                ("udp_inuse", "UDP sockets of IPv4 and IPv6."),
                ("raw_inuse", "Raw sockets of IPv4 and IPv6."),
            )
        ),
        _gauge("tcp_mem", Unit.PAGES, "Memory of TCP buffers."),
        _gauge("udp_mem", Unit.PAGES, "Memory of UDP buffers."),
    ),
)

_SOFTNET = Measurement(
    "softnet",
    "Packets handled by soft interrupts, all CPUs together and one by one.",
    _totals(
        (
            ("processed", "Packets processed."),
            ("dropped", "Packets dropped because the queue was full."),
            ("time_squeezed", "Times the work was cut off with packets left."),
        )
    ),
    (Tag("cpu", "`cpu-total` for all together, `cpu0` and so on for one."),),
)

_COLLECTOR = Measurement(
    "collector",
    "The collector about itself: one series per group, and `all` for the whole.",
    (
        Field("duration_ms", Type.FLOAT, Unit.MILLISECONDS, Kind.GAUGE, "Time the last pass took."),
        _gauge("success", Unit.COUNT, "1 when the last pass of the group succeeded, else 0."),
        _gauge("series", Unit.COUNT, "Series the last pass gave."),
        _counter("errors", Unit.COUNT, "Passes of the group that failed or timed out."),
        _counter("skipped", Unit.COUNT, "Things the group left out: absent, unreadable or malformed."),
        _counter("over_budget", Unit.COUNT, "Series not written because of maxSeriesPerNode. Group `all`."),
        _gauge("spool_bytes", Unit.BYTES, "Data waiting to be written. Group `all`."),
        Field("spool_oldest_s", Type.FLOAT, Unit.SECONDS, Kind.GAUGE, "Age of the oldest of it. Group `all`."),
        _counter("points_written", Unit.COUNT, "Points the store has taken. Group `all`."),
        _counter("points_dropped", Unit.COUNT, "Points lost, for whatever reason. Group `all`."),
        _counter("ticks_missed", Unit.COUNT, "Seconds due but not sampled. Group `all`."),
        _counter("clock_steps", Unit.COUNT, "Times the wall clock jumped. Group `all`."),
        Field("cpu_seconds", Type.FLOAT, Unit.SECONDS, Kind.COUNTER, "CPU time of the collector. Group `all`."),
        _gauge("rss_bytes", Unit.BYTES, "Memory of the collector. Group `all`."),
        Field("policy_hash", Type.STRING, Unit.NONE, Kind.INFO, "Hash of the policy applied. Group `all`."),
    ),
    (Tag("group", "Group, or `all`."),),
    platform=Platform.ANY,
)

CATALOGUE = Catalogue(
    (
        _CPU,
        _LINUX_CPU,
        _MEM,
        _SWAP,
        _DISK,
        _DISKIO,
        _NET,
        _NETSTAT,
        _SYSTEM,
        _KERNEL,
        _KERNEL_VMSTAT,
        _PRESSURE,
        _PROCESSES,
        _CONNTRACK,
        _SYSCTL_FS,
        _TEMP,
        _TIMEX,
        _SOCKSTAT,
        _SOFTNET,
        _COLLECTOR,
    )
)
