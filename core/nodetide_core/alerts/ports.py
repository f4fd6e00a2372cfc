"""What the evaluation of alerts asks of a store, and where it keeps what it must remember."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from nodetide_core.alerts.model import AlertKey, AlertState, Reading
from nodetide_core.points import Tags
from nodetide_core.store import Column, RangeQuery

__all__ = ["AlertMemory", "AlertRecord", "AlertSource", "Remembered", "Told", "ToldKey"]


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """A machine's state, and what people are shown of it where its policy is not at hand.

    Attributes:
        labels, annotations: as in `nodetide_core.alerts.notify.model.ActiveAlert`.
        reason: why it ended, where it has and the values alone do not say it.
    """

    state: AlertState
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    silenced: bool = False
    reason: str = ""


class ToldKey(NamedTuple):
    """
    Attributes:
        receiver: name of the entry of ``spec.notify``.
        id: of the `ActiveAlert`; for receivers that are told of every severity with the severity behind a ``/``.
    """

    receiver: str
    id: str


@dataclass(frozen=True, slots=True)
class Told:
    """What a receiver has acknowledged last.

    Attributes:
        severity: that it was told fires; empty: that the alert has ended.
        starts_at: of the alert it was told of.
        at: Unix seconds.
    """

    severity: str
    starts_at: int
    at: int


@dataclass(frozen=True, slots=True)
class Remembered:
    records: Mapping[AlertKey, AlertRecord] = field(default_factory=dict)
    told: Mapping[ToldKey, Told] = field(default_factory=dict)


class AlertSource(Protocol):
    """The side that reads values."""

    async def read(self, query: RangeQuery) -> list[Column]:
        """As `nodetide_core.store.StoreReader.read`."""

    async def last_seen(self, bucket: str, measurement: str, field: str | None, since: int) -> Mapping[Tags, int]:
        """When each series of a measurement (with a field, if one is named) had its newest point, by its tags;
        those with none since ``since`` are left out.

        Raises:
            StoreRejected, StoreUnavailable
        """

    async def flux(self, bucket: str, text: str) -> Sequence[Reading]:
        """The ``_value`` of the last row of each table that a query gives, with the tags of the table: its
        string columns but those that begin with ``_``, ``result`` and ``table``.

        Args:
            bucket: the raw one of the policy that asks, with whose rights it runs.

        Raises:
            StoreRejected: the query is wrong, or the store knows no Flux.
            StoreUnavailable
        """


class AlertMemory(Protocol):
    """Keeps records of each policy, by the raw bucket of its stream; blocks.

    Both of a store implement `AlertSource`, too. A state is forgotten at the earliest when the raw
    retention of the stream has passed since it was saved last.
    """

    def remembered(self, bucket: str) -> Remembered:
        """
        Raises:
            StoreUnavailable, StoreRejected
        """

    def remember(
        self,
        bucket: str,
        records: Mapping[AlertKey, AlertRecord | None],
        told: Mapping[ToldKey, Told | None],
        now: int,
    ) -> None:
        """Take these over what was remembered before, durably, all of them or (raising) none; None forgets.

        A record that is inactive and has ``fired`` is remembered like any other: of an alert that ended a moment ago.
        That alerts are evaluated is remembered with any records, and alone where there is neither a record nor
        anything told; see `nodetide_core.store.StoreReader.evaluated`.

        Args:
            now: Unix seconds; perhaps the same as at an earlier call, and less where the clock was set back.

        Raises:
            StoreUnavailable, StoreRejected
        """
