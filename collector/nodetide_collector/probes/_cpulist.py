"""Which CPUs are online, from ``/sys/devices/system/cpu/online``."""

from __future__ import annotations

from nodetide_collector.host import Host
from nodetide_collector.probe import Reading
from nodetide_collector.probes._files import MALFORMED, take

__all__ = ["online_cpus", "parse_cpu_list"]

# The kernel's own limit is 8192; past it the text is no list of CPUs.
_MOST = 65_536


def parse_cpu_list(text: bytes) -> list[int]:
    """Numbers of a kernel's list such as ``0-3,8``.

    Raises:
        ValueError: it is no such list.
    """
    found: list[int] = []
    for part in text.strip().split(b","):
        first, dash, last = part.partition(b"-")
        low = int(first)
        high = int(last) if dash else low
        if not 0 <= low <= high < _MOST:
            raise ValueError(f"{text!r} is not a list of CPUs")
        found.extend(range(low, high + 1))
    return found


def online_cpus(host: Host, reading: Reading) -> list[int]:
    """Empty and counted where it cannot be known."""
    data = take(host, reading, host.sys_file("devices/system/cpu/online"))
    if data is None:
        return []
    try:
        return parse_cpu_list(data)
    except ValueError:
        reading.skip(MALFORMED)
        return []
