"""Probes, Prometheus metrics, and what there is."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from nodetide_api.config import ApiConfig
from nodetide_api.models import CatalogueAnswer, Health, Nodes, Policies
from nodetide_core.catalogue import CATALOGUE
from nodetide_core.errors import StoreUnavailable
from nodetide_core.store import Stream


async def probe(client, path: str) -> tuple[int, Health]:
    response = await client.get(path)
    assert response.headers["content-type"] == "application/json"
    return response.status_code, Health.model_validate_json(response.content, strict=True)


async def test_all_is_well(client, store, point, now):
    store.add(point(now, "mem", {"total": 1}))
    for path, checks in (
        ("/health", {"store": "ok", "data": "ok"}),
        ("/readiness", {"store": "ok"}),
        ("/liveness", {}),
    ):
        status, found = await probe(client, path)
        assert (status, found.status, found.checks) == (200, "ok", checks)


async def test_the_store_being_down_fails_readiness_and_health_but_not_liveness(client, store):
    store.failure = StoreUnavailable("disk full")
    for path in ("/readiness", "/health"):
        status, found = await probe(client, path)
        assert (status, found.status, found.checks["store"]) == (503, "unavailable", "disk full")
        assert (await client.get(path)).headers["retry-after"] == "5"
    assert (await probe(client, "/liveness"))[0] == 200


async def test_a_store_that_hangs_or_breaks_is_reported_in_time(connect, store, let_pass):
    store.gate.clear()
    async with connect(ApiConfig(probe_timeout=2.5)) as client:
        asking = asyncio.create_task(probe(client, "/readiness"))
        await store.waiting("ready")
        let_pass(2.5)
        status, found = await asking
        assert (status, found.checks["store"]) == (503, "did not answer within 2.5 s")
        store.gate.set()
        store.failure = RuntimeError("secret")
        status, found = await probe(client, "/readiness")
    assert status == 503
    assert "secret" not in found.checks["store"]


@pytest.mark.parametrize(("age", "said"), [(None, "no sample yet"), (42, "the newest sample is 42 s old")])
async def test_missing_samples_degrade_health_but_not_readiness(client, store, point, now, age, said):
    if age is not None:
        store.add(point(now - age, "mem", {"total": 1}), point(now - 2 * age, "mem", {"total": 1}, host="b"))
    status, found = await probe(client, "/health")
    assert (status, found.status, found.checks["data"]) == (200, "degraded", said)
    assert (await probe(client, "/readiness"))[0] == 200


async def test_other_parts_have_their_say(connect, store, point, now):
    store.add(point(now, "mem", {"total": 1}))
    said = ["ok"]
    async with connect(checks={"collector": lambda: said[0]}) as client:
        assert (await probe(client, "/health"))[1].checks["collector"] == "ok"
        said[0] = "stopped"
        status, found = await probe(client, "/health")
        assert (status, found.status, found.checks["collector"]) == (200, "degraded", "stopped")
        store.failure = StoreUnavailable("down")
        assert (await probe(client, "/health"))[1].checks == {"store": "down", "collector": "stopped"}


def samples(text: str) -> dict[tuple[str, frozenset], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in prometheus(text)
        for sample in family.samples
    }


async def test_prometheus_gets_the_newest_samples_of_living_hosts(client, store, point, now):
    store.add(
        point(now - 1, "net", {"bytes_recv": 10}, interface="eth0"),
        point(now, "net", {"bytes_recv": 30}, interface="eth0"),
        point(now, "cpu", {"usage_active": 12.5}, cpu="cpu-total", host="node-2"),
        point(now - 60, "mem", {"total": 8}, host="dead"),
    )
    response = await client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    found = samples(response.text)
    eth0 = frozenset({"host": "node-1", "interface": "eth0"}.items())
    total = frozenset({"host": "node-2", "cpu": "cpu-total"}.items())
    assert found["nodetide_net_bytes_recv_total", eth0] == 30
    assert found["nodetide_cpu_usage_active_percent", total] == 12.5
    assert found["nodetide_api_store_up", frozenset()] == 1
    silent = {name: value for (name, labels), value in found.items() if "dead" in dict(labels).values()}
    assert silent == {"nodetide_last_sample_timestamp_seconds": now - 60}


async def test_prometheus_is_told_when_each_node_last_had_a_sample(client, store, point, now):
    store.add(
        point(now - 1, "net", {"bytes_recv": 10}, interface="eth0"),
        point(now, "net", {"bytes_recv": 30}, interface="eth1"),
        point(now - 40, "mem", {"total": 8}, **{"example.com/zone": "z"}),
    )
    found = samples((await client.get("/metrics")).text)
    times = {
        labels: value for (name, labels), value in found.items() if name == "nodetide_last_sample_timestamp_seconds"
    }
    net = frozenset({"host": "node-1", "measurement": "net"}.items())
    mem = frozenset({"host": "node-1", "measurement": "mem", "example_com_zone": "z"}.items())
    assert times == {net: now, mem: now - 40}


async def test_openmetrics_for_those_who_ask(client, store, point, now):
    store.add(point(now, "net", {"bytes_recv": 30}, interface="eth0"))
    response = await client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert "nodetide_net_bytes_recv" in {family.name for family in openmetrics(response.text)}


async def test_two_policies_with_the_same_series_give_it_once(client, store, point, now):
    store.held.append(Stream("other", "other"))
    store.points["other"] = [point(now - 1, "mem", {"total": 1}), point(now - 1, "swap", {"total": 3})]
    store.add(point(now, "mem", {"total": 2}))
    text = (await client.get("/metrics")).text
    assert text.count("\nnodetide_mem_total_bytes{") == 1
    host = frozenset({("host", "node-1")})
    assert samples(text)["nodetide_mem_total_bytes", host] == 2
    assert samples(text)["nodetide_swap_total_bytes", host] == 3


async def test_the_apis_own_metrics_are_there_even_without_the_store(client, store):
    await client.get("/api/v1/nodes")
    await client.get("/nothing/1")
    await client.get("/nothing/2")
    await client.request("BREW", "/nothing/3")
    store.failure = StoreUnavailable("down")
    found = samples((await client.get("/metrics")).text)
    assert found["nodetide_api_store_up", frozenset()] == 0

    def requests(method: str, route: str, status: str) -> float:
        return found[
            "nodetide_api_requests_total", frozenset({"method": method, "route": route, "status": status}.items())
        ]

    assert requests("GET", "/api/v1/nodes", "200") == 1
    assert requests("GET", "unmatched", "404") == 2
    assert requests("other", "unmatched", "404") == 1
    assert found["nodetide_api_request_seconds_count", frozenset({("route", "/api/v1/nodes")})] == 1
    assert found["nodetide_api_requests_in_progress", frozenset()] == 1, "this scrape itself"


async def test_nodes_of_all_policies_or_of_one(client, store, point, now, get):
    store.held.append(Stream("slow", "slow", interval=60))
    store.add(point(now, "mem", {"total": 1}, host="a"), point(now - 90, "mem", {"total": 1}, host="b"))
    store.points["slow"] = [point(now - 90, "mem", {"total": 1}, host=host) for host in ("a", "c")]
    answer = await get(client, "/api/v1/nodes", Nodes)
    assert [(node.host, node.age_seconds, node.stale) for node in answer.nodes] == [
        ("a", 0.4, False),
        ("b", 90.4, True),
        ("c", 90.4, False),
    ]
    assert answer.nodes[0].last_seen == "2026-03-01T09:00:00Z"
    one = await get(client, "/api/v1/nodes?policy=slow", Nodes)
    assert [node.host for node in one.nodes] == ["a", "c"]


async def test_no_nodes_and_no_policies_are_empty_answers(client, store, get):
    store.held = []
    assert (await get(client, "/api/v1/nodes", Nodes)).nodes == []
    assert (await get(client, "/api/v1/policies", Policies)).policies == []


async def test_policies_say_how_far_each_tier_is(client, store, get):
    store.complete["5m"] = store.now - 900
    (policy,) = (await get(client, "/api/v1/policies", Policies)).policies
    assert (policy.name, policy.bucket, policy.interval_seconds) == ("system-metrics", "system-metrics", 1)
    assert [(tier.name, tier.bucket, tier.window_seconds, tier.rolled_up_to) for tier in policy.tiers] == [
        ("raw", "system-metrics", 0, None),
        ("5m", "system-metrics-5m", 300, "2026-03-01T08:45:00Z"),
        ("1h", "system-metrics-1h", 3600, "2026-03-01T09:00:00Z"),
        ("1d", "system-metrics-1d", 86_400, "2026-03-01T00:00:00Z"),
    ]


async def test_the_catalogue_is_whole(client, get):
    answer = await get(client, "/api/v1/catalogue", CatalogueAnswer)
    assert {(m.name, field.name) for m in answer.measurements for field in m.fields} == {
        (m.name, field.name) for m in CATALOGUE for field in m.fields
    }
    assert "cpu" in answer.aliases
