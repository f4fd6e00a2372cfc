"""Stand-ins for the outside of the collector: a clock, probes and a sink."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pytest

from nodetide_collector.clock import Instant
from nodetide_collector.host import Host
from nodetide_collector.probe import Derive, Reading, Registration, Request, Sample
from nodetide_collector.sinks.sink import SinkStats
from nodetide_core.points import Point, Value, make_tags
from nodetide_core.policy import Policy, parse_policy


class SimulatedClock:
    """Time passes only while someone waits; `at` runs something when a moment comes."""

    def __init__(self, wall: float = 1_700_000_000.25, monotonic: float = 5_000.0, late: float = 0.0) -> None:
        self.wall = wall
        self.mono = monotonic
        self.late = late
        self.waits = 0
        self._random = random.Random(7)
        self._events: list[tuple[float, Callable[[], None]]] = []

    def now(self) -> Instant:
        return Instant(self.wall, self.mono)

    def monotonic(self) -> float:
        return self.mono

    def wait(self, seconds: float) -> None:
        self.waits += 1
        self.advance(seconds + self._random.uniform(0, self.late))

    def wake(self) -> None:
        pass

    def advance(self, seconds: float) -> None:
        self.wall += seconds
        self.mono += seconds
        while self._events and self._events[0][0] <= self.mono:
            self._events.pop(0)[1]()

    def step(self, seconds: float) -> None:
        self.wall += seconds

    def at(self, after: float, action: Callable[[], None]) -> None:
        self._events.append((self.mono + after, action))
        self._events.sort(key=lambda event: event[0])


class FakeProbes:
    """Registrations by name, each reading what a function says."""

    def __init__(self) -> None:
        self.registrations: dict[str, Registration] = {}
        self.reads: list[str] = []

    def add(
        self, name: str, read: Callable[[Request], Any], *, timeout: float = 2.0, derive: Derive | None = None
    ) -> None:
        reads = self.reads

        class Fake:
            def __init__(self, host: Host) -> None:
                pass

            def read(self, request: Request) -> Reading:
                reads.append(name)
                found: Reading = read(request)
                return found

        self.registrations[name] = Registration(name, Fake, timeout, derive)

    def constant(self, name: str, *samples: tuple[Mapping[str, str], Mapping[str, Value]], **options: Any) -> None:
        """A probe that always gives these (tags, fields) of the measurement of its name."""

        def read(request: Request) -> Reading:
            return Reading([Sample(name, make_tags(tags), dict(fields)) for tags, fields in samples])

        self.add(name, read, **options)


class RecordingSink:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.points: list[tuple[str, Point]] = []
        self.held = 0
        self.flushed: list[float] = []
        self.closed = 0

    def write(self, bucket: str, points: Sequence[Point]) -> None:
        self.points += [(bucket, point) for point in points]

    def flush(self, timeout: float) -> int:
        self.flushed.append(timeout)
        return self.held

    def close(self) -> None:
        self.closed += 1

    def stats(self) -> SinkStats:
        return SinkStats(written=len(self.points))

    def times(self, measurement: str, bucket: str | None = None) -> list[int]:
        return [p.time for b, p in self.points if p.measurement == measurement and bucket in (None, b)]


def _policy(
    name: str = "p",
    groups: Mapping[str, Any] | Iterable[str] = ("mem",),
    interval: str = "1s",
    spec: Mapping[str, Any] | None = None,
    **collection: Any,
) -> Policy:
    asked = groups if isinstance(groups, Mapping) else {group: {} for group in groups}
    return parse_policy(
        {
            "apiVersion": "nodetide.io/v1alpha1",
            "kind": "MetricPolicy",
            "metadata": {"name": name},
            "spec": {"collection": {"interval": interval, "groups": dict(asked), **collection}, **(spec or {})},
        }
    )


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock()


@pytest.fixture
def probes() -> FakeProbes:
    return FakeProbes()


@pytest.fixture
def recording() -> RecordingSink:
    return RecordingSink()


@pytest.fixture
def make_policy() -> Callable[..., Policy]:
    return _policy
