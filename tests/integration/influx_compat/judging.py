"""What only one of two buckets holds, and whether the values that both hold agree. Pure."""

from __future__ import annotations

import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from tests.integration.influx_compat.reading import Held, Readings, Series

from nodetide_core.catalogue import CATALOGUE, Field, Kind
from nodetide_core.catalogue.telegraf import DIFFERENCES, What

__all__ = ["Hosts", "Name", "Pair", "disagreements", "pair_up"]

#: A measurement, and one of its fields or tags.
Name = tuple[str, str]

_SECOND = 1_000_000_000
#: A process that waits for a CPU reads late, so a reading is bounded by those two seconds before and after.
_NEIGHBOURS = 2 * _SECOND
#: What the kernel may take back of a CPU's idle and waiting time, in seconds.
_RECOUNTED = {"time_idle": 1.0, "time_iowait": 1.0, "time_active": 1.0}
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Pair:
    """Two buckets laid side by side.

    Attributes:
        both: theirs and ours of every series that both have, by ours.
        only_theirs, only_ours: the other series.
        dropped_tags: of theirs, the listed tags that had to be left out for a series to be ours.
    """

    theirs: Held
    ours: Held
    both: Mapping[Series, tuple[Mapping[str, Readings], Mapping[str, Readings]]]
    only_theirs: frozenset[Series]
    only_ours: frozenset[Series]
    dropped_tags: frozenset[Name]

    @property
    def shared(self) -> frozenset[str]:
        """Measurements of both."""
        return self.theirs.measurements & self.ours.measurements

    def fields_only(self) -> tuple[set[Name], set[Name]]:
        """Fields of shared measurements that only they and only we have, by InfluxDB's own list."""
        theirs, ours = ({name for name in held.types if name[0] in self.shared} for held in (self.theirs, self.ours))
        return theirs - ours, ours - theirs

    def gaps(self) -> tuple[set[Name], set[Name]]:
        """The same, looked for series by series."""
        theirs, ours = set(), set()
        for (measurement, _), (left, right) in self.both.items():
            theirs |= {(measurement, field) for field in left.keys() - right.keys()}
            ours |= {(measurement, field) for field in right.keys() - left.keys()}
        return theirs, ours


@dataclass(frozen=True)
class Hosts:
    """What both wrote about this host, and about the one of files."""

    here: Pair
    files: Pair


def pair_up(theirs: Held, ours: Held) -> Pair:
    """Side by side, by measurement and all tags but those that are listed as only theirs."""
    extra = {difference.measurement: difference.names for difference in DIFFERENCES if difference.what is What.TAG}
    both, dropped, only_theirs = {}, set(), set()
    for (measurement, tags), fields in theirs.series.items():
        kept = frozenset(pair for pair in tags if pair[0] not in extra.get(measurement, ()))
        if (measurement, kept) in ours.series:
            both[measurement, kept] = fields, ours.series[measurement, kept]
            dropped |= {(measurement, name) for name, _ in tags - kept}
        else:
            only_theirs.add((measurement, tags))
    only_ours = frozenset(ours.series.keys() - both.keys())
    return Pair(theirs, ours, both, frozenset(only_theirs), only_ours, frozenset(dropped))


def disagreements(pair: Pair, leaving: Collection[Name] = ()) -> tuple[list[str], set[Name]]:
    """What is wrong, in words, and the fields that were compared: all of both but the values of ``leaving``."""
    wrong: set[str] = set()
    compared: set[Name] = set()
    for (measurement, tags), (theirs, ours) in pair.both.items():
        for field in theirs.keys() & ours.keys():
            name = measurement, field
            types = [held.types[name] for held in (pair.theirs, pair.ours)]
            if types[0] != types[1] or len(types[0]) > 1:
                wrong.add(f"{measurement}.{field} has the types {[sorted(each) for each in types]}")
            elif name not in leaving:
                compared.add(name)
                said = _judge(CATALOGUE[measurement].by_name[field], theirs[field], ours[field])
                wrong |= {f"{measurement}.{field} {dict(sorted(tags))}: {text}" for text in said}
    return sorted(wrong), compared


def _judge(field: Field, theirs: Readings, ours: Readings) -> Iterator[str]:
    bounded = [(time, *around) for time in sorted(theirs) if (around := _around(ours, time)) is not None]
    if not bounded:
        yield f"no common time: {sorted(theirs)[:3]} … and {sorted(ours)[:3]} …"
    counts = field.kind is Kind.COUNTER
    # A counter only grows, so neighbours bound it. Of a gauge nothing is known but how far it was seen to move
    # from one reading to the next: to read it a moment later cannot be expected to change it by more.
    slack = _RECOUNTED.get(field.name, 0.0) if counts else max(_step(theirs), _step(ours))
    for time, before, after in bounded:
        value = theirs[time]
        near = [ours[before], ours[after]] if counts else [ours[t] for t in ours if before <= t <= after]
        room = slack + _ROUNDING * abs(value)
        if not min(near) - room <= value <= max(near) + room:
            yield f"{value} at {time // _SECOND} is not within {min(near)} and {max(near)} (± {slack})"
    common = theirs.keys() & ours.keys()
    if field.name.startswith("usage_") and common:
        # What moves from 0 to 100 % is hardly bounded so. But one second follows the other without a gap, so over
        # all of them the shares may differ by what happened at both ends: less than a second of them; and by a second
        # for each that one of the two has missed on a busy machine.
        means = [statistics.fmean(readings[time] for time in common) for readings in (theirs, ours)]
        missed = (max(common) - min(common)) // _SECOND + 1 - len(common)
        if abs(means[0] - means[1]) > 100.0 * (1 + missed) / len(common):
            yield f"means are {means[0]} and {means[1]}"


def _around(readings: Readings, time: int) -> tuple[int, int] | None:
    """The nearest times at least two seconds before and after; None at either end."""
    times = sorted(readings)
    before, after = bisect_right(times, time - _NEIGHBOURS), bisect_left(times, time + _NEIGHBOURS)
    return (times[before - 1], times[after]) if before and after < len(times) else None


def _step(readings: Readings) -> float:
    """The most that the value moved from one reading to the next."""
    values = [readings[time] for time in sorted(readings)]
    return max((abs(later - earlier) for earlier, later in pairwise(values)), default=0.0)
