"""A store as alerts use it, that tells which failures were the store's and not the alerts'."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from typing import Protocol, TypeVar

from nodetide_core.alerts.model import AlertKey, Reading
from nodetide_core.alerts.ports import AlertMemory, AlertRecord, AlertSource, Remembered, Told, ToldKey
from nodetide_core.errors import StoreRejected, StoreUnavailable
from nodetide_core.points import Tags
from nodetide_core.store import Column, RangeQuery

__all__ = ["AlertStore", "Outages"]

T = TypeVar("T")


class AlertStore(AlertSource, AlertMemory, Protocol):
    """What of `nodetide_core.stores.influx.store.InfluxStore` alerts need."""

    async def check_flux(self, text: str) -> str | None: ...


class Outages:
    """An `AlertSource` and `AlertMemory`; passes on what ``store`` says.

    Attributes:
        buckets: of streams that there are; what is remembered of others goes with them.
    """

    def __init__(self, store: AlertStore) -> None:
        self._store = store
        self._told: set[str] = set()
        self.buckets: Set[str] = frozenset()

    def among(self, errors: Iterable[str]) -> set[str]:
        """Those that tell of a store that could not be asked; what none of them tells of is forgotten."""
        found: dict[str, set[str]] = {told: set() for told in self._told}
        for error in errors:
            for told, telling in found.items():
                if told in error:
                    telling.add(error)
        self._told = {told for told, telling in found.items() if telling}
        return set().union(*found.values())

    async def read(self, query: RangeQuery) -> list[Column]:
        return await self._noting(lambda: self._store.read(query))

    async def last_seen(self, bucket: str, measurement: str, field: str | None, since: int) -> Mapping[Tags, int]:
        return await self._noting(lambda: self._store.last_seen(bucket, measurement, field, since))

    async def flux(self, bucket: str, text: str) -> Sequence[Reading]:
        return await self._noting(lambda: self._store.flux(bucket, text))

    def remembered(self, bucket: str) -> Remembered:
        with self._noted():
            return self._store.remembered(bucket)

    def remember(
        self,
        bucket: str,
        records: Mapping[AlertKey, AlertRecord | None],
        told: Mapping[ToldKey, Told | None],
        now: int,
    ) -> None:
        try:
            with self._noted():
                self._store.remember(bucket, records, told, now)
        except StoreRejected:
            if bucket in self.buckets:
                raise

    async def _noting(self, ask: Callable[[], Awaitable[T]]) -> T:
        with self._noted():
            return await ask()

    @contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except StoreUnavailable as error:
            self._told.add(str(error))
            raise
