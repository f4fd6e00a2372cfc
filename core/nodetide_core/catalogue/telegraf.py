"""Where the catalogue and Telegraf differ: what only one of the two writes, or writes with other values.

For people who bring Telegraf's dashboards; `docs/reference/telegraf-compatibility.md` shows it.  Tests
run both against one InfluxDB and fail when a difference appears that is not here, or one here is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from nodetide_core.catalogue.measurements import CATALOGUE

__all__ = [
    "DIFFERENCES",
    "OTHER_VALUES",
    "REST",
    "TELEGRAF_INPUTS",
    "TELEGRAF_VERSION",
    "Difference",
    "OtherValue",
    "What",
    "Writer",
    "fields_only",
]

#: What was compared.
TELEGRAF_VERSION = "1.37.2"

#: The inputs whose measurements the catalogue names, set to write all that it has.
TELEGRAF_INPUTS = """\
[[inputs.conntrack]]
[[inputs.cpu]]
  collect_cpu_time = true
  report_active = true
[[inputs.disk]]
[[inputs.diskio]]
[[inputs.hugepages]]
  types = ["meminfo"]
[[inputs.interrupts]]
[[inputs.kernel]]
  collect = ["psi"]
[[inputs.kernel_vmstat]]
[[inputs.linux_cpu]]
  metrics = ["cpufreq", "thermal"]
[[inputs.linux_sysctl_fs]]
[[inputs.mem]]
[[inputs.net]]
[[inputs.netstat]]
[[inputs.nstat]]
[[inputs.processes]]
[[inputs.swap]]
[[inputs.system]]
[[inputs.temp]]
"""

#: As a field: every one that the other does not write.
REST = "*"


class Writer(str, Enum):
    """Who writes it, while the other does not."""

    TELEGRAF = "Telegraf"
    NODETIDE = "Nodetide"


class What(str, Enum):
    """What is named by `Difference.names`; for a measurement, nothing is."""

    MEASUREMENT = "measurement"
    TAG = "tag"
    FIELD = "field"
    SERIES = "series"


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that only one of the two writes.

    Attributes:
        names: tags, fields or kinds of series of the measurement.
        reason: why it is so, or what to use instead.
    """

    writer: Writer
    what: What
    measurement: str
    names: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class OtherValue:
    """Fields that both write, and where their values are not the same."""

    measurement: str
    fields: tuple[str, ...]
    text: str


def _fields(writer: Writer, measurement: str, names: Iterable[str], reason: str) -> Difference:
    return Difference(writer, What.FIELD, measurement, tuple(names), reason)


def _measurement(writer: Writer, name: str, reason: str) -> Difference:
    return Difference(writer, What.MEASUREMENT, name, (), reason)


def _tag(measurement: str, name: str, reason: str) -> Difference:
    return Difference(Writer.TELEGRAF, What.TAG, measurement, (name,), reason)


def _series(writer: Writer, measurement: str, name: str, reason: str) -> Difference:
    return Difference(writer, What.SERIES, measurement, (name,), reason)


_BY_DEFAULT = "Virtual, of containers or on other hosts; see below."

DIFFERENCES: tuple[Difference, ...] = (
    _measurement(Writer.TELEGRAF, "hugepages_meminfo", "`mem` has the pool, its free pages and their size."),
    _measurement(Writer.TELEGRAF, "interrupts", "One series per interrupt; `kernel` has their sum."),
    _measurement(Writer.TELEGRAF, "nstat", "`net` with interface `all` has those that tell of trouble."),
    _measurement(Writer.TELEGRAF, "soft_interrupts", "`cpu` has the time they take; `softnet` has the network's."),
    _measurement(Writer.NODETIDE, "collector", "The collector about itself, as `inputs.internal` is Telegraf's."),
    _measurement(Writer.NODETIDE, "sockstat", "Telegraf has no input for it."),
    _measurement(Writer.NODETIDE, "softnet", "Telegraf has no input for it."),
    _measurement(Writer.NODETIDE, "timex", "The kernel's word; Telegraf asks time daemons (`chrony`, `ntpq`)."),
    _fields(Writer.NODETIDE, "conntrack", ("used_percent",), "For alerts; of counts that both write."),
    _fields(Writer.NODETIDE, "disk", ("forced_read_only",), "For alerts; the tag `mode` is of both."),
    _fields(Writer.NODETIDE, "linux_sysctl_fs", ("file-used-percent",), "For alerts; of counts that both write."),
    _tag("disk", "label", "Written where the device has a name or label; the device is in `device`."),
    _tag("diskio", "wwid", "Written where the kernel knows one (NVMe); the device is in `name`."),
    _fields(Writer.TELEGRAF, "diskio", ("io_await", "io_svctm"), "Derived from counters that both write."),
    _fields(Writer.TELEGRAF, "kernel", ("entropy_avail",), "Always 256 since Linux 5.18."),
    _fields(Writer.TELEGRAF, "kernel_vmstat", (REST,), "All of `/proc/vmstat`; ours are those that tell of trouble."),
    _fields(
        Writer.TELEGRAF,
        "linux_cpu",
        ("cpuinfo_cur_freq", "cpuinfo_min_freq", "cpuinfo_max_freq"),
        "What the hardware can do; `scaling_*` is what it may and does.",
    ),
    _fields(
        Writer.TELEGRAF,
        "linux_cpu",
        ("throttle_max_time", "throttle_total_time"),
        "Only some CPUs tell; `throttle_count` says that it happened.",
    ),
    _fields(
        Writer.TELEGRAF,
        "linux_sysctl_fs",
        ("dentry-age-limit", "dentry-want-pages", "inode-preshrink-nr"),
        "Constants and dummies of the kernel.",
    ),
    _fields(
        Writer.TELEGRAF,
        "mem",
        ("high_free", "high_total", "low_free", "low_total"),
        "Always 0 on machines of 64 bits.",
    ),
    _fields(Writer.TELEGRAF, "mem", ("swap_cached", "swap_free", "swap_total"), "`swap` has the space."),
    _fields(
        Writer.TELEGRAF,
        "mem",
        ("vmalloc_chunk", "vmalloc_total", "vmalloc_used", "write_back_tmp"),
        "The size of an address space; and what is next to always 0.",
    ),
    _fields(
        Writer.NODETIDE,
        "net",
        (field.name for field in CATALOGUE["net"].fields if field.name.startswith(("tcp_", "udp_"))),
        "Of interface `all`. Older versions of Telegraf wrote them.",
    ),
    _fields(Writer.TELEGRAF, "netstat", ("tcp_none",), "Unix sockets, which have no state of TCP."),
    _fields(Writer.TELEGRAF, "processes", ("dead", "paging", "unknown"), "No kernel of this century shows them."),
    _fields(Writer.TELEGRAF, "processes", ("parked",), "Threads of the kernel, now and then; Telegraf's is always 1."),
    _fields(Writer.TELEGRAF, "system", ("n_physical_cpus", "n_unique_users"), "`n_cpus` and `n_users` are of both."),
    _fields(Writer.TELEGRAF, "system", ("uptime_format",), "The text of `uptime`."),
    _series(Writer.TELEGRAF, "disk", "excluded by default", _BY_DEFAULT),
    _series(Writer.TELEGRAF, "diskio", "excluded by default", _BY_DEFAULT),
    _series(Writer.NODETIDE, "diskio", "devices that were never used", "All their counters are 0."),
    _series(Writer.TELEGRAF, "net", "excluded by default", _BY_DEFAULT),
    _series(Writer.NODETIDE, "net", "interface `all`", "Counters of the protocols, for the node as a whole."),
    _series(Writer.NODETIDE, "net", "interfaces that are down, and `lo` where included", "Their counters remain."),
    _series(Writer.NODETIDE, "pressure", "resource `irq`", "Linux 6.1 and later may have it."),
    _series(
        Writer.NODETIDE,
        "temp",
        "sensors that have the name of another",
        "Of two, Telegraf keeps one; here the second has its device in its name.",
    ),
)

OTHER_VALUES: tuple[OtherValue, ...] = (
    OtherValue(
        "cpu",
        ("usage_idle", "usage_iowait"),
        "The kernel may move time between the two afterwards. Telegraf then shows a negative share; here it is 0.",
    ),
    OtherValue("diskio", ("io_util",), "Telegraf's may be over 100 where a long request ends; here 100 is the most."),
    OtherValue(
        "netstat",
        ("tcp_listen", "udp_socket"),
        "Telegraf counts sockets of the same addresses and state once, and Unix datagram sockets as UDP's.",
    ),
    OtherValue("mem", (), "What a kernel does not tell is 0 in Telegraf, and left out here."),
)


def fields_only(writer: Writer, measurement: str) -> frozenset[str]:
    """Names of the fields of the measurement that only this one writes; `REST` may be among them."""
    return frozenset(
        name
        for difference in DIFFERENCES
        if (difference.writer, difference.what, difference.measurement) == (writer, What.FIELD, measurement)
        for name in difference.names
    )
