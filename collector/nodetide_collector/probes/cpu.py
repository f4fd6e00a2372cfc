"""Time of the CPUs, from ``/proc/stat``."""

from __future__ import annotations

from collections.abc import Mapping

from nodetide_collector.host import Host
from nodetide_collector.probe import Reading, Request, probe
from nodetide_collector.probes._files import MALFORMED, take
from nodetide_core.points import Tags, Value

__all__ = ["CpuProbe", "usage"]

#: In the order of the columns. Guest time is already within user and nice.
_COLUMNS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")
_FIELDS = tuple(f"time_{mode}" for mode in _COLUMNS)
_DISJOINT = 8
_IDLE = 3

#: Time counted in two places at once.
_WITHIN = {"time_user": "time_guest", "time_nice": "time_guest_nice"}

#: What never goes backwards while a CPU stays.
_STEADY = ("time_user", "time_nice", "time_system", "time_irq", "time_softirq", "time_steal")


def usage(now: Mapping[str, Value], before: Mapping[str, Value], seconds: float) -> dict[str, Value]:
    """Shares of the time that passed between two samples, in percent.

    What passed is taken from the counters themselves, so it does not matter when exactly each sample
    was read.  Empty where nothing passed or a counter went backwards (a CPU taken out and put back).

    The kernel may move time between idle and iowait afterwards, when a waiting task wakes on another
    CPU: one of the two then goes backwards while their sum does not, and the sum is what counts.
    """
    spent: dict[str, float] = {}
    for name, value in now.items():
        if name.startswith("time_") and name in before:
            spent[name] = float(value) - float(before[name])
    idle, iowait = spent.get("time_idle", 0.0), spent.get("time_iowait", 0.0)
    if idle + iowait < 0 or any(spent.get(name, 0.0) < 0 for name in _STEADY):
        return {}
    total = idle + iowait + sum(spent.get(name, 0.0) for name in _STEADY)
    if total <= 0 or "time_idle" not in spent:
        return {}
    if idle < 0 or iowait < 0:
        idle, iowait = (0.0, idle + iowait) if idle < 0 else (idle + iowait, 0.0)
        spent["time_idle"], spent["time_iowait"] = idle, iowait
    shares: dict[str, Value] = {}
    for name, amount in spent.items():
        if name != "time_active":
            own = amount - spent.get(_WITHIN.get(name, ""), 0.0)
            shares["usage_" + name[5:]] = _percent(own, total)
    shares["usage_active"] = _percent(total - idle, total)
    return shares


def _percent(part: float, whole: float) -> float:
    # 100 * x / x may round to a hair above 100.
    return min(100.0, max(0.0, 100.0 * part / whole))


@probe("cpu", derive=usage)
class CpuProbe:
    def __init__(self, host: Host) -> None:
        self._host = host
        self._file = host.proc_file("stat")
        self._tags: dict[bytes, Tags] = {b"cpu": (("cpu", "cpu-total"),)}

    def read(self, request: Request) -> Reading:
        if not self._host.linux:
            from nodetide_collector.probes import _portable

            return _portable.cpu(request)
        reading = Reading()
        data = take(self._host, reading, self._file)
        if data is None:
            return reading
        # Behind the CPUs comes the count of every interrupt, which may be long.
        lines = data[: data.find(b"\nintr ") + 1 or None].split(b"\n")
        ticks_per_second = self._host.clock_ticks
        for line in lines:
            if line.startswith(b"cpu"):
                parts = line.split(None, 11)
                tags = self._tags.get(parts[0]) or self._new_tags(parts[0])
                try:
                    ticks = [int(part) for part in parts[1:11]]
                except ValueError:
                    ticks = []
                if tags is None or len(ticks) <= _IDLE:
                    reading.skip(MALFORMED)
                    continue
                fields: dict[str, Value] = {
                    name: count / ticks_per_second for name, count in zip(_FIELDS, ticks, strict=False)
                }
                fields["time_active"] = (sum(ticks[:_DISJOINT]) - ticks[_IDLE]) / ticks_per_second
                reading.add("cpu", tags, fields)
            if not request.per_cpu:
                break
        return reading

    def _new_tags(self, name: bytes) -> Tags | None:
        if not name[3:].isdigit():
            return None
        tags = self._tags[name] = (("cpu", name.decode()),)
        return tags
