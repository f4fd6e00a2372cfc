"""How much to ask InfluxDB for at once, where all is too much for one answer.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

__all__ = ["Pace", "Portion", "halves"]

#: Values of a host and second taken for granted before any were seen: more than hosts have.
_BEFORE = 1_000.0


@dataclass(frozen=True, slots=True)
class Portion:
    """Points to ask for: those of some hosts and measurements in ``[start, stop)``, whole windows."""

    hosts: tuple[str, ...]
    measurements: tuple[str, ...]
    start: int
    stop: int


class Pace:
    """Keeps answers at about the same size, by what the ones before had.

    Args:
        values: to aim at.
    """

    def __init__(self, values: int) -> None:
        self._values = values
        self._rates: dict[str, float] = {}

    def cut(self, bucket: str, left: Portion, window: int) -> tuple[Portion, Sequence[Portion]]:
        """What to ask for first, and what is left then."""
        host_seconds = self._values / self._rates.get(bucket, _BEFORE)
        hosts = max(1, int(host_seconds / (left.stop - left.start)))
        span = left.stop - left.start
        if hosts == 1:
            span = min(span, max(1, int(host_seconds / window)) * window)
        first = replace(left, hosts=left.hosts[:hosts], stop=left.start + span)
        rest = [replace(left, hosts=left.hosts[:hosts], start=first.stop), replace(left, hosts=left.hosts[hosts:])]
        return first, [part for part in rest if part.hosts and part.start < part.stop]

    def saw(self, bucket: str, asked: Portion, values: int) -> None:
        """Learn from an answer."""
        if values:
            self._rates[bucket] = values / (len(asked.hosts) * (asked.stop - asked.start))


def halves(portion: Portion, window: int) -> Sequence[Portion]:
    """A portion that was too much in two; as it is, where nothing of it can be left for later."""
    hosts, measurements = portion.hosts, portion.measurements
    if len(hosts) > 1:
        middle = len(hosts) // 2
        return replace(portion, hosts=hosts[:middle]), replace(portion, hosts=hosts[middle:])
    if portion.stop - portion.start > window:
        middle = portion.start + (portion.stop - portion.start) // window // 2 * window
        return replace(portion, stop=middle), replace(portion, start=middle)
    if len(measurements) > 1:
        middle = len(measurements) // 2
        return (
            replace(portion, measurements=measurements[:middle]),
            replace(portion, measurements=measurements[middle:]),
        )
    return (portion,)
