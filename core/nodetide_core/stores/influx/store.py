"""InfluxDB as a store."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import suppress
from typing import TypeVar

from nodetide_core.alerts.model import AlertKey, Reading
from nodetide_core.alerts.ports import AlertRecord, Remembered, Told, ToldKey
from nodetide_core.catalogue import CATALOGUE, Kind
from nodetide_core.errors import StoreError, StoreRejected, StoreUnavailable
from nodetide_core.lineprotocol import Encoder
from nodetide_core.points import Point, Tags, tag
from nodetide_core.store import Column, Latest, RangeQuery, Rejected, RollupReport, Stream, WriteReport
from nodetide_core.stores.influx import alerting
from nodetide_core.stores.influx.answers import ask
from nodetide_core.stores.influx.caller import Caller, connect
from nodetide_core.stores.influx.config import StoreConfig
from nodetide_core.stores.influx.control import Control
from nodetide_core.stores.influx.desired import desired
from nodetide_core.stores.influx.due import changed_by, next_moment, oldest_windows
from nodetide_core.stores.influx.filled import filled
from nodetide_core.stores.influx.influxql import newest_reports
from nodetide_core.stores.influx.known import Known
from nodetide_core.stores.influx.late import late_windows
from nodetide_core.stores.influx.newest import newest_hosts, newest_points
from nodetide_core.stores.influx.planning import Observed, plan, streams_of
from nodetide_core.stores.influx.pool import CallerPool
from nodetide_core.stores.influx.progress import Progress, task_progress, watermarks
from nodetide_core.stores.influx.query_tokens import QueryTokens
from nodetide_core.stores.influx.reading import read
from nodetide_core.stores.influx.recent import Recent
from nodetide_core.stores.influx.reports import CollectorReport, collector_reports
from nodetide_core.stores.influx.rolling import Roller
from nodetide_core.stores.influx.state import EVERYONE, Mark, Marker, StateKeeper
from nodetide_core.stores.influx.users_flux import UsersFlux
from nodetide_core.stores.influx.writing import admitted, post
from nodetide_core.stores.queries import check_query

__all__ = ["InfluxStore"]

_T = TypeVar("_T")

#: Seconds for which streams and watermarks are taken to be as they were.
_KNOWN = 2.0
#: Seconds between two looks for points that came late past every mark.
_LATE_EVERY = 300.0
#: Bytes of the largest answer to a query of users.
_FLUX_ANSWER = 16 * 2**20


class InfluxStore:
    """A `nodetide_core.store.Store` in one organization of InfluxDB 2.7 or newer.

    Reads share a few connections; writing has one of its own, and so have upkeep, which may take minutes, what
    alerts remember, and what collectors report.  Nothing is connected before it is needed.

    Args:
        owner: the installation whose streams are rolled up; None: everybody's.
        flux_tokens: that Flux of users runs with; None runs none.
    """

    def __init__(
        self,
        config: StoreConfig,
        *,
        owner: str | None = None,
        flux_tokens: QueryTokens | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._owner = owner
        self._progress: dict[Stream, Progress] = {}
        #: Streams in which nothing was found the last time, and those in which there was something once.
        self._bare: frozenset[Stream] = frozenset()
        self._full: frozenset[Stream] = frozenset()
        #: Streams of which nothing is due before a time.
        self._rests: dict[Stream, int] = {}
        self._clock = clock
        self._monotonic = monotonic
        self._known = Known(_KNOWN, monotonic)
        self._recent = Recent(CATALOGUE, monotonic)
        self._pool = CallerPool(lambda: self._connect(config.timeout), config.connections)
        self._writer = self._connect(config.timeout)
        self._upkeep = self._connect(config.upkeep_timeout)
        self._memory = self._connect(config.timeout)
        #: The newest time of what was written there, by bucket.
        self._remembered_at: dict[str, int] = {}
        self._reporting = self._connect(config.timeout)
        self._flux = UsersFlux(
            lambda: connect(config, config.timeout, answer_limit=_FLUX_ANSWER), config.org, flux_tokens
        )
        self._control = Control(self._upkeep, config.org)
        self._keeper = StateKeeper(self._upkeep, config.org)
        self._marker = Marker()
        self._marks = StateKeeper(self._writer, config.org)
        self._roller = Roller(
            self._upkeep,
            self._keeper,
            org=config.org,
            catalogue=CATALOGUE,
            marker=self._marker,
            monotonic=monotonic,
        )
        self._encoder = Encoder()
        self._write_lock = threading.Lock()
        self._upkeep_lock = threading.Lock()
        self._looked: dict[str, float] = {}
        self._closed = False

    def _connect(self, timeout: float) -> Caller:
        return connect(self._config, timeout)

    # Writing and upkeep

    def ensure(self, streams: Sequence[Stream]) -> None:
        """Besides what the port says: plan, and carry the plan out; see `nodetide_core.stores.influx.desired`.

        Raises:
            StoreRejected: also where a bucket belongs to another stream.
            StoreUnavailable
        """
        with self._upkeep_lock:
            self._refuse_closed()
            parts = desired(streams, CATALOGUE)
            self._control.apply(plan(streams, parts, self._control.observe()))
            self._known.forget()
            self._rests.clear()

    def write(self, bucket: str, points: Sequence[Point]) -> WriteReport:
        with self._write_lock:
            self._refuse_closed()
            stream = self._stream(self._writer, bucket)
            now = int(self._clock())
            refused: Counter[str] = Counter()
            taken = admitted(stream, points, CATALOGUE, now, refused)
            changed = changed_by(stream, map(_touched, taken), now)
            # Before, so that the windows are made again even if this process dies; and after, for the
            # case that they were just being made while the points came in.
            self._mark(self._marks, stream, changed)
            lost = post(self._writer, taken, self._encoder, org=self._config.org, bucket=bucket, now=self._clock())
            self._mark(self._marks, stream, changed)
        refused += lost
        rejected = tuple(Rejected(reason, count) for reason, count in sorted(refused.items()))
        return WriteReport(len(taken) - lost.total(), rejected)

    def rollup(self, now: int) -> RollupReport:
        """Roll up what the tasks have missed, what changed and what came late; InfluxDB expires by itself.

        Raises:
            StoreUnavailable, StoreRejected: of the first stream that failed; the others are rolled up.
        """
        with self._upkeep_lock:
            self._refuse_closed()
            observed = Observed(self._control.buckets(), ())
            streams = [stream for stream in streams_of(observed) if self._owner in (None, stream.owner)]
            empty = self._empty(streams, observed.buckets.keys())
            idle = {stream for stream in streams if stream.bucket in empty or now < self._rests.get(stream, 0)}
            full = [stream for stream in streams if stream not in idle]
            succeeded = task_progress(full, self._control.tasks()) if full else {}
            for stream in full:
                # What fails here fails below, too, and is told there.
                with suppress(StoreError):
                    self._roller.claim(stream, now)
            windows = left = 0
            failures: list[StoreError] = []
            before, self._progress = self._progress, {}
            for stream in streams:
                if stream in idle:
                    nothing = dict.fromkeys((tier.name for tier in stream.tiers.rollups), 0)
                    self._progress[stream] = Progress(nothing, empty=stream.bucket in empty)
                    continue
                # Before, so that what is marked meanwhile is not overlooked.
                self._rests[stream] = next_moment(stream, now)
                try:
                    made, behind = self._roll(stream, now, succeeded.get(stream.bucket, {}))
                except StoreError as failure:
                    self._rests.pop(stream, None)
                    failures.append(failure)
                    was = before.get(stream, Progress())
                    self._progress[stream] = Progress(was.behind, str(failure))
                    continue
                self._progress[stream] = Progress(behind)
                if made or any(behind.values()):
                    self._rests.pop(stream, None)
                windows += made
                left += sum(behind.values())
            self._known.forget()
            if failures:
                raise failures[0]
            return RollupReport(windows=windows, remaining=left)

    def progress(self) -> Mapping[Stream, Progress]:
        """How far each stream is, as of the last `rollup`."""
        return dict(self._progress)

    def reports(self, stream: Stream, since: int) -> Mapping[str, CollectorReport]:
        """What each host's collector last said of itself, since a time; blocks.

        Raises:
            StoreUnavailable, StoreRejected
        """
        self._refuse_closed()
        return collector_reports(self._reporting, stream, since)

    def _empty(self, streams: Sequence[Stream], buckets: Set[str]) -> frozenset[str]:
        """Raw buckets of streams in which nothing was ever written, in no tier; all tiers' buckets are there.

        With a thousand of them the thirty statements that rolling one up begins with are better not asked.
        """
        asked = {
            # Where tiers were seen empty, nothing comes into them but from raw points.
            stream: [tier.bucket(stream.bucket) for tier in stream.tiers.tiers[: 1 if stream in self._bare else None]]
            for stream in streams
            if stream not in self._full and all(tier.bucket(stream.bucket) in buckets for tier in stream.tiers.tiers)
        }
        try:
            full = set(filled(self._upkeep, self._config.org, [name for names in asked.values() for name in names]))
        except StoreError:
            # What fails here fails below, too, and is told there.
            return frozenset()
        self._bare = frozenset(stream for stream, names in asked.items() if full.isdisjoint(names))
        self._full = (self._full | asked.keys() - self._bare) & frozenset(streams)
        return frozenset(stream.bucket for stream in self._bare)

    def _roll(self, stream: Stream, now: int, succeeded: Mapping[int, int]) -> tuple[int, dict[str, int]]:
        if not stream.tiers.rollups:
            return 0, {}
        first = stream.tiers.rollups[0]
        if self._monotonic() >= self._looked.get(stream.bucket, 0.0):
            start = oldest_windows(stream, now)[first.window]
            until = watermarks(self._upkeep, stream, {}).get(first.name)
            if until is not None and start < until:
                self._mark(self._keeper, stream, late_windows(self._upkeep, stream, start, until))
            self._looked[stream.bucket] = self._monotonic() + _LATE_EVERY
        return self._roller.roll(stream, now, succeeded)

    def _mark(self, keeper: StateKeeper, stream: Stream, changed: set[tuple[int, str]]) -> None:
        if changed:
            self._rests.pop(stream, None)
            number = self._marker.next()
            marks = [Mark(start, host, number) for start, host in sorted(changed)]
            keeper.mark(stream, stream.tiers.rollups[0], marks)

    def close(self) -> None:
        self._closed = True
        for readers in (self._pool, self._flux):
            readers.close()
        for caller in (self._writer, self._upkeep, self._memory, self._reporting):
            caller.end()

    # Reading

    async def streams(self) -> Sequence[Stream]:
        known = self._known.peek("streams")
        if known is not None:
            return list(known[0].values())
        return await self._read(lambda caller: list(self._streams(caller).values()))

    async def read(self, query: RangeQuery) -> list[Column]:
        """
        Raises:
            StoreRejected: the query makes no sense.
            StoreUnavailable
        """

        def work(caller: Caller) -> list[Column]:
            stream = self._stream(caller, query.bucket)
            check_query(query, stream, CATALOGUE)
            return read(caller, query, stream, CATALOGUE, org=self._config.org)

        return await self._read(work)

    async def latest(self, bucket: str, measurements: frozenset[str], hosts: frozenset[str]) -> list[Latest]:
        now = int(self._clock())
        if not measurements and "" not in hosts:
            return await self._read(
                lambda caller: self._recent.newest(caller, self._stream(caller, bucket), now, hosts)
            )
        return await self._read(
            lambda caller: newest_points(
                caller, self._stream(caller, bucket), CATALOGUE, now, measurements=measurements, hosts=hosts
            )
        )

    async def hosts(self, bucket: str) -> Mapping[str, int]:
        now = int(self._clock())
        return await self._read(lambda caller: newest_hosts(caller, self._stream(caller, bucket), CATALOGUE, now))

    async def watermarks(self, bucket: str) -> Mapping[str, int]:
        """Where upkeep has stopped, those of the tasks, as far as the token may see them."""
        known = self._known.peek(("watermarks", bucket))
        if known is not None:
            return known[0]  # type: ignore[no-any-return]

        def ask_for(caller: Caller) -> Mapping[str, int]:
            stream = self._stream(caller, bucket)
            try:
                tasks = Control(caller, self._config.org).tasks()
            except StoreError:  # a token that may read buckets only
                tasks = []
            return watermarks(caller, stream, task_progress([stream], tasks).get(bucket, {}))

        return await self._read(lambda caller: self._known.get(("watermarks", bucket), lambda: ask_for(caller)))

    async def ready(self) -> None:
        def work(caller: Caller) -> None:
            for stream in Control(caller, self._config.org).streams()[:1]:
                since = int(self._clock()) - 60
                ask(caller, newest_reports(stream.bucket, since), doing=f"reading {stream.bucket}")

        try:
            await self._read(work)
        except StoreRejected as error:
            raise StoreUnavailable(str(error)) from error

    # Alerts

    async def alerts(self, bucket: str) -> Mapping[AlertKey, AlertRecord]:
        return await self._read(lambda caller: alerting.records(caller, self._stream(caller, bucket).bucket))

    async def evaluated(self, bucket: str) -> int:
        return await self._read(lambda caller: alerting.evaluated(caller, self._stream(caller, bucket).bucket))

    async def last_seen(self, bucket: str, measurement: str, field: str | None, since: int) -> Mapping[Tags, int]:
        now = int(self._clock())
        return await self._read(lambda caller: alerting.last_seen(caller, bucket, measurement, field, since, now=now))

    async def flux(self, bucket: str, text: str) -> Sequence[Reading]:
        return await self._flux.ask(bucket, text)

    async def check_flux(self, text: str) -> str | None:
        """See `nodetide_core.stores.influx.users_flux.UsersFlux.check`."""
        return await self._flux.check(text)

    def remembered(self, bucket: str) -> Remembered:
        self._refuse_closed()
        return alerting.remembered(self._memory, bucket)

    def remember(
        self,
        bucket: str,
        records: Mapping[AlertKey, AlertRecord | None],
        told: Mapping[ToldKey, Told | None],
        now: int,
    ) -> None:
        self._refuse_closed()
        # The newest point counts, and the clock may have been set back since the last one.
        at = self._remembered_at[bucket] = max(now, self._remembered_at.get(bucket, now))
        try:
            org, time = self._config.org, self._clock()
            alerting.remember(self._memory, bucket, records, told, at, org=org, now=time)
        except StoreUnavailable:
            # That no bucket is there may be for now to InfluxDB, which does not know of streams.
            self._stream(self._memory, bucket)
            raise

    async def _read(self, work: Callable[[Caller], _T]) -> _T:
        return await self._pool.run(work)

    def _streams(self, caller: Caller) -> dict[str, Stream]:
        return self._known.get(
            "streams",
            lambda: {stream.bucket: stream for stream in Control(caller, self._config.org).streams()},
        )

    def _stream(self, caller: Caller, bucket: str) -> Stream:
        found = self._streams(caller).get(bucket)
        if found is None:
            raise StoreRejected(f"no stream has the bucket {bucket!r}")
        return found

    def _refuse_closed(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")


def _touched(point: Point) -> tuple[int, str, bool]:
    """What `changed_by` needs to know of a point."""
    measurement = CATALOGUE[point.measurement]
    has_counter = any(measurement.by_name[name].kind is Kind.COUNTER for name in point.fields)
    return point.time, tag(point.tags, "host") or EVERYONE, has_counter
