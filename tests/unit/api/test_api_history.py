"""History from end to end: values against the raw points, on every tier, up to now."""

from __future__ import annotations

import math
from collections import defaultdict

import pytest

from nodetide_api.models import History
from nodetide_core.store import Stream

PATH = "/api/v1/metrics/history"
DAY = 86_400


def by_step(samples, step, start=0):
    groups = defaultdict(list)
    for time, value in samples:
        if time >= start:
            groups[time - time % step].append(value)
    return groups


async def test_the_seeds_own_call(client, store, point, now, get):
    samples = [(now - 3700 + i, float(i % 97)) for i in range(3701)]
    store.add(*(point(time, "cpu", {"usage_active": value}, cpu="cpu-total") for time, value in samples))
    store.add(point(now, "cpu", {"usage_active": 1.0}, cpu="cpu0"))
    answer = await get(client, f"{PATH}?metric=cpu&start_time=-1h&end_time=now()", History)
    assert (answer.metric, answer.step_seconds, answer.tier, answer.aggregate) == ("cpu", 5, "raw", "mean")
    (series,) = answer.series
    assert (series.host, series.measurement, series.field) == ("node-1", "cpu", "usage_active")
    assert (series.tags, series.kind, series.unit) == ({"cpu": "cpu-total"}, "gauge", "percent")
    expected = by_step(samples, 5, now - 3600)
    assert series.t == sorted(expected)
    assert series.v == pytest.approx([sum(expected[t]) / len(expected[t]) for t in series.t])
    assert series.t[-1] == now, "the newest sample is in"


@pytest.mark.parametrize("agg", ["mean", "min", "max", "last", "count"])
@pytest.mark.parametrize(
    ("back", "spacing", "tier", "step"), [(3600, 7, "raw", 60), (3 * DAY, 60, "5m", 600), (20 * DAY, 900, "1h", 7200)]
)
async def test_gauges_on_every_tier_equal_the_raw_points_and_reach_now(
    client, store, point, now, get, agg, back, spacing, tier, step
):
    store.now = now + 130  # in mid-window: some tiers end before now
    raw = [(time, float(time * 31 % 101)) for time in range(now + 120, now - back - DAY, -spacing)][::-1]
    store.add(*(point(time, "mem", {"used_percent": value}) for time, value in raw))
    for held in store.held[0].tiers.tiers:  # the fake holds raw points for ever: the tiers stand for them
        assert held.window == 0 or store.now % held.window
    query = f"?metric=memory&agg={agg}&start_time={now - back}&end_time={now + 121}&step={step}"
    answer = await get(client, PATH + query, History)
    assert (answer.tier, answer.step_seconds) == (tier, step)
    (series,) = answer.series
    expected = by_step(raw, step, series.t[0])
    reduce = {
        "mean": lambda values: sum(values) / len(values),
        "min": min,
        "max": max,
        "last": lambda values: values[-1],
        "count": len,
    }[agg]
    kept = now + 130 - DAY if tier != "raw" else 0
    assert series.t == sorted(expected)
    assert series.v == pytest.approx([reduce(expected[time]) for time in series.t])
    assert series.t[-1] == now + 120 - (now + 120) % step
    assert kept < series.t[-1]
    assert series.unit == ("count" if agg == "count" else "percent")


@pytest.mark.parametrize(
    ("agg", "unit", "value"),
    [("mean", "bytes_per_second", 50.0), ("rate", "bytes_per_second", 50.0), ("increase", "bytes", 3000.0)],
)
@pytest.mark.parametrize(("start", "step", "tier"), [("-30m", 60, "raw"), ("-2d", 600, "5m"), ("-10d", 3600, "1h")])
async def test_counters_on_every_tier(client, store, point, now, get, agg, unit, value, start, step, tier):
    store.now = now + 30
    store.add(
        *(
            point(time, "net", {"bytes_recv": (time - now) * 50 + 10**9}, interface="eth0")
            for time in range(now - 4 * DAY, now + 1, 60)
        )
    )
    answer = await get(client, f"{PATH}?metric=net.bytes_recv&agg={agg}&start_time={start}&step={step}", History)
    assert answer.tier == tier
    (series,) = answer.series
    assert (series.kind, series.unit) == ("counter", unit)
    expected = value * step / 60 if agg == "increase" else value
    whole = [v for t, v in zip(series.t, series.v, strict=True) if now - 4 * DAY + step < t and t + step <= now]
    assert whole == pytest.approx([expected] * len(whole))
    assert len(whole) > 10
    assert series.t[-1] == now - now % step


async def test_a_reset_and_a_hole_in_a_counter(client, store, point, now, get):
    values = {now - 500: 1000, now - 490: 1100, now - 480: 30, now - 470: 40, now - 100: 10_000, now - 90: 10_050}
    store.add(*(point(time, "net", {"bytes_recv": v}, interface="eth0") for time, v in values.items()))
    query = "?metric=net.bytes_recv&start_time=-10m&step=10&agg=increase"
    (series,) = (await get(client, PATH + query, History)).series
    found = dict(zip(series.t, series.v, strict=True))
    assert found[now - 490] == 100
    assert found[now - 480] == 30, "after a reset what it shows has grown from 0"
    assert found[now - 470] == 10
    assert found[now - 100] == 0, "370 s are too long a hole to say anything"
    assert found[now - 90] == 50


async def test_the_last_total_of_a_counter(client, store, point, now, get):
    store.add(*(point(now - back, "swap", {"in": 10**12 - back}) for back in range(10)))
    (series,) = (await get(client, f"{PATH}?metric=swap.in&agg=last&start_time=-5s&step=1", History)).series
    assert series.v == [10**12 - back for back in (4, 3, 2, 1, 0)]
    assert series.unit == "bytes"


async def test_gauges_and_counters_of_one_measurement_come_together_in_order(client, store, point, now, get):
    store.add(
        *(
            point(now - back, "net", {"bytes_recv": 5 - back, "speed": 100}, interface=name)
            for back in (1, 0)
            for name in "ab"
        )
    )
    answer = await get(client, f"{PATH}?metric=net&start_time=-5s", History)
    assert [(s.tags["interface"], s.field, s.kind) for s in answer.series] == [
        ("a", "bytes_recv", "counter"),
        ("a", "speed", "gauge"),
        ("b", "bytes_recv", "counter"),
        ("b", "speed", "gauge"),
    ]


async def test_hosts_and_tags_narrow_the_answer(client, store, point, now, get):
    for host in "abc":
        for cpu in ("cpu-total", "cpu0", "cpu1"):
            store.add(point(now, "cpu", {"usage_active": 1.0}, host=host, cpu=cpu))

    async def seen(query: str) -> list[tuple[str, str]]:
        answer = await get(client, f"{PATH}?{query}", History)
        return [(series.host, series.tags["cpu"]) for series in answer.series]

    assert await seen("metric=cpu&host=a,c") == [("a", "cpu-total"), ("c", "cpu-total")]
    assert await seen("metric=cpu&host=a&host=c") == [("a", "cpu-total"), ("c", "cpu-total")]
    assert await seen("metric=cpu&tag=cpu:cpu0&host=b") == [("b", "cpu0")]
    assert await seen("metric=cpu.usage_active&host=a&tag=cpu:cpu0&tag=cpu:cpu1") == [("a", "cpu0"), ("a", "cpu1")]
    assert await seen("metric=cpu&host=nobody") == []


async def test_numbers_that_are_not_finite_become_null(client, store, point, now, get):
    store.add(point(now - 1, "mem", {"used_percent": math.nan}), point(now, "mem", {"used_percent": 1.0}))
    (series,) = (await get(client, f"{PATH}?metric=memory&start_time=-5s&step=1", History)).series
    assert series.v == [None, 1.0]


async def test_the_range_said_is_the_range_read(client, get):
    answer = await get(
        client,
        f"{PATH}?metric=cpu&start_time=2026-03-01T17:30:10%2B09:00&end_time=2026-03-01T08:45:00Z&step=1m",
        History,
    )
    assert (answer.start, answer.end, answer.series) == ("2026-03-01T08:30:00Z", "2026-03-01T08:45:00Z", [])
    same = await get(
        client, f"{PATH}?metric=cpu&start_time=2026-03-01T17:30:10+09:00&end_time=2026-03-01T08:45:00Z&step=1m", History
    )
    assert same == answer, "a plus sign that was not encoded"


async def test_fifty_clients_at_once_cost_one_read(client, store, point, now, get):
    import asyncio

    store.add(point(now, "cpu", {"usage_active": 1.0}, cpu="cpu-total"))
    store.gate.clear()
    asking = [asyncio.create_task(get(client, f"{PATH}?metric=cpu", History)) for _ in range(50)]
    await store.waiting("latest")
    for _ in range(200):
        await asyncio.sleep(0)
    store.gate.set()
    answers = await asyncio.gather(*asking)
    assert all(answer == answers[0] for answer in answers)
    assert (store.calls["read"], store.calls["latest"]) == (1, 1)


async def test_too_many_series_are_refused_before_they_are_read(client, store, point, now, refused):
    store.add(*(point(now, "mem", {"total": 1, "free": 1}, host=f"node-{i}") for i in range(600)))
    found = await refused(client, f"{PATH}?metric=mem.total&max_points=100000&start_time=-1h")
    assert found.parameter == "max_points"
    assert "2,160,000 values" in found.detail
    assert store.calls["read"] == 0
    response = await client.get(f"{PATH}?metric=mem.total&max_points=100000&start_time=-1h&host=node-1,node-2")
    assert response.status_code == 200


async def test_the_interval_of_the_stream_is_the_finest_step(connect, store, get):
    store.held = [Stream("system-metrics", "system-metrics", interval=10)]
    async with connect() as client:
        assert (await get(client, f"{PATH}?metric=cpu&start_time=-1m&step=1", History)).step_seconds == 10


async def test_series_are_counted_once_a_minute(connect, store, get, now):
    at = [float(now)]
    async with connect(clock=lambda: at[0]) as client:
        for later, counted in ((0, 1), (59, 1), (60, 2), (60, 2), (30, 3)):  # the clock may step back
            at[0] = now + later
            await get(client, f"{PATH}?metric=cpu", History)
            assert store.calls["latest"] == counted
