"""What a real collector writes, second by second, to be played by many simulated hosts."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from tests.bench.processes import running

from nodetide_collector.collector import Collector, CollectorConfig
from nodetide_collector.sinks.sink import SinkStats
from nodetide_core.catalogue import CATALOGUE, Kind
from nodetide_core.points import Point, SeriesKey, Tags, Value

__all__ = ["Expected", "Player", "Recording", "record"]

_HOST = "recorded"
#: Groups are sampled every 1 s or 10 s, at seconds that this divides.
_ALIGNED = 10

#: Works, writes and forks for half of each second, so that the recorded host is neither idle nor full.
_LIVELY = """
import hashlib, os, subprocess, sys, tempfile, time
with tempfile.TemporaryFile() as file:
    while True:
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            hashlib.sha256(bytes(2**20)).digest()
        file.seek(0)
        file.write(os.urandom(2**20))
        os.fsync(file.fileno())
        subprocess.run(["true"], check=True)
        time.sleep(0.5)
"""

#: Points of each field of each series.
Expected: TypeAlias = Counter[tuple[SeriesKey, str]]


@dataclass(frozen=True)
class Recording:
    """
    Attributes:
        frames: points of one second each; the first of a second that 10 divides, and as many as 10 divides.
    """

    frames: tuple[tuple[Point, ...], ...]

    @property
    def lines_per_second(self) -> float:
        return sum(map(len, self.frames)) / len(self.frames)

    @property
    def fields_per_second(self) -> float:
        return sum(len(point.fields) for frame in self.frames for point in frame) / len(self.frames)

    @property
    def series(self) -> frozenset[SeriesKey]:
        return frozenset(point.key for frame in self.frames for point in frame)

    @property
    def fields(self) -> int:
        """Of all series."""
        return len({(point.key, name) for frame in self.frames for point in frame for name in point.fields})

    @property
    def changing(self) -> float:
        """Share of the values that differ from the one of the same field before."""
        before: dict[tuple[SeriesKey, str], Value] = {}
        same = different = 0
        for frame in self.frames:
            for point in frame:
                for name, value in point.fields.items():
                    if (point.key, name) in before:
                        same += before[point.key, name] == value
                        different += before[point.key, name] != value
                    before[point.key, name] = value
        return different / (same + different)


class _Frames:
    """A sink that keeps the points of each second."""

    def __init__(self) -> None:
        self.by_second: dict[int, list[Point]] = {}

    def write(self, bucket: str, points: Sequence[Point]) -> None:
        for point in points:
            self.by_second.setdefault(point.time, []).append(point)

    def flush(self, timeout: float) -> int:
        return 0

    def close(self) -> None:
        pass

    def stats(self) -> SinkStats:
        return SinkStats()


def record(seconds: int) -> Recording:
    """The default policy on this machine while something goes on there; takes up to 15 s more.

    Args:
        seconds: a multiple of 10.
    """
    frames = _Frames()
    with running([sys.executable, "-c", _LIVELY]):
        collector = Collector(CollectorConfig(host=_HOST), frames)
        # Usages are there from the second pass on, and groups of 10 s with usages from the second aligned one.
        start = (math.floor(time.time()) + 4) // _ALIGNED * _ALIGNED + _ALIGNED
        thread = threading.Thread(target=collector.run, daemon=True)
        thread.start()
        try:
            time.sleep(start + seconds + 0.5 - time.time())
        finally:
            collector.stop()
            thread.join(10)
    wanted = range(start, start + seconds)
    missing = [second for second in wanted if second not in frames.by_second]
    if missing:
        raise RuntimeError(f"{len(missing)} of {seconds} seconds could not be recorded: the machine is too busy")
    return Recording(tuple(tuple(frames.by_second[second]) for second in wanted))


class Player:
    """Plays a recording over and over, as any host: counters go on growing, gauges come again.

    Args:
        start: the first second that is asked for.
    """

    def __init__(self, recording: Recording, start: int) -> None:
        self._frames = recording.frames
        self._origin = start // _ALIGNED * _ALIGNED
        self._growth = _growth(recording)
        self._tags: dict[str, dict[Tags, Tags]] = {}
        self._fields = lru_cache(maxsize=8 * len(self._frames))(self._make_fields)

    def points(self, host: str, second: int) -> list[Point]:
        tags = self._tags.get(host)
        if tags is None:
            tags = self._tags[host] = self._tags_of(host)
        cycle, number = divmod(second - self._origin, len(self._frames))
        return [
            Point(measurement, tags[own], fields, second) for measurement, own, fields in self._fields(cycle, number)
        ]

    def expected(self, start: int, stop: int) -> Expected:
        """What one host writes in a range of seconds; its host tag is left out."""
        found: Expected = Counter()
        length = len(self._frames)
        for number, frame in enumerate(self._frames):
            times = len(range(start + (number + self._origin - start) % length, stop, length))
            for point in frame:
                key = SeriesKey(point.measurement, tuple(tag for tag in point.tags if tag[0] != "host"))
                for name in point.fields:
                    found[key, name] += times
        return found

    def _make_fields(self, cycle: int, number: int) -> list[tuple[str, Tags, Mapping[str, Value]]]:
        found: list[tuple[str, Tags, Mapping[str, Value]]] = []
        for point in self._frames[number]:
            growth = self._growth.get(point.key, {})
            fields = {name: _later(value, growth.get(name, 0), cycle) for name, value in point.fields.items()}
            found.append((point.measurement, point.tags, fields))
        return found

    def _tags_of(self, host: str) -> dict[Tags, Tags]:
        every = {point.tags for frame in self._frames for point in frame}
        return {tags: tuple((key, host if key == "host" else value) for key, value in tags) for tags in every}


def _later(value: Value, growth: float, cycle: int) -> Value:
    if not growth or isinstance(value, str):
        return value
    # CPU times have two decimals, and would else get as many as a sum of floats has.
    later = value + growth * cycle
    return int(later) if isinstance(value, int) else round(later, 6)


def _growth(recording: Recording) -> dict[SeriesKey, dict[str, float]]:
    """By how much each counter grows from one round of the recording to the next."""
    seen: dict[tuple[SeriesKey, str], list[float]] = {}
    for frame in recording.frames:
        for point in frame:
            for name, value in point.fields.items():
                known = CATALOGUE.field(point.measurement, name)
                if known is not None and known.kind is Kind.COUNTER and not isinstance(value, str):
                    seen.setdefault((point.key, name), []).append(value)
    found: dict[SeriesKey, dict[str, float]] = {}
    for (key, name), values in seen.items():
        rise = (values[-1] - values[0]) * len(values) / max(1, len(values) - 1)
        found.setdefault(key, {})[name] = math.ceil(rise) if isinstance(values[0], int) else rise
    return found
