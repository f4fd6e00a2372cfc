"""The poller behind the live streams, driven tick by tick."""

from __future__ import annotations

import asyncio
import json

import pytest

from nodetide_api.config import ApiConfig
from nodetide_api.current import View, make_view
from nodetide_api.filters import Filters, parse_filters
from nodetide_api.live import Live
from nodetide_api.models import Current, StreamStatus
from nodetide_api.sse import EventStream, follow
from nodetide_api.subscription import Snapshot, Status
from nodetide_core.errors import StoreUnavailable
from nodetide_core.store import Stream

ALL = View(Filters())


class Ticker:
    """A sleep that ends when the test says so."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._asleep = asyncio.Event()
        self._wake = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._asleep.set()
        await self._wake.wait()
        self._wake.clear()

    async def tick(self) -> None:
        """Lets the poller do one round and fall asleep again."""
        self._asleep.clear()
        self._wake.set()
        await self._asleep.wait()

    async def settled(self) -> None:
        await self._asleep.wait()


@pytest.fixture
def ticker() -> Ticker:
    return Ticker()


@pytest.fixture
def live(store, ticker, now) -> Live:
    return Live(store, ApiConfig(query_timeout=10), lambda: now + 0.5, ticker.sleep)


@pytest.fixture
def stream(store) -> Stream:
    return store.held[0]


async def test_any_number_of_clients_cost_one_read_per_interval(live, store, stream, ticker, point, now):
    store.add(point(now, "mem", {"total": 1}))
    subscriptions = [live.subscribe(stream) for _ in range(20)]
    await ticker.settled()
    assert store.calls["latest"] == 1
    await ticker.tick()
    assert store.calls["latest"] == 2
    assert live.clients == 20
    for subscription in subscriptions:
        one, two = await subscription.next(), await subscription.next()
        assert isinstance(one, Snapshot)
        assert isinstance(two, Snapshot)
        assert one.id == now
    assert ticker.slept == pytest.approx([0.8, 0.8])


@pytest.mark.parametrize("interval", [1, 10, 3600])
@pytest.mark.parametrize("past", [0.0, 0.1, 0.29, 0.31, 0.5, 0.999])
async def test_reads_come_shortly_after_samples_are_due(store, ticker, now, interval, past):
    start = now - now % interval + past * interval
    live = Live(store, ApiConfig(), lambda: start, ticker.sleep)
    live.subscribe(Stream("system-metrics", "system-metrics", interval=interval))
    await ticker.settled()
    (pause,) = ticker.slept
    assert 0 < pause <= interval
    assert (start + pause) % interval == pytest.approx(0.3, abs=1e-3)


async def test_a_newcomer_gets_what_is_known_at_once(live, store, stream, ticker, point, now):
    store.add(point(now, "mem", {"total": 1}))
    live.subscribe(stream)
    await ticker.settled()
    assert isinstance(await live.subscribe(stream).next(), Snapshot)
    assert store.calls["latest"] == 1


async def test_each_client_sees_its_own_view_rendered_once(live, store, stream, ticker, point, now):
    store.add(point(now, "mem", {"total": 1}, host="a"), point(now, "mem", {"total": 2}, host="b"))
    subscription = live.subscribe(stream)
    snapshot = await subscription.next()
    assert isinstance(snapshot, Snapshot)
    a, b = (make_view(parse_filters([host], []), ["mem.total"]) for host in "ab")
    for view, host in ((a, "a"), (b, "b")):
        current = Current.model_validate_json(snapshot.render(view), strict=True)
        assert [found.host for found in current.hosts] == [host]
    assert snapshot.render(a) is snapshot.render(make_view(parse_filters(["a"], []), ["mem.total"]))
    assert snapshot.render(a) is not snapshot.render(b)


async def test_a_slow_client_skips_to_the_newest_and_that_is_counted(live, store, stream, ticker, point, now):
    slow, fast = live.subscribe(stream), live.subscribe(stream)
    await ticker.settled()
    seen = []
    for second in range(1, 21):
        seen.append(await fast.next())
        store.add(point(now + second, "mem", {"total": second}))
        await ticker.tick()
    seen.append(await fast.next())
    assert [snapshot.id for snapshot in seen[1:]] == [now + second for second in range(1, 21)]
    assert live.skipped > 0
    waiting = [await slow.next() for _ in range(21 - live.skipped)]
    assert len(waiting) <= 8, "what waits is bounded"
    assert waiting[-1].id == now + 20, "and ends with the newest"
    assert [item.id for item in waiting] == sorted(item.id for item in waiting)
    await ticker.tick()
    assert (await slow.next()).id == now + 20, "every skipped sample was counted: none was left"


async def test_failure_and_recovery_are_each_said_once(live, store, stream, ticker, point, now):
    store.add(point(now, "mem", {"total": 1}))
    subscription = live.subscribe(stream)
    assert isinstance(await subscription.next(), Snapshot)
    store.failure = StoreUnavailable("disk full")
    await ticker.tick()
    failed = await subscription.next()
    coming = asyncio.create_task(subscription.next())
    for _ in range(2):
        await ticker.tick()
    assert not coming.done(), "the same trouble is not said again"
    newcomer = live.subscribe(stream)
    assert await newcomer.next() == failed, "whoever comes meanwhile hears of it"
    store.failure = None
    await ticker.tick()
    recovered, sample = await coming, await subscription.next()
    assert isinstance(failed, Status)
    assert isinstance(recovered, Status)
    assert isinstance(sample, Snapshot)
    said = [StreamStatus.model_validate_json(item.render(), strict=True) for item in (failed, recovered)]
    assert [(status.status, status.detail) for status in said] == [
        ("unavailable", "disk full"),
        ("ok", "the store answers again"),
    ]
    assert live.failures == 3


@pytest.mark.parametrize("how", ["slow", "broken"])
async def test_a_store_that_hangs_or_breaks_is_said_too_and_the_poller_goes_on(
    live, store, stream, ticker, how, caplog, let_pass
):
    if how == "slow":
        store.gate.clear()
    else:
        store.failure = RuntimeError("secret")
    subscription = live.subscribe(stream)
    await store.waiting("latest")
    let_pass(10)
    status = await subscription.next()
    assert isinstance(status, Status)
    assert not status.ok
    assert "secret" not in status.detail
    assert ("secret" in caplog.text) == (how == "broken")
    store.gate.set()
    store.failure = None
    await ticker.tick()
    recovered = await subscription.next()
    assert isinstance(recovered, Status)
    assert recovered.ok


async def test_the_poller_ends_with_its_last_client_and_starts_with_the_next(live, store, stream, ticker):
    one, two = live.subscribe(stream), live.subscribe(stream)
    await ticker.settled()
    live.unsubscribe(stream, one)
    await ticker.tick()
    live.unsubscribe(stream, two)
    live.unsubscribe(stream, two)
    for _ in range(5):
        await asyncio.sleep(0)
    assert (live.clients, store.calls["latest"]) == (0, 2)
    assert asyncio.all_tasks() == {asyncio.current_task()}, "no poller is left, not even asleep"
    live.subscribe(stream)
    for _ in range(5):
        await asyncio.sleep(0)
    assert store.calls["latest"] == 3


async def test_closing_ends_every_stream_now_and_later(live, store, stream, ticker):
    subscription = live.subscribe(stream)
    await ticker.settled()
    live.close()
    assert await subscription.next() is None
    assert await live.subscribe(stream).next() is None


async def test_events_on_the_wire(live, store, stream, ticker, point, now):
    store.add(point(now, "mem", {"total": 1}))
    events = follow(live, stream, ALL, keep_alive=60)
    assert await anext(events) == b": nodetide\n\nretry: 2000\n\n"
    head, _, data = (await anext(events)).decode().partition("\ndata: ")
    assert head == f"id: {now}\nevent: sample"
    assert data.endswith("\n\n")
    assert Current.model_validate_json(data, strict=True).hosts[0].series[0].values == {"total": 1}
    store.failure = StoreUnavailable("two\nlines")
    await ticker.tick()
    head, _, data = (await anext(events)).decode().partition("\ndata: ")
    assert head == f"id: {now}\nevent: status"
    assert json.loads(data)["detail"] == "two\nlines"
    assert data.count("\n") == 2, "an event's data is one line"
    live.close()
    with pytest.raises(StopAsyncIteration):
        await anext(events)
    assert live.clients == 0


async def test_a_client_that_leaves_in_the_middle_of_an_event_is_let_go_at_once(live, store, stream, point, now):
    store.add(point(now, "mem", {"total": 1}))
    events = follow(live, stream, ALL, keep_alive=60)  # held here: no garbage collection closes it
    stuck = asyncio.Event()

    async def receive():
        await stuck.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        if b"sample" in message.get("body", b""):
            stuck.set()
            await asyncio.Event().wait()

    await EventStream(events)({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send)
    assert live.clients == 0
    with pytest.raises(StopAsyncIteration):
        await anext(events)


async def test_silence_is_filled_with_comments_and_loses_nothing(live, store, stream, ticker, point, now):
    events = follow(live, stream, ALL, keep_alive=0.001)
    await anext(events)
    store.add(point(now, "mem", {"total": 1}))
    heard = [await anext(events) for _ in range(5)]
    assert heard.count(b": keep-alive\n\n") == 4
    await ticker.tick()
    heard = [await anext(events) for _ in range(3)]
    assert sum(event.startswith(b"id: ") for event in heard) == 1
    await events.aclose()
    assert live.clients == 0
