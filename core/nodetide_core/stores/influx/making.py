"""Makes windows of a tier from its source's points, some hosts at a time: a tenth of what a task costs InfluxDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nodetide_core.catalogue import Catalogue
from nodetide_core.errors import StoreRejected
from nodetide_core.lineprotocol import Encoder
from nodetide_core.points import Point, SeriesKey
from nodetide_core.rollup import Sample
from nodetide_core.store import Stream
from nodetide_core.stores.influx import influxql
from nodetide_core.stores.influx.answers import ask
from nodetide_core.stores.influx.caller import AnswerTooLarge, Caller
from nodetide_core.stores.influx.due import Run
from nodetide_core.stores.influx.newest import known_hosts
from nodetide_core.stores.influx.portions import Pace, Portion, halves
from nodetide_core.stores.influx.preceding import preceding_samples
from nodetide_core.stores.influx.windows import fields_of, merged_windows, rolled_fields, sampled_windows
from nodetide_core.stores.influx.writing import post
from nodetide_core.tiers import Tier

__all__ = ["Maker"]

#: Values of an answer that is worth its call and yet small in memory, some 30 MB.
_VALUES = 500_000
#: Part of what InfluxDB says of points past the retention of their bucket.
_PAST_RETENTION = "retention policy"


class Maker:
    """Safe for one thread at a time."""

    def __init__(self, caller: Caller, *, org: str, catalogue: Catalogue) -> None:
        self._caller = caller
        self._org = org
        self._catalogue = catalogue
        # Types on the wire are those of the values: the mean of whole numbers is none.
        self._encoder = Encoder(catalogue=Catalogue(()))
        self._pace = Pace(_VALUES)

    def make(self, stream: Stream, run: Run, now: float) -> None:
        """Make the windows of a run, or make them again.

        Args:
            now: Unix seconds.

        Raises:
            StoreUnavailable, StoreRejected: some of them may be made.
        """
        bucket, window = stream.tiers.source(run.tier).bucket(stream.bucket), run.tier.window
        # An empty name is that of series without a host.
        hosts = run.hosts or {"", *known_hosts(self._caller, bucket, self._catalogue)}
        measurements = tuple(item.name for item in self._catalogue if fields_of(item))
        waiting = [Portion(tuple(sorted(hosts)), measurements, run.start, run.stop)]
        while waiting:
            portion, rest = self._pace.cut(bucket, waiting.pop(), window)
            waiting += rest
            try:
                values, points = self._windows(stream, run.tier, portion)
            except AnswerTooLarge:
                smaller = halves(portion, window)
                if len(smaller) == 1:
                    raise
                waiting += smaller
                continue
            self._pace.saw(bucket, portion, values)
            self._put(run.tier.bucket(stream.bucket), points, now)

    def _windows(self, stream: Stream, tier: Tier, portion: Portion) -> tuple[int, list[Point]]:
        """How many values a portion has, and the windows made of them."""
        source = stream.tiers.source(tier)
        raw = source.window == 0
        of = fields_of if raw else rolled_fields
        fields = {name: of(self._catalogue[name]) for name in portion.measurements}
        bucket = source.bucket(stream.bucket)
        request = influxql.points_of(bucket, fields, frozenset(portion.hosts), portion.start, portion.stop)
        answers = ask(self._caller, request, doing=f"rolling up {bucket}")
        found = [rows for answer in answers for rows in answer if rows.values]
        hosts, gap = frozenset(portion.hosts), stream.tiers.counter_gap
        before: Mapping[SeriesKey, Mapping[str, Sample]] = {}
        if raw:
            before = preceding_samples(
                self._caller, found, self._catalogue, bucket=bucket, hosts=hosts, start=portion.start, gap=gap
            )
        points = []
        for rows in found:
            measurement, window = self._catalogue[rows.key.measurement], tier.window
            if raw:
                grown = before.get(rows.key, {})
                made = sampled_windows(measurement, rows.columns, rows.values, grown, window=window, gap=gap)
            else:
                made = merged_windows(measurement, rows.columns, rows.values, window=window)
            points += [Point(*rows.key, fields, start) for start, fields in made.items()]
        return sum(len(rows.values) * len(rows.columns) for rows in found), points

    def _put(self, bucket: str, points: Sequence[Point], now: float) -> None:
        refused = post(self._caller, points, self._encoder, org=self._org, bucket=bucket, now=now)
        for reason in refused:
            # Windows that their tier would have forgotten by now are no loss.
            if _PAST_RETENTION not in reason:
                raise StoreRejected(f"{bucket}: {reason}")
