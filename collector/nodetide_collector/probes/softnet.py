"""Packets handled by soft interrupts, from ``/proc/1/net/softnet_stat``."""

from __future__ import annotations

from nodetide_collector.host import Host
from nodetide_collector.probe import Reading, Request, probe
from nodetide_collector.probes._files import MALFORMED, needs_linux, take_init
from nodetide_core.points import Tags, Value

__all__ = ["SoftnetProbe", "Unwrapped"]

_FIELDS = ("processed", "dropped", "time_squeezed")
#: Which CPU a row is of stands there since Linux 5.14; before, rows are counted.
_CPU_COLUMN = 12
_TOTAL: Tags = (("cpu", "cpu-total"),)
_WRAP = 1 << 32


class Unwrapped:
    """A counter of 32 bits, continued past its end.

    Summed up as it is, one CPU's counter that starts again would look as if the sum had, too, and
    the whole sum counted as an increase.
    """

    def __init__(self) -> None:
        self._carry = 0
        self._last = 0

    def next(self, value: int) -> int:
        # From far down to the start is a new beginning, not a wrap.
        if value < self._last and self._last > _WRAP // 2:
            self._carry += _WRAP
        self._last = value
        return self._carry + value


@probe("softnet")
class SoftnetProbe:
    def __init__(self, host: Host) -> None:
        self._host = host
        self._counters: dict[int, tuple[Unwrapped, ...]] = {}

    def read(self, request: Request) -> Reading:
        if not self._host.linux:
            return needs_linux()
        reading = Reading()
        data = take_init(self._host, reading, "net/softnet_stat")
        if data is None:
            return reading
        totals = [0] * len(_FIELDS)
        rows: list[tuple[int, list[int]]] = []
        for number, line in enumerate(data.splitlines()):
            columns = line.split()
            try:
                counters = [int(column, 16) for column in columns[: len(_FIELDS)]]
                cpu = int(columns[_CPU_COLUMN], 16) if len(columns) > _CPU_COLUMN else number
            except ValueError:
                counters = []
                cpu = number
            if len(counters) < len(_FIELDS) or max(counters) >= _WRAP:
                reading.skip(MALFORMED)
                continue
            unwrapped = self._counters.setdefault(cpu, tuple(Unwrapped() for _ in _FIELDS))
            values = [counter.next(value) for counter, value in zip(unwrapped, counters, strict=True)]
            totals = [total + value for total, value in zip(totals, values, strict=True)]
            rows.append((cpu, values))
        if rows:
            reading.add("softnet", _TOTAL, _fields(totals))
        if request.per_cpu:
            for cpu, values in rows:
                reading.add("softnet", (("cpu", f"cpu{cpu}"),), _fields(values))
        return reading


def _fields(values: list[int]) -> dict[str, Value]:
    return dict(zip(_FIELDS, values, strict=True))
