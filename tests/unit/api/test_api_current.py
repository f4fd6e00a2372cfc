"""The newest samples and the rates of counters."""

from __future__ import annotations

import pytest
from tests.fakes.memory_reader import MemoryReader

from nodetide_api.current import rates
from nodetide_api.models import Current
from nodetide_core.points import Point
from nodetide_core.store import Latest, Stream

PATH = "/api/v1/metrics/current"


async def test_values_rates_units_and_age(client, store, point, now, get):
    store.add(
        point(now - 1, "net", {"bytes_recv": 1000, "speed": 100}, interface="eth0"),
        point(now, "net", {"bytes_recv": 3000, "speed": 100}, interface="eth0"),
        point(now, "cpu", {"usage_active": 12.5}, cpu="cpu-total"),
    )
    answer = await get(client, PATH, Current)
    (host,) = answer.hosts
    assert (host.host, host.time, host.age_seconds, host.stale) == ("node-1", "2026-03-01T09:00:00Z", 0.4, False)
    cpu, net = host.series
    assert cpu.model_dump() == {
        "measurement": "cpu",
        "tags": {"cpu": "cpu-total"},
        "time": "2026-03-01T09:00:00Z",
        "values": {"usage_active": 12.5},
        "rates": {},
    }
    assert net.values == {"bytes_recv": 3000, "speed": 100}
    assert net.rates == {"bytes_recv": 2000.0}
    assert answer.units == {"cpu.usage_active": "percent", "net.bytes_recv": "bytes", "net.speed": "megabits"}


@pytest.mark.parametrize(
    ("before", "after", "seconds", "rate"),
    [
        (100, 400, 10, 30.0),
        (100, 100, 10, 0.0),
        (400, 100, 10, None),  # reset: nobody knows what it grew by
        (100, 400, 300, 1.0),  # as long as a hole may be
        (100, 400, 301, None),
        (100, 400, 0, None),
        (None, 400, 10, None),
        (100, "text", 10, None),
    ],
)
def test_rates_across_resets_and_holes(before, after, seconds, rate):
    previous = Point("net", (), {} if before is None else {"bytes_recv": before}, 1000)
    latest = Latest(Point("net", (), {"bytes_recv": after}, 1000 + seconds), previous)
    assert rates(latest, ["bytes_recv"], 300) == ({} if rate is None else {"bytes_recv": rate})


def test_gauges_and_unknown_fields_have_no_rate():
    latest = Latest(Point("net", (), {"speed": 2, "new": 2}, 11), Point("net", (), {"speed": 1, "new": 1}, 10))
    assert rates(latest, ["speed", "new"], 300) == {}


async def test_the_first_sample_has_no_rate(client, store, point, now, get):
    store.add(point(now, "net", {"bytes_recv": 1000}, interface="eth0"))
    (host,) = (await get(client, PATH, Current)).hosts
    assert host.series[0].rates == {}


async def test_filters_by_host_metric_and_tag(client, store, point, now, get):
    for host in ("a", "b", "c"):
        store.add(
            point(now, "cpu", {"usage_active": 1.0, "usage_idle": 99.0}, host=host, cpu="cpu-total"),
            point(now, "cpu", {"usage_active": 2.0, "usage_idle": 98.0}, host=host, cpu="cpu0"),
            point(now, "mem", {"used_percent": 50.0, "total": 8}, host=host),
        )

    async def seen(query: str) -> dict[str, list[tuple[str, str | None, list[str]]]]:
        answer = await get(client, f"{PATH}?{query}", Current)
        return {
            host.host: [(s.measurement, s.tags.get("cpu"), list(s.values)) for s in host.series]
            for host in answer.hosts
        }

    total = ("cpu", "cpu-total", ["usage_active"])
    assert await seen("metric=cpu&host=a,b") == {"a": [total], "b": [total]}
    assert await seen("metric=cpu&host=a&host=c") == {"a": [total], "c": [total]}
    assert await seen("metric=cpu,memory&host=a") == {"a": [total, ("mem", None, ["used_percent"])]}
    assert await seen("metric=cpu&metric=mem.total&host=a") == {"a": [total, ("mem", None, ["total"])]}
    assert await seen("metric=cpu&tag=cpu:cpu0&host=a") == {"a": [("cpu", "cpu0", ["usage_active"])]}
    assert len((await seen("metric=cpu.usage_idle&tag=cpu:cpu0&tag=cpu:cpu-total&host=a"))["a"]) == 2
    assert await seen("host=nobody") == {}
    assert list(await seen("host=&metric=")) == ["a", "b", "c"]


async def test_a_silent_host_is_stale_and_keeps_what_it_last_said(client, store, point, now, get):
    store.add(point(now - 60, "mem", {"total": 8}, host="old"), point(now + 5, "mem", {"total": 8}, host="ahead"))
    answer = await get(client, PATH, Current)
    ahead, old = answer.hosts
    assert (old.stale, old.age_seconds) == (True, 60.4)
    assert (ahead.stale, ahead.age_seconds) == (False, 0.0)


async def test_a_series_that_its_host_no_longer_sends_is_left_out(client, store, point, now, get):
    store.add(point(now, "mem", {"total": 8}))
    store.add(*(point(now - 100 - back, "disk", {"total": 8}, path="/gone") for back in (0, 10)))
    store.add(*(point(now - 100 - back, "disk", {"total": 8}, path="/slow") for back in (0, 60)))
    (host,) = (await get(client, PATH, Current)).hosts
    assert [series.tags for series in host.series] == [{"path": "/slow"}, {}]
    (host,) = (await get(client, f"{PATH}?metric=disk.total", Current)).hosts
    assert host.time == "2026-03-01T09:00:00Z", "of the host, whatever is shown of it"


async def test_values_that_are_not_finite_never_leave(client, store, point, now, get):
    store.add(point(now, "mem", {"used_percent": float("nan"), "available_percent": float("inf"), "total": 8}))
    (host,) = (await get(client, PATH, Current)).hosts
    assert host.series[0].values == {"total": 8}


async def test_text_is_shown(client, store, point, now, get):
    store.add(point(now, "collector", {"policy_hash": "abc"}, group="all"))
    (host,) = (await get(client, f"{PATH}?metric=collector.policy_hash", Current)).hosts
    assert host.series[0].values == {"policy_hash": "abc"}


async def test_stale_means_at_least_three_intervals(connect, store, point, now, get):
    store.held = [Stream("system-metrics", "system-metrics", interval=60)]
    store.add(point(now - 100, "mem", {"total": 8}))
    async with connect() as client:
        answer = await get(client, PATH, Current)
    assert answer.stale_after_seconds == 180
    assert not answer.hosts[0].stale


@pytest.fixture
def two_policies(store: MemoryReader, point, now):
    store.held.append(Stream("other", "other-bucket"))
    store.points["other-bucket"] = [point(now, "mem", {"total": 2})]
    store.add(point(now, "mem", {"total": 1}))


@pytest.mark.usefixtures("two_policies")
@pytest.mark.parametrize(
    ("default", "query", "total"),
    [
        (None, "", 1),
        (None, "?policy=other", 2),
        ("other", "", 2),
        ("gone", "", 1),
        ("other", "?policy=system-metrics", 1),
    ],
)
async def test_the_policy_asked_for_answers(connect, get, default, query, total):
    from nodetide_api.config import ApiConfig

    async with connect(ApiConfig(policy=default)) as client:
        answer = await get(client, PATH + query, Current)
    assert answer.hosts[0].series[0].values == {"total": total}
