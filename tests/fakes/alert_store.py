"""What the evaluator asks and remembers, held in memory and told to fail at will."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from nodetide_core.alerts.model import AlertKey, Reading
from nodetide_core.alerts.ports import AlertRecord, Remembered, Told, ToldKey
from nodetide_core.points import SeriesKey, Tags, make_tags
from nodetide_core.store import Column, RangeQuery

__all__ = ["AlertStore"]


class AlertStore:
    """An `AlertSource` and an `AlertMemory`.

    Attributes:
        values: by ``measurement.field`` and host or tags, what every window's only step holds.
        seen: by measurement and tags, the time of the newest point.
        rows: what every Flux text gives.
        refused: raises by metric or Flux text; ``""`` for everything.
        noted: of calls of `remember` that say only that somebody evaluates, bucket and time.
        unsaved: raised by `remember`, ``unread`` by `remembered`.
    """

    def __init__(self) -> None:
        self.values: dict[str, dict[str | Tags, float]] = defaultdict(dict)
        self.seen: dict[str, dict[Tags, int]] = defaultdict(dict)
        self.rows: list[Reading] = []
        self.refused: dict[str, Exception] = {}
        self.unsaved: Exception | None = None
        self.unread: Exception | None = None
        self.queries: list[RangeQuery] = []
        self.saved: list[dict[AlertKey, AlertRecord | None]] = []
        self.noted: list[tuple[str, int]] = []
        self.records: dict[str, dict[AlertKey, AlertRecord]] = defaultdict(dict)
        self.on_read: Callable[[RangeQuery], None] = lambda query: None

    def _refuse(self, *names: str) -> None:
        for name in ("", *names):
            if name in self.refused:
                raise self.refused[name]

    async def read(self, query: RangeQuery) -> list[Column]:
        self.queries.append(query)
        self.on_read(query)
        self._refuse(*(f"{query.measurement}.{field}" for field in query.fields))
        found = []
        for field in query.fields:
            for whose, value in self.values[f"{query.measurement}.{field}"].items():
                tags = make_tags({"host": whose}) if isinstance(whose, str) else whose
                found.append(Column(SeriesKey(query.measurement, tags), field, [query.start], [value], [1]))
        return sorted(found, key=lambda column: (column.key, column.field))

    async def last_seen(self, bucket: str, measurement: str, field: str | None, since: int) -> Mapping[Tags, int]:
        self._refuse(measurement)
        return {tags: time for tags, time in self.seen[measurement].items() if time >= since}

    async def flux(self, bucket: str, text: str) -> Sequence[Reading]:
        self._refuse(text)
        return list(self.rows)

    def remembered(self, bucket: str) -> Remembered:
        if self.unread is not None:
            raise self.unread
        return Remembered(dict(self.records[bucket]))

    def remember(
        self,
        bucket: str,
        records: Mapping[AlertKey, AlertRecord | None],
        told: Mapping[ToldKey, Told | None],
        now: int,
    ) -> None:
        if self.unsaved is not None:
            raise self.unsaved
        if records:
            self.saved.append(dict(records))
        else:
            self.noted.append((bucket, now))
        for key, record in records.items():
            if record is None:
                self.records[bucket].pop(key, None)
            else:
                self.records[bucket][key] = record
