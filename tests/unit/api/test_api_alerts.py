"""Alerts as the API lists them and Prometheus scrapes them, from what a store remembers."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus
from tests.fakes.memory_reader import MemoryReader

from nodetide_api.models import Alerts
from nodetide_core.alerts.model import AlertKey, AlertState, Phase
from nodetide_core.alerts.ports import AlertRecord
from nodetide_core.errors import StoreUnavailable
from nodetide_core.store import Stream

WILD = 'a"b\\c\n{}é<b>'


@pytest.fixture
def remember(store: MemoryReader, now: int) -> Callable[..., AlertKey]:
    """Puts a record into the store; tags as keyword arguments."""

    def put(
        alert: str = "HighCPU",
        severity: str = "warning",
        phase: Phase = Phase.FIRING,
        *,
        bucket: str = "system-metrics",
        age: int = 60,
        value: float = 97.5,
        labels: dict[str, str] | None = None,
        silenced: bool = False,
        **tags: str,
    ) -> AlertKey:
        key = AlertKey(bucket, alert, severity, tuple(sorted(tags.items())))
        store.evaluations[bucket] = now
        fired = now - age + 30 if phase is Phase.FIRING else 0
        told = {"alertname": alert, "severity": severity, "policy": bucket, "namespace": "default"} | tags
        store.records.setdefault(bucket, {})[key] = AlertRecord(
            AlertState(phase, now - age, fired, 0, now, value),
            told | (labels or {}),
            {"summary": f"about {alert}"},
            silenced,
        )
        return key

    return put


async def test_all_that_is_known_of_an_alert(client, remember, get):
    remember(host="a", cpu="cpu-total", labels={"team": "x"}, silenced=True)
    remember("LowMemory", "critical", Phase.PENDING, host="b")
    answer = await get(client, "/api/v1/alerts", Alerts)
    assert (answer.evaluated, answer.firing, answer.pending) == (True, 1, 1)
    first, second = (alert.model_dump() for alert in answer.alerts)
    assert first == {
        "name": "HighCPU",
        "severity": "warning",
        "state": "firing",
        "policy": "system-metrics",
        "tags": {"host": "a", "cpu": "cpu-total"},
        "labels": {
            "alertname": "HighCPU",
            "severity": "warning",
            "policy": "system-metrics",
            "namespace": "default",
            "host": "a",
            "cpu": "cpu-total",
            "team": "x",
        },
        "annotations": {"summary": "about HighCPU"},
        "value": 97.5,
        "since": "2026-03-01T08:59:00Z",
        "starts_at": "2026-03-01T08:59:30Z",
        "silenced": True,
    }
    assert (second["state"], second["starts_at"], second["silenced"]) == ("pending", None, False)


async def test_the_worst_first_and_of_those_the_longest(client, remember, get):
    kinds = list(itertools.product((Phase.PENDING, Phase.FIRING), ("info", "warning", "critical"), (10, 100)))
    for number, (phase, severity, age) in enumerate(kinds):
        remember(f"a{number}", severity, phase, age=age)
    alerts = (await get(client, "/api/v1/alerts", Alerts)).alerts
    assert [(alert.state, alert.severity, alert.since[-3:-1]) for alert in alerts] == [
        (state, severity, second)
        for state in ("firing", "pending")
        for severity in ("critical", "warning", "info")
        for second in ("20", "50")
    ]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", {"one", "two", "three", "four"}),
        ("?policy=system-metrics", {"one", "two", "three"}),
        ("?policy=other", {"four"}),
        ("?state=firing", {"one", "three"}),
        ("?state=firing&state=pending", {"one", "two", "three", "four"}),
        ("?severity=critical", {"one", "four"}),
        ("?severity=info&severity=warning", {"two", "three"}),
        ("?host=a", {"one"}),
        ("?host=a,b", {"one", "two"}),
        ("?host=a&host=b&state=pending", {"two"}),
        ("?host=nobody", set()),
    ],
)
async def test_filters(client, store, remember, get, query, names):
    store.held.append(Stream("other", "other"))
    remember("one", "critical", host="a")
    remember("two", "warning", Phase.PENDING, host="b")
    remember("three", "info", group="g")
    remember("four", "critical", Phase.PENDING, bucket="other", host="c")
    answer = await get(client, f"/api/v1/alerts{query}", Alerts)
    assert {alert.name for alert in answer.alerts} == names
    assert answer.firing + answer.pending == len(names)
    assert answer.evaluated


async def test_of_very_many_the_list_is_short_and_the_count_whole(client, remember, get):
    for number in range(1_200):
        remember(host=f"n{number}")
    answer = await get(client, "/api/v1/alerts", Alerts)
    assert (answer.firing, len(answer.alerts)) == (1_200, 1_000)
    answer = await get(client, "/api/v1/alerts?limit=0", Alerts)
    assert (answer.firing, answer.alerts) == (1_200, [])


@pytest.mark.parametrize("evaluating", [True, False])
async def test_without_a_sign_of_an_evaluator_an_empty_list_says_nothing(connect, store, now, get, evaluating):
    store.held.append(Stream("other", "other"))
    async with connect(evaluating=lambda: evaluating) as client:
        assert (await get(client, "/api/v1/alerts", Alerts)).evaluated is evaluating
        store.evaluations["other"] = now - 1_700
        answer = await get(client, "/api/v1/alerts", Alerts)
        assert (answer.evaluated, answer.alerts, answer.firing, answer.pending) == (True, [], 0, 0)
        assert (await get(client, "/api/v1/alerts?policy=system-metrics", Alerts)).evaluated is evaluating
        assert (await get(client, "/api/v1/alerts?policy=other", Alerts)).evaluated


async def test_what_is_remembered_is_no_sign_that_anybody_evaluates_still(client, store, now, remember, get):
    remember()
    store.evaluations["system-metrics"] = now - 1_900
    answer = await get(client, "/api/v1/alerts", Alerts)
    assert (answer.evaluated, answer.firing) == (False, 1)


async def test_a_value_that_json_does_not_know(client, remember, get):
    remember(value=float("inf"))
    assert (await get(client, "/api/v1/alerts", Alerts)).alerts[0].value is None


async def test_a_severity_of_a_later_version_is_listed_last(client, remember, get):
    remember("new", "disaster")
    remember("old", "info")
    assert [alert.name for alert in (await get(client, "/api/v1/alerts", Alerts)).alerts] == ["old", "new"]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [("state=inactive", "state"), ("severity=high", "severity"), ("limit=-1", "limit"), ("stat=firing", "stat")],
)
async def test_what_is_wrong_is_named(client, refused, query, parameter):
    problem = await refused(client, f"/api/v1/alerts?{query}")
    assert problem.parameter is not None and problem.parameter.startswith(parameter)


async def test_an_unknown_policy_is_named(client, refused):
    assert (await refused(client, "/api/v1/alerts?policy=nobody")).parameter == "policy"


async def test_a_store_that_is_down_is_no_empty_list(client, store, refused):
    store.failure = StoreUnavailable("down")
    assert (await refused(client, "/api/v1/alerts", 503)).detail


async def test_those_who_ask_at_once_share_one_question(client, store, get):
    store.gate.clear()
    asking = [asyncio.create_task(get(client, "/api/v1/alerts", Alerts)) for _ in range(5)]
    await store.waiting("alerts")
    store.gate.set()
    await asyncio.gather(*asking)
    assert store.calls["alerts"] == 1


def states(text: str, parse=prometheus) -> dict[frozenset, float]:
    return {
        frozenset(sample.labels.items()): sample.value
        for family in parse(text)
        for sample in family.samples
        if sample.name == "nodetide_alert_state"
    }


async def test_prometheus_is_told_of_what_is_pending_or_fires(client, store, remember):
    store.held.append(Stream("other", "other"))
    store.points["other"] = []
    remember(host="a")
    remember("LowMemory", "critical", Phase.PENDING, bucket="other", host="b")
    remember("Gone", phase=Phase.INACTIVE, host="a")
    found = states((await client.get("/metrics")).text)
    base = {"alertname": "HighCPU", "severity": "warning", "policy": "system-metrics", "namespace": "default"}
    other = {"alertname": "LowMemory", "severity": "critical", "policy": "other", "namespace": "default"}
    assert found == {frozenset((base | {"host": "a"}).items()): 2, frozenset((other | {"host": "b"}).items()): 1}


@pytest.mark.parametrize("form", ["text/plain", "application/openmetrics-text; version=1.0.0"])
async def test_wild_labels_are_still_an_exposition(client, remember, form):
    remember(host=WILD, labels={"a b": "1", "a-b": "2", "__name__": "evil", "1st": "3", "": "4", "é": WILD})
    response = await client.get("/metrics", headers={"Accept": form})
    ((labels, value),) = states(response.text, openmetrics if "openmetrics" in form else prometheus).items()
    found = dict(labels)
    assert value == 2
    assert found["host"] == WILD and found["_"] == WILD
    assert found["a_b"] == "1" and found["tag_1st"] == "3"
    assert "__name__" not in found and found["tag_name__"] == "evil"


async def test_alerts_whose_labels_come_out_alike_are_one_sample(client, remember):
    remember(phase=Phase.PENDING, labels={"k": "1"}, a_b="x")
    remember(phase=Phase.FIRING, labels={"k": "1"}, **{"a-b": "x"})
    assert list(states((await client.get("/metrics")).text).values()) == [2]


async def test_no_alert_is_no_family(client):
    assert "nodetide_alert_state" not in (await client.get("/metrics")).text


async def test_a_store_that_is_down_has_no_alerts_for_prometheus(client, store):
    store.failure = StoreUnavailable("down")
    text = (await client.get("/metrics")).text
    assert "nodetide_api_store_up 0.0" in text
