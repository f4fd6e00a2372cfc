"""The newest samples, pushed: one poller per bucket while somebody listens, whatever the number of listeners."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from nodetide_api.config import ApiConfig
from nodetide_api.limits import within
from nodetide_api.subscription import Snapshot, Status, Subscription
from nodetide_core.errors import StoreError
from nodetide_core.store import Latest, StoreReader, Stream

__all__ = ["Live"]

_log = logging.getLogger(__name__)


#: Seconds after a full interval at which to read. Samples are taken on it and stored a moment later: reading just
#: as they come would see one twice and miss the next.
_PHASE = 0.3


def _pause(now: float, interval: int) -> float:
    """Seconds until the next read."""
    return interval - (now - _PHASE) % interval


@dataclass(eq=False)
class _Channel:
    stream: Stream
    subscriptions: set[Subscription] = field(default_factory=set)
    poller: asyncio.Task[None] | None = None
    newest: Snapshot | None = None
    trouble: Status | None = None

    def publish(self, item: Snapshot | Status) -> None:
        for subscription in self.subscriptions:
            subscription.put(item)


class Live:
    """The pollers and who listens to them.

    Attributes:
        skipped: samples that slow clients did not get.
        failures: reads of the store that failed.
    """

    def __init__(
        self,
        store: StoreReader,
        config: ApiConfig,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._config = config
        self._clock = clock
        self._sleep = sleep
        self._channels: dict[Stream, _Channel] = {}
        self._closed = False
        self.skipped = 0
        self.failures = 0

    @property
    def clients(self) -> int:
        return sum(len(channel.subscriptions) for channel in self._channels.values())

    def subscribe(self, stream: Stream) -> Subscription:
        """Starts to listen; the newest sample known, or the trouble, comes first."""
        subscription = Subscription(self._skip)
        if self._closed:
            subscription.close()
            return subscription
        channel = self._channels.setdefault(stream, _Channel(stream))
        channel.subscriptions.add(subscription)
        for known in (channel.trouble, channel.newest):
            if known is not None:
                subscription.put(known)
        if channel.poller is None:
            channel.poller = asyncio.create_task(self._poll(channel))
        return subscription

    def unsubscribe(self, stream: Stream, subscription: Subscription) -> None:
        """Stops to listen; the last listener stops the poller."""
        channel = self._channels.get(stream)
        if channel is None:
            return
        channel.subscriptions.discard(subscription)
        if not channel.subscriptions:
            del self._channels[stream]
            if channel.poller is not None:
                channel.poller.cancel()

    def close(self) -> None:
        """Ends every stream now and every later one at its start, so that a server can stop."""
        self._closed = True
        for channel in self._channels.values():
            for subscription in channel.subscriptions:
                subscription.close()

    def _skip(self, count: int) -> None:
        self.skipped += count

    async def _poll(self, channel: _Channel) -> None:
        while channel.subscriptions:
            try:
                found = await self._read(channel.stream)
            except (StoreError, TimeoutError) as error:
                self._failed(channel, str(error) or "the store did not answer in time")
            except Exception:  # noqa: BLE001 - whatever it is, listeners must hear of it, and the next read may work
                _log.exception("reading %s for its live streams failed", channel.stream.bucket)
                self._failed(channel, "reading the store failed; the log says why")
            else:
                self._succeeded(channel, found)
            await self._sleep(_pause(self._clock(), channel.stream.interval))

    async def _read(self, stream: Stream) -> tuple[Latest, ...]:
        everything: frozenset[str] = frozenset()
        reading = self._store.latest(stream.bucket, everything, everything)
        return tuple(await within(self._config.query_timeout, reading))

    def _failed(self, channel: _Channel, detail: str) -> None:
        self.failures += 1
        if channel.trouble is None:
            channel.trouble = Status(ok=False, detail=detail, now=self._clock())
            channel.publish(channel.trouble)

    def _succeeded(self, channel: _Channel, found: tuple[Latest, ...]) -> None:
        if channel.trouble is not None:
            channel.trouble = None
            channel.publish(Status(ok=True, detail="the store answers again", now=self._clock()))
        stream = channel.stream
        channel.newest = Snapshot(self._clock(), found, self._config.stale_after_of(stream), stream.tiers.counter_gap)
        channel.publish(channel.newest)
