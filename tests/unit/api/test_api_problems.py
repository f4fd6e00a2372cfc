"""Every documented error, as a problem document."""

from __future__ import annotations

import asyncio
import logging

import pytest

from nodetide_api.config import ApiConfig
from nodetide_core.errors import StoreRejected, StoreUnavailable

READS = [
    "/api/v1/metrics/current",
    "/api/v1/metrics/history?metric=cpu",
    "/api/v1/metrics/summary?metric=cpu",
    "/api/v1/nodes",
    "/api/v1/policies",
]


@pytest.mark.parametrize(
    ("path", "parameter", "said"),
    [
        ("metrics/current?metric=cpuu", "metric", "did you mean cpu"),
        ("metrics/current?metric=mem.used_percnt", "metric", "mem.used_percent"),
        ("metrics/current?policy=nobody", "policy", "allowed: system-metrics"),
        ("metrics/current?tag=cpu0", "tag", "name:value"),
        ("metrics/current?hots=a", "hots", "allowed: policy, host, tag, metric"),
        ("metrics/history", "metric", "is required"),
        ("metrics/history?metric=", "metric", "the short names are"),
        ("metrics/history?metric=nope", "metric", "/api/v1/catalogue"),
        ("metrics/history?metric=collector.policy_hash", "metric", "is text"),
        ("metrics/history?metric=cpu&start_time=soon", "start_time", "RFC 3339"),
        ("metrics/history?metric=cpu&end_time=2026-03-01", "end_time", "Unix seconds"),
        ("metrics/history?metric=cpu&start_time=now()", "start_time", "before end_time"),
        ("metrics/history?metric=cpu&step=often", "step", "auto"),
        ("metrics/history?metric=cpu&step=1s&start_time=-2h&max_points=10", "step", "at least 720s"),
        ("metrics/history?metric=cpu&agg=median", "agg", "'mean', 'min'"),
        ("metrics/history?metric=cpu&agg=rate", "agg", "allowed: mean, min, max, last, count"),
        ("metrics/history?metric=network&agg=max", "agg", "allowed: mean, rate, last, increase"),
        ("metrics/history?metric=cpu&max_points=0", "max_points", "greater than or equal to 1"),
        ("metrics/history?metric=cpu&max_points=100001", "max_points", "100000"),
        ("metrics/history?metric=cpu&max_points=many", "max_points", "integer"),
        ("metrics/history?metric=mem&step=1s&start_time=-20h", "step", "allowed: 1,000,000"),
        ("metrics/history?metric=cpu&metric=memory", "metric", "given 2 times"),
        ("metrics/summary?metric=cpu&period=-1h&period=-2h&period=-3h", "period", "given 3 times"),
        ("metrics/summary?metric=cpu&period=now()", "period", "-1h"),
        ("metrics/summary?period=-1h", "metric", "is required"),
        ("metrics/stream?metric=nope", "metric", "not known"),
        ("metrics/stream?policy=nobody", "policy", "allowed: system-metrics"),
        ("nodes?policy=nobody", "policy", "allowed: system-metrics"),
        ("catalogue?x=1", "x", "allowed: none"),
        ("policies?x=1", "x", "allowed: none"),
        ("alerts?x=1", "x", "allowed: policy, state, severity, host, limit"),
    ],
)
async def test_a_wrong_parameter_is_named_with_what_is_allowed(client, refused, path, parameter, said):
    found = await refused(client, f"/api/v1/{path}")
    assert found.parameter == parameter
    assert found.type == "urn:nodetide:problem:invalid-parameter"
    assert found.detail.startswith(f"{parameter}: ")
    assert said in found.detail


async def test_nothing_there(client, refused):
    found = await refused(client, "/api/v2/metrics", 404)
    assert "/api/v2/metrics" in found.detail
    await refused(client, "/static/nothing.js", 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
async def test_a_method_that_is_not_allowed(client, method):
    response = await client.request(method, "/api/v1/nodes")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET"
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", [*READS, "/api/v1/metrics/stream"])
async def test_the_store_being_down_is_a_503_that_says_when_to_come_back(client, store, refused, path):
    store.failure = StoreUnavailable("the store is down", retry_after=7.2)
    found = await refused(client, path, 503)
    assert (found.type, found.detail) == ("urn:nodetide:problem:store-unavailable", "the store is down")
    assert (await client.get(path)).headers["retry-after"] == "8"


@pytest.mark.parametrize("path", READS[:3])
async def test_a_store_without_any_policy_yet(client, store, refused, path):
    store.held = []
    assert "no MetricPolicy" in (await refused(client, path, 503)).detail


@pytest.mark.parametrize("path", READS)
async def test_a_store_that_is_too_slow_is_a_504_and_its_query_is_cancelled(connect, store, refused, path, let_pass):
    store.gate.clear()
    async with connect(ApiConfig(query_timeout=10)) as client:
        asking = asyncio.create_task(refused(client, path, 504))
        while not store.calls.keys() - {"streams"}:  # noqa: ASYNC110 - a turn of the loop is exactly what it takes
            await asyncio.sleep(0)
        let_pass(10)
        found = await asking
    assert found.type == "urn:nodetide:problem:query-timeout"
    assert store.cancelled.total() == 1


@pytest.mark.parametrize("path", READS)
async def test_what_the_store_refuses_though_the_question_was_right_is_a_503(client, store, refused, path):
    store.failure = StoreRejected("the bucket was deleted by hand")
    found = await refused(client, path, 503)
    assert found.type == "urn:nodetide:problem:store-refused"
    assert found.detail == "the bucket was deleted by hand"


@pytest.mark.parametrize("error", [RuntimeError("secret detail")])
async def test_an_unexpected_error_hides_its_inside_but_is_in_the_log_by_its_id(client, store, refused, caplog, error):
    store.failure = error
    with caplog.at_level(logging.ERROR):
        found = await refused(client, "/api/v1/nodes", 500)
    assert "secret" not in found.model_dump_json()
    assert found.instance is not None
    assert found.instance.startswith("urn:uuid:")
    (record,) = [record for record in caplog.records if found.instance in record.getMessage()]
    assert "secret detail" in str(record.exc_info)


async def test_a_client_that_leaves_cancels_its_query_alone(connect, store):
    """Two clients ask the same; the query lives until the second has left, too."""
    from nodetide_api.app import create_app

    app = create_app(store, ApiConfig(), clock=lambda: float(store.now))
    store.gate.clear()

    def client() -> tuple[asyncio.Task[None], asyncio.Event, list[dict]]:
        left, sent, body_sent = asyncio.Event(), [], False

        async def receive():
            nonlocal body_sent
            if not body_sent:
                body_sent = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
            "path": "/api/v1/metrics/current", "raw_path": b"/api/v1/metrics/current", "query_string": b"",
            "root_path": "", "headers": [], "client": ("test", 1), "server": ("test", 80),
        }  # fmt: skip
        return asyncio.create_task(app(scope, receive, send)), left, sent

    (one, one_left, _), (two, two_left, sent) = client(), client()
    await store.waiting("latest")
    one_left.set()
    await one
    assert store.cancelled["latest"] == 0
    two_left.set()
    await two
    for _ in range(5):
        await asyncio.sleep(0)
    assert (store.calls["latest"], store.cancelled["latest"]) == (1, 1)
    assert sent[0]["status"] == 499
