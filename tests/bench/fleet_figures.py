"""What came of a run of the fleet, as figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.bench.figures import Figure
from tests.bench.fleet_counting import Balance
from tests.bench.fleet_recording import Recording
from tests.bench.fleet_rollups import Rollup
from tests.bench.fleet_server import Watch
from tests.bench.fleet_worker import LOOK, Report

__all__ = ["Run", "of_balance", "of_rollup", "of_writing"]

_HOUR = 3_600
#: Seconds after its flush interval when a point that still waits tells of a server that falls behind.
_BEHIND = 10


@dataclass(frozen=True)
class Run:
    """When the hosts sampled, and what came of it.

    Attributes:
        flush: seconds between writes of a host.
        start, full, stop: Unix seconds, by the true clock: the first, when all hosts are there, and the one behind
            the last.
        shift: seconds by which the hosts' clocks are ahead.
        drained: when all was written, or no longer waited for.
        refused: requests that influxd answered with an error.
        disk: bytes that influxd took more when all was written than before.
        written: bytes that it had the disk write until then.
    """

    hosts: int
    flush: int
    start: int
    full: int
    stop: int
    shift: int
    drained: int
    recording: Recording
    watch: Watch
    reports: Sequence[Report]
    refused: int
    disk: int
    written: int

    @property
    def settled(self) -> int:
        """When what new hosts bring was over: InfluxDB had made their series, and their spools were empty again."""
        behind = self.flush + _BEHIND
        return next((at + LOOK for at, age in self._ages() if at >= self.full + behind and age < behind), self.stop)

    @property
    def turn(self) -> int:
        """When the hosts' clocks pass a full hour, and a new shard begins."""
        return self.start + -(self.start + self.shift) % _HOUR

    def oldest(self, start: int, stop: int) -> float:
        """Seconds, of the points in spools in a range of time."""
        return max((age for at, age in self._ages() if start <= at < stop), default=0.0)

    def _ages(self) -> Iterator[tuple[int, float]]:
        for look, ages in enumerate(zip(*(report.oldest for report in self.reports), strict=True)):
            yield self.start + look * LOOK, max(ages)


def of_writing(run: Run) -> Iterator[Figure]:
    """How much was written, in time or not, and what it cost."""
    reports, recording, watch, seconds = run.reports, run.recording, run.watch, run.stop - run.start
    late = sum(report.late for report in reports)
    passes = sum(report.passes for report in reports)
    yield Figure("simulated hosts, one pass a second", "", run.hosts)
    yield Figure("all of them there after", "s", run.full - run.start)
    yield Figure("time in all", "s", seconds)
    yield Figure(f"of {passes:,} passes, a second late or more", "", late, bar="none", met=not late)
    yield Figure("the latest pass", "s", max(report.worst for report in reports))
    yield Figure("points, all hosts there", "/s", run.hosts * recording.lines_per_second)
    yield Figure("fields, all hosts there", "/s", run.hosts * recording.fields_per_second)
    yield Figure("series of a host", "", len(recording.series))
    yield Figure("values that differ from the one before", "%", 100 * recording.changing)
    sent = sum(report.sent for report in reports) / passes
    yield Figure("sent to influxd for a host, headers included", "B/s", sent)
    yield Figure("requests that influxd refused, sent again", "", run.refused)
    yield Figure("until writes of all kept up", "s", run.settled - run.start)
    yield Figure("oldest point waiting until then", "s", run.oldest(run.start, run.settled))
    yield Figure("CPU of influxd until then", "cores", watch.used(run.start, run.settled))
    if run.settled < run.stop:
        cores = watch.used(run.settled, run.stop)
        yield Figure("CPU of influxd later", "cores", cores)
        yield Figure("CPU of influxd later, for a host", "ms/s", 1e3 * cores / run.hosts)
        yield Figure("oldest point waiting later", "s", run.oldest(run.settled, min(run.turn, run.stop)))
    if run.settled < run.turn < run.stop - 30:
        yield Figure("oldest point waiting after a shard began", "s", run.oldest(run.turn, run.stop))
        yield Figure("CPU of influxd in the 30 s after a shard began", "cores", watch.used(run.turn, run.turn + 30))
    yield Figure("memory of influxd, most", "MiB", max(watch.rss.values()))
    values = passes * recording.fields_per_second
    yield Figure("disk that influxd took for a value, not compacted", "B", run.disk / values)
    yield Figure("written to disk by influxd for a value", "B", run.written / values)
    yield Figure("CPU of a simulated host", "ms/s", 1e3 * sum(report.cpu for report in reports) / passes)


def of_balance(balance: Balance, run: Run) -> Iterator[Figure]:
    """What was lost."""
    dropped = sum(report.dropped for report in run.reports)
    held = sum(report.held for report in run.reports)
    yield Figure("points that sinks dropped", "", dropped, bar="none", met=not dropped)
    yield Figure("points that sinks still hold in their spools", "", held, bar="none", met=not held)
    yield Figure("until all was written, after the last pass", "s", run.drained - run.stop)
    missing = f"of {balance.wanted:,} values, missing in influxd"
    yield Figure(missing, "", balance.missing, bar="none", met=not balance.missing)
    yield Figure("values in influxd that nobody sampled", "", balance.extra, bar="none", met=not balance.extra)


def of_rollup(rollup: Rollup, run: Run) -> Iterator[Figure]:
    """What one window of the first tier takes."""
    fields = run.recording.fields
    yield Figure("rollup of one window of 5 m", "s", rollup.seconds)
    yield Figure("rollup of one window of 5 m, CPU of influxd", "s", rollup.cpu)
    yield Figure(f"of that for a host and field ({fields} fields)", "ms", 1e3 * rollup.cpu / run.hosts / fields)
