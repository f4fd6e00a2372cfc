"""The port behind which every store stands, and the neutral questions it answers.

A store keeps *streams*: one per MetricPolicy, each with its bucket and tiers.  What a rollup means
is defined in `nodetide_core.rollup`, which tier answers in `nodetide_core.tiers`; a store only
carries them out.  Every implementation must pass ``tests/contracts/store_contract.py``.

Writing and upkeep are called from worker threads and block; reading is asynchronous, so that a
client that leaves cancels its query.  Times are Unix seconds; ranges are half-open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from nodetide_core.points import Point, SeriesKey
from nodetide_core.tiers import DEFAULT_TIERS, Tier, Tiers

if TYPE_CHECKING:  # they ask stores in the words of this file
    from nodetide_core.alerts.model import AlertKey
    from nodetide_core.alerts.ports import AlertRecord

__all__ = [
    "Aggregate",
    "Column",
    "Latest",
    "RangeQuery",
    "Rejected",
    "RollupReport",
    "Store",
    "StoreReader",
    "StoreWriter",
    "Stream",
    "WriteReport",
]


@dataclass(frozen=True, slots=True)
class Stream:
    """What one policy asks of a store.

    Attributes:
        interval: seconds between raw samples, the finest of the policy's groups.
        allow_data_loss: whether `StoreWriter.ensure` may shorten retentions and remove tiers; asked
            anew each time, and no part of what a store keeps.
        owner: the installation that keeps the stream, where several share a store; empty: whoever comes.
        kept: whether its points stay when its policy is gone.
    """

    name: str
    bucket: str
    tiers: Tiers = DEFAULT_TIERS
    interval: int = 1
    allow_data_loss: bool = field(default=False, compare=False)
    owner: str = field(default="", kw_only=True)
    kept: bool = field(default=True, kw_only=True)


class Aggregate(str, Enum):
    """How the values of one step become one.

    ``RATE`` and ``INCREASE`` are for counters; ``MEAN``, ``MIN``, ``MAX`` and ``COUNT`` for gauges;
    ``LAST`` for both.  A tier keeps no last value of a gauge: there, ``LAST`` is the mean of the last
    window.  The first sample of a counter after the start of a range grows from the one before it,
    as in a rollup; a step over which no growth was seen has no ``RATE``.
    """

    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    LAST = "last"
    COUNT = "count"
    RATE = "rate"
    INCREASE = "increase"


@dataclass(frozen=True, slots=True)
class RangeQuery:
    """Values of some fields of a measurement, one per step, from one tier of one stream.

    Attributes:
        start, stop: ``[start, stop)``: samples of these times, or windows that start there.
        step: seconds, a multiple of the tier's window; steps are aligned to the epoch, so the first
            may start before ``start``.  For raw, ``1`` with `Aggregate.LAST` gives the samples
            themselves.
        tags: a series qualifies when each of these tags has one of the values.
        weights: whether `Column.n` matters; where it does not, a store may give ones, if that costs it less.
    """

    bucket: str
    tier: Tier
    measurement: str
    fields: tuple[str, ...]
    start: int
    stop: int
    step: int
    aggregate: Aggregate
    tags: Mapping[str, frozenset[str]] = field(default_factory=dict)
    weights: bool = True


@dataclass(frozen=True, slots=True)
class Column:
    """One field of one series over time.

    Attributes:
        t: start of each step that has data, ascending.
        v: the value of the step.
        n: its weight when two parts of a step are put together: the samples behind a gauge's
            value, the observed seconds behind a counter's.
    """

    key: SeriesKey
    field: str
    t: Sequence[int]
    v: Sequence[float]
    n: Sequence[float]


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest point of a series and the one before it, for rates; None where there is none."""

    point: Point
    previous: Point | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Points a store did not take, and why; never silent."""

    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class WriteReport:
    written: int
    rejected: tuple[Rejected, ...] = ()


@dataclass(frozen=True, slots=True)
class RollupReport:
    """What one call of `rollup` did.

    Attributes:
        windows: made or made again.
        expired: rows removed, in whatever rows the store keeps.
        remaining: how much is left to do now, about; 0 only when nothing is.
    """

    windows: int = 0
    expired: int = 0
    remaining: int = 0


class StoreWriter(Protocol):
    """The side of the collector and of upkeep."""

    def ensure(self, streams: Sequence[Stream]) -> None:
        """Make every stream's bucket and tiers exist as asked; streams not named stay as they are.

        A tier put in later is filled from what its source still holds.

        Raises:
            StoreRejected: a change would lose data (a shorter retention, a tier left out) and the
                stream does not allow it; nothing was changed.
        """

    def write(self, bucket: str, points: Sequence[Point]) -> WriteReport:
        """Take points durably, all of them or (raising) none.

        The same series and time written again overwrites field by field. Late points are taken as long as
        their windows can still be rolled up, and those windows are rolled up again. Older ones, ones far in
        the future and ones that do not fit the catalogue are rejected, each whole and with a reason, and the
        rest of the batch is taken; see `nodetide_core.stores.admission` and `nodetide_core.stores.retention`.

        Raises:
            StoreRejected: no stream has this bucket.
            StoreUnavailable: nothing was taken; the same call may succeed later.
        """

    def rollup(self, now: int) -> RollupReport:
        """Roll up every window that ended `nodetide_core.rollup.SETTLE` before ``now`` (a store that others write
        to, too, may give them some seconds more), missed and changed ones first, and expire what is past its
        retention and rolled up. Bounded per call: call again while ``remaining`` is not 0.

        Raises:
            StoreUnavailable: what was done stays done; the same call may succeed later.
        """

    def close(self) -> None:
        """Flush and let go; calling again does nothing."""


class StoreReader(Protocol):
    """The side of the API."""

    async def streams(self) -> Sequence[Stream]:
        """The streams this store holds."""

    async def read(self, query: RangeQuery) -> list[Column]:
        """Columns in the order of (series, field); series without data are absent.

        Raises:
            StoreRejected: no such stream, tier or field; a step that is no whole number of windows;
                an aggregate that is not for this kind of field.
        """

    async def latest(self, bucket: str, measurements: frozenset[str], hosts: frozenset[str]) -> list[Latest]:
        """The newest point of each series, of the measurements and hosts named (empty: all), no
        older than an hour or the raw retention, in the order of series; and the one before it, if
        that is no further back than ``counter_gap``."""

    async def hosts(self, bucket: str) -> Mapping[str, int]:
        """The time of the newest point by host, within the raw retention."""

    async def watermarks(self, bucket: str) -> Mapping[str, int]:
        """By tier name, the time up to which its windows are rolled up."""

    async def alerts(self, bucket: str) -> Mapping[AlertKey, AlertRecord]:
        """What is remembered of alerts that are pending, fire or ended a moment ago; see
        `nodetide_core.alerts.ports.AlertMemory`."""

    async def evaluated(self, bucket: str) -> int:
        """When it was last remembered that alerts of a stream are evaluated, which is done every
        `nodetide_core.alerts.machines.SAVE_AGAIN` seconds at least; Unix seconds, 0 where it never was.  Where nobody
        but this process can evaluate them, what was before it is forgotten."""

    async def ready(self) -> None:
        """Do a real read.

        Raises:
            StoreUnavailable: it failed; the message says how.
        """


class Store(StoreWriter, StoreReader, Protocol):
    """Both sides."""
