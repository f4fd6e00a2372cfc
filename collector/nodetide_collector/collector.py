"""The loop: schedule, probes, streams, sink."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nodetide_collector.clock import Clock, SystemClock
from nodetide_collector.health import Health
from nodetide_collector.host import Host
from nodetide_collector.node_settings import NodeSettings
from nodetide_collector.passes import Outcome, Passes
from nodetide_collector.policies import Policies, PolicySource
from nodetide_collector.probe import Registration, registered
from nodetide_collector.schedule import Decision, Timeline, decide
from nodetide_collector.self_metrics import Totals, self_samples
from nodetide_collector.sinks.sink import Sink, SinkStats
from nodetide_collector.stream import SELF, Stream
from nodetide_collector.streams import Node, Streams
from nodetide_core.points import Point
from nodetide_core.policy import Policy

if TYPE_CHECKING:
    from nodetide_collector.exporter import Exporter

__all__ = ["Collector", "CollectorConfig"]

log = logging.getLogger(__name__)

#: Longest nap, in seconds: how soon a clock step and a late probe are noticed at long intervals.
_NAP = 1.0
#: Seconds between looks at the policy files, between purges of series that are gone, and between log lines
#: about missed seconds.
_POLL = 1.0
_FORGET = 60.0
_MISSED_LOG = 60.0


@dataclass(frozen=True, slots=True)
class CollectorConfig:
    """What a collector needs to know.

    Attributes:
        host: the node's name, tag ``host`` of every point.
        cluster: tag ``cluster``; none where empty.
        policies: file or directory of MetricPolicies; None for the default policy.
        node_settings: directory of the operator's document, which then gives the policies instead.
        bucket: bucket of the default policy, in place of its own.
        node_labels: the node's labels, or None where nobody knows them; then every policy applies.
        exporter: host and port of the Prometheus endpoint; None for none.
        flush_timeout: seconds that the end may take to write what is held.
    """

    host: str
    cluster: str = ""
    policies: Path | None = None
    node_settings: Path | None = None
    bucket: str | None = None
    node_labels: Mapping[str, str] | None = None
    exporter: tuple[str, int] | None = None
    flush_timeout: float = 5.0


class Collector:
    """Samples this node until it is told to stop.

    Args:
        on_policies: told all policies, those that are suspended or do not apply to this node, too, at the start and
            whenever they change, before the first points of theirs; must not block.
        registrations: the probes by name; by default all of `nodetide_collector.probes`.

    Raises:
        PolicyError: the policies are wrong.
        OSError: the exporter's address cannot be listened on.
    """

    def __init__(
        self,
        config: CollectorConfig,
        sink: Sink,
        clock: Clock | None = None,
        host: Host | None = None,
        *,
        on_policies: Callable[[Sequence[Policy]], None] | None = None,
        registrations: Mapping[str, Registration] | None = None,
    ) -> None:
        self._config = config
        self._sink = sink
        self._clock: Clock = clock or SystemClock()
        self._on_policies = on_policies
        probes = _all_probes() if registrations is None else registrations
        self._host = host or Host()
        self._passes = Passes(probes, self._host, self._clock.monotonic)
        self._streams = Streams(Node(config.host, config.cluster, config.node_labels), probes)
        self._source = _policies(config)
        self._health = Health()
        self._totals = Totals()
        self._stopping = False
        self._poll_from = self._forget_from = self._log_missed_from = self._clock.monotonic()
        self._missed_unlogged = 0
        self._apply(self._source.load())
        self._exporter = _make_exporter(config, self._clock)

    @property
    def exporter_address(self) -> tuple[str, int] | None:
        """Where the exporter listens."""
        return None if self._exporter is None else self._exporter.address

    def stop(self) -> None:
        """End `run` after the tick under way. Safe in a signal handler and from any thread."""
        self._stopping = True
        self._clock.wake()

    def run(self) -> None:
        """Sample until `stop`, then write what is held, and log what could not be."""
        timeline = Timeline.starting(self._clock.now())
        try:
            while not self._stopping:
                now = self._clock.now()
                decision = decide(timeline, now, self._streams.intervals, force=self._streams.is_new)
                timeline = decision.timeline
                self._note(decision, now.monotonic)
                if decision.tick is not None:
                    self._tick(decision.tick, now.monotonic)
                    self._tend(now.monotonic)
                elif not self._tend(now.monotonic):
                    self._clock.wait(min(decision.wait, _NAP))
        finally:
            self._end()

    def once(self, window: float) -> list[Point]:
        """Points of one pass of every group, with what is derived over a window before it.

        Args:
            window: seconds between the two readings.
        """
        try:
            start = self._clock.now()
            self._sample(int(start.wall), start.monotonic, everything=True)
            while not self._stopping and (left := start.monotonic + window - self._clock.monotonic()) > 0:
                self._clock.wait(left)
            now = self._clock.now()
            found = self._sample(int(now.wall), now.monotonic, everything=True)
            return [point for _, points in found for point in points]
        finally:
            self._passes.close()

    def _tick(self, second: int, at: float) -> None:
        for stream, points in self._sample(second, at):
            self._sink.write(stream.policy.storage.bucket, points)
        if self._exporter is not None:
            self._exporter.passed(min(self._streams.intervals))

    def _sample(self, second: int, at: float, *, everything: bool = False) -> list[tuple[Stream, list[Point]]]:
        """One pass; the points of each stream, with those of probes that came back late."""
        late = self._points(self._passes.late())
        requests, refused = self._streams.ask(second, self._passes.busy, everything=everything)
        for group in refused:
            self._health.skip(group, {"still running": 1})
        found = self._points(self._passes.run(second, requests))
        self._totals.duration = self._clock.monotonic() - at
        stats = self._sink.stats()
        return [
            (stream, late.get(stream, []) + found.get(stream, []) + self._own(stream, second, stats))
            for stream in self._streams
        ]

    def _points(self, outcomes: Sequence[Outcome]) -> dict[Stream, list[Point]]:
        found: dict[Stream, list[Point]] = {}
        for outcome in outcomes:
            self._health.record(outcome)
            problems: Counter[str] = Counter()
            for stream in self._streams:
                if stream.asked(outcome.group, outcome.tick):
                    points = stream.points(outcome, problems)
                    found.setdefault(stream, []).extend(points)
                    self._export(stream, outcome.group, points)
            self._health.skip(outcome.group, problems)
        return found

    def _own(self, stream: Stream, second: int, stats: SinkStats) -> list[Point]:
        if not stream.asked(SELF, second):
            return []
        samples = self_samples(
            self._totals,
            self._health,
            stats,
            self._host.self_usage(),
            groups=stream.probed,
            over_budget=stream.over_budget,
            policy_hash=stream.policy.hash,
        )
        points = stream.own(samples, second)
        self._export(stream, SELF, points)
        return points

    def _export(self, stream: Stream, group: str, points: Sequence[Point]) -> None:
        if self._exporter is not None:
            self._exporter.update(stream.policy.name, group, points, stream.interval(group))

    def _note(self, decision: Decision, at: float) -> None:
        if decision.stepped:
            self._totals.clock_steps += 1
            log.warning("the wall clock jumped seconds=%.3f", decision.stepped)
        if decision.missed:
            self._totals.ticks_missed += decision.missed
            self._missed_unlogged += decision.missed
        if self._missed_unlogged and at >= self._log_missed_from:
            log.warning("seconds not sampled missed=%d total=%d", self._missed_unlogged, self._totals.ticks_missed)
            self._missed_unlogged = 0
            self._log_missed_from = at + _MISSED_LOG

    def _tend(self, at: float) -> bool:
        """What is not sampling: late probes, changed policies, series that are gone. Whether it took time."""
        for stream, points in self._points(self._passes.late()).items():
            self._sink.write(stream.policy.storage.bucket, points)
        if self._exporter is not None and not self._streams.intervals:
            self._exporter.passed(1)
        if at >= self._forget_from:
            self._forget_from = at + _FORGET
            self._streams.forget(at)
        if at < self._poll_from:
            return False
        self._poll_from = at + _POLL
        policies = self._source.poll()
        self._totals.policy_errors, self._totals.policies_ok = self._source.errors, self._source.ok
        if policies is not None:
            self._apply(policies)
        return True

    def _apply(self, policies: Sequence[Policy]) -> None:
        self._streams.apply(policies)
        if self._on_policies is not None:
            self._on_policies(policies)

    def _end(self) -> None:
        self._passes.close()
        if self._exporter is not None:
            self._exporter.close()
        held = self._sink.flush(self._config.flush_timeout)
        self._sink.close()
        stats = self._sink.stats()
        if held:
            log.error("points lost at the end points=%d flush_timeout=%g", held, self._config.flush_timeout)
        log.info(
            "collector ended points_written=%d points_dropped=%d ticks_missed=%d",
            stats.written,
            stats.dropped,
            self._totals.ticks_missed,
        )


def _all_probes() -> Mapping[str, Registration]:
    import nodetide_collector.probes  # noqa: F401 - registers them

    return registered()


def _policies(config: CollectorConfig) -> Policies:
    if config.node_settings is not None:
        return NodeSettings(config.node_settings, config.host)
    return PolicySource(config.policies, config.bucket)


def _make_exporter(config: CollectorConfig, clock: Clock) -> Exporter | None:
    if config.exporter is None:
        return None
    from nodetide_collector.exporter import Exporter  # an HTTP server and prometheus_client, only where wanted

    return Exporter(config.exporter, clock.monotonic)
