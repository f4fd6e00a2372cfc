"""What the routes share, and the questions they ask the store, each within its time limit and shared in flight."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from nodetide_api.census import Census
from nodetide_api.choice import pick_stream
from nodetide_api.config import ApiConfig
from nodetide_api.flights import Flights
from nodetide_api.live import Live
from nodetide_api.plan import Plan, Read, queries, require_size
from nodetide_api.telemetry import Telemetry
from nodetide_api.together import together
from nodetide_core.alerts.machines import SAVE_AGAIN
from nodetide_core.alerts.model import AlertKey
from nodetide_core.alerts.ports import AlertRecord
from nodetide_core.frames import merge_columns
from nodetide_core.store import Aggregate, Column, Latest, StoreReader, Stream

__all__ = ["Check", "Services"]

T = TypeVar("T")

#: Seconds within which whoever evaluates alerts has said so, and been away for a while.
_LATELY = 3 * SAVE_AGAIN
#: A part's own word on its health: ``ok``, or what is wrong.
Check = Callable[[], str]


@dataclass(frozen=True)
class Services:
    """The parts of one app; made by `create_app`."""

    store: StoreReader
    config: ApiConfig
    clock: Callable[[], float]
    flights: Flights
    live: Live
    telemetry: Telemetry
    checks: Mapping[str, Check]
    evaluating: Callable[[], bool]
    census: Census = field(default_factory=Census)

    @property
    def now(self) -> int:
        """The current second."""
        return int(self.clock())

    async def ask(self, key: Hashable, question: Callable[[], Awaitable[T]]) -> T:
        """The answer of ``question``, shared with whoever asks the same now.

        Raises:
            TimeoutError: it took longer than ``query_timeout``.
        """
        return await self.flights.share(key, question, self.config.query_timeout)

    async def streams(self) -> Sequence[Stream]:
        return await self.ask("streams", self.store.streams)

    async def stream(self, policy: str) -> Stream:
        """The stream that answers; see `pick_stream`."""
        return pick_stream(await self.streams(), policy, self.config.policy)

    async def latest(self, stream: Stream, hosts: frozenset[str]) -> list[Latest]:
        """The newest samples of these hosts (empty: all), of all measurements."""
        return await self.ask(("latest", stream, hosts), lambda: self.store.latest(stream.bucket, frozenset(), hosts))

    async def hosts(self, stream: Stream) -> Mapping[str, int]:
        """The time of the newest sample by host."""
        return await self.ask(("hosts", stream), lambda: self.store.hosts(stream.bucket))

    async def watermarks(self, stream: Stream) -> Mapping[str, int]:
        return await self.ask(("watermarks", stream), lambda: self.store.watermarks(stream.bucket))

    async def alerts(self, stream: Stream) -> Mapping[AlertKey, AlertRecord]:
        """Every alert of the stream that is remembered, whatever its state."""
        return await self.ask(("alerts", stream), lambda: self.store.alerts(stream.bucket))

    async def evaluated(self, stream: Stream) -> bool:
        """Whether the store says that alerts of the stream were evaluated lately."""
        at = await self.ask(("evaluated", stream), lambda: self.store.evaluated(stream.bucket))
        return self.clock() - at < _LATELY

    async def carry_out(self, plan: Plan) -> dict[Aggregate, list[Column]]:
        """Every read of a plan.

        Raises:
            QueryError: the answer would be too big.
        """
        require_size(plan, await self.census.columns(plan, self.store, self.clock()))
        watermarks = await self.store.watermarks(plan.stream.bucket)
        columns = await together(self._read(plan, read, watermarks) for read in plan.reads)
        return {read.aggregate: found for read, found in zip(plan.reads, columns, strict=True)}

    async def _read(self, plan: Plan, read: Read, watermarks: Mapping[str, int]) -> list[Column]:
        parts = await together(self.store.read(query) for query in queries(plan, read, watermarks))
        return parts[0] if len(parts) == 1 else merge_columns(parts, read.aggregate)
