"""Summaries, against the definitions written down."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_api.models import Summary
from nodetide_api.summary import percentile

PATH = "/api/v1/metrics/summary"
values = st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=200)


@given(values)
def test_percentiles_are_those_of_the_standard_library(found):
    ordered = sorted(found)
    cuts = statistics.quantiles(ordered, n=100, method="inclusive")
    scale = max(1.0, *map(abs, ordered))
    for p in (1, 50, 95, 99):
        assert percentile(ordered, p) == pytest.approx(cuts[p - 1], abs=1e-9 * scale)


def test_percentiles_of_one_value_and_at_the_ends():
    assert percentile([7.0], 95) == 7.0
    assert (percentile([1.0, 2.0, 3.0], 0), percentile([1.0, 2.0, 3.0], 100)) == (1.0, 3.0)


async def test_the_seeds_own_call(client, store, point, now, get):
    numbers = [float(i * 7919 % 101) for i in range(3600)]
    store.add(*(point(now - 3599 + i, "cpu", {"usage_active": v}, cpu="cpu-total") for i, v in enumerate(numbers)))
    store.add(point(now - 3600, "cpu", {"usage_active": 1e6}, cpu="cpu-total"))
    answer = await get(client, f"{PATH}?metric=cpu&period=-1h", Summary)
    assert (answer.metric, answer.tier, answer.resolution_seconds) == ("cpu", "raw", 1)
    (series,) = answer.series
    cuts = statistics.quantiles(numbers, n=100, method="inclusive")
    assert (series.min, series.max, series.last, series.count) == (0.0, 100.0, numbers[-1], 3600)
    assert series.mean == pytest.approx(statistics.fmean(numbers))
    assert (series.p50, series.p95, series.p99) == pytest.approx((cuts[49], cuts[94], cuts[98]))
    assert series.unit == "percent"
    assert [query.aggregate.value for query in store.queries] == ["mean"], "the samples say everything"


@pytest.mark.parametrize(
    ("period", "tier", "resolution"), [("-12h", "raw", 15), ("-6d", "5m", 300), ("20d", "1h", 3600)]
)
async def test_extremes_mean_last_and_count_are_of_the_samples_on_every_tier(
    client, store, point, now, get, period, tier, resolution
):
    store.now = now + 40
    seconds = {"-12h": 12 * 3600, "-6d": 6 * 86_400, "20d": 20 * 86_400}[period]
    times = range(now - min(seconds, 23 * 3600) + resolution, now + 1, 7)
    raw = [float(time * 31 % 1009) for time in times]
    store.add(*(point(time, "mem", {"used_percent": v}) for time, v in zip(times, raw, strict=True)))
    answer = await get(client, f"{PATH}?metric=memory&period={period}", Summary)
    assert (answer.tier, answer.resolution_seconds) == (tier, resolution)
    (series,) = answer.series
    assert (series.min, series.max, series.last, series.count) == (min(raw), max(raw), raw[-1], len(raw))
    assert series.mean == pytest.approx(statistics.fmean(raw))
    steps: dict[int, list[float]] = {}
    for time, value in zip(times, raw, strict=True):
        steps.setdefault(time // resolution, []).append(value)
    cuts = statistics.quantiles(map(statistics.fmean, steps.values()), n=100, method="inclusive")
    assert (series.p50, series.p95, series.p99) == pytest.approx((cuts[49], cuts[94], cuts[98]))


async def test_counters_are_summed_up_by_their_rates(client, store, point, now, get):
    total, growth = 10**9, [100, 300, 200, 0, 400]
    store.add(point(now - 50, "net", {"bytes_recv": total}, interface="eth0"))
    for index, grown in enumerate(growth):
        total += grown
        store.add(point(now - 40 + 10 * index, "net", {"bytes_recv": total}, interface="eth0"))
    (series,) = (await get(client, f"{PATH}?metric=net.bytes_recv&period=-5m", Summary)).series
    assert (series.kind, series.unit, series.count) == ("counter", "bytes_per_second", 5)
    assert (series.min, series.max, series.last, series.p50) == (0.0, 40.0, 40.0, 20.0)
    assert series.mean == pytest.approx(sum(growth) / 50)


async def test_the_mean_rate_weighs_steps_by_the_time_they_saw(client, store, point, now, get):
    for time, total in ((now - 110, 0), (now - 10, 1000), (now, 2000)):
        store.add(point(time, "net", {"bytes_recv": total}, interface="eth0"))
    (series,) = (await get(client, f"{PATH}?metric=net.bytes_recv&period=-5m", Summary)).series
    assert series.mean == pytest.approx(2000 / 110)


async def test_a_series_without_a_number_is_left_out(client, store, point, now, get):
    store.add(point(now, "mem", {"used_percent": float("nan")}))
    store.add(point(now, "net", {"bytes_recv": 1}, interface="eth0"))
    assert (await get(client, f"{PATH}?metric=memory", Summary)).series == []
    assert (await get(client, f"{PATH}?metric=net.bytes_recv", Summary)).series == []


async def test_a_period_longer_than_time_itself(client, get):
    assert (await get(client, f"{PATH}?metric=cpu&period=-999999w", Summary)).series == []
