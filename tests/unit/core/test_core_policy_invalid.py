"""Documents that are no MetricPolicy: the exact path of each problem, and words that say what is allowed."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.errors import PolicyError
from nodetide_core.policy import API_VERSION, KIND, POLICY_SCHEMA, parse_policy

THRESHOLD = {"name": "A", "type": "threshold", "metric": "cpu.usage_active", "critical": {"above": 95}}


def alert(**changes: Any) -> dict[str, Any]:
    """A spec with one alert; a value of None removes the field."""
    merged = {**THRESHOLD, **changes}
    return {"alerts": [{key: value for key, value in merged.items() if value is not None}]}


def tiers(*given: dict[str, Any]) -> dict[str, Any]:
    return {"storage": {"tiers": list(given)}}


def silence(until: Any) -> dict[str, Any]:
    return {"silences": [{**SILENCE, "until": until}]}


def in_influxdb(**changes: Any) -> dict[str, Any]:
    return {"alertEngine": "influxdb", **alert(**changes)}


SILENCE = {"match": {"host": "a"}, "until": "2026-01-31T18:00:00Z"}
INSTANT = "must be a time such as 2026-01-31T18:00:00Z"
RAW = {"name": "raw", "retention": "24h"}
FIVE = {"name": "5m", "window": "5m", "retention": "7d"}
DURATION = "must be a duration such as 1s, 5m, 24h or 7d"

STRUCTURE: list[tuple[Any, str, str]] = [
    # The spec as a whole.
    ([], "spec", "must be a mapping, not a list"),
    ("", "spec", "must be a mapping, not ''"),
    (0, "spec", "must be a mapping, not 0"),
    (False, "spec", "must be a mapping, not false"),
    ({"colection": {}}, "spec.colection", "is not a field; did you mean collection? (allowed: alertEngine,"),
    ({"x": 1}, "spec.x", "(allowed: alertEngine, alerts, collection, nodeSelector, notify, silences, storage,"),
    ({1: 2}, "spec", "the key 1 must be text; put it in quotes"),
    ({"suspend": "yes"}, "spec.suspend", "must be true or false, not 'yes'"),
    ({"suspend": 1}, "spec.suspend", "must be true or false, not 1"),
    ({"suspend": None}, "spec.suspend", "must be true or false, not null"),
    # Collection.
    ({"collection": []}, "spec.collection", "must be a mapping, not a list"),
    ({"collection": {"interval": 1}}, "spec.collection.interval", f"{DURATION}, not 1"),
    ({"collection": {"interval": True}}, "spec.collection.interval", f"{DURATION}, not true"),
    ({"collection": {"interval": None}}, "spec.collection.interval", f"{DURATION}, not null"),
    ({"collection": {"interval": ""}}, "spec.collection.interval", f"{DURATION}, not ''"),
    ({"collection": {"interval": "1"}}, "spec.collection.interval", f"{DURATION}, not '1'"),
    ({"collection": {"interval": "1s\n"}}, "spec.collection.interval", f"{DURATION}, not '1s\\n'"),
    ({"collection": {"interval": "-1s"}}, "spec.collection.interval", f"{DURATION}, not '-1s'"),
    ({"collection": {"interval": "1.5s"}}, "spec.collection.interval", f"{DURATION}, not '1.5s'"),
    ({"collection": {"interval": "500ms"}}, "spec.collection.interval", f"{DURATION}, not '500ms'"),
    ({"collection": {"interval": "0"}}, "spec.collection.interval", "must be 1s to 1h, not 0"),
    ({"collection": {"interval": "61m"}}, "spec.collection.interval", "must be 1s to 1h, not 61m"),
    ({"collection": {"groups": []}}, "spec.collection.groups", "must be a mapping, not a list"),
    ({"collection": {"groups": {}}}, "spec.collection.groups", "names no group; leave it out for the default set"),
    ({"collection": {"groups": {"cpus": {}}}}, "spec.collection.groups.cpus", "did you mean cpu?"),
    ({"collection": {"groups": {"cpu": True}}}, "spec.collection.groups.cpu", "must be a mapping, not true"),
    ({"collection": {"groups": {"cpu": {"perCPU": True}}}}, "spec.collection.groups.cpu.perCPU", "mean perCpu?"),
    ({"collection": {"groups": {"cpu": {"perCpu": "on"}}}}, "spec.collection.groups.cpu.perCpu", "true or false"),
    ({"collection": {"groups": {"mem": {"include": []}}}}, "spec.collection.groups.mem.include", "(allowed: interval)"),
    ({"collection": {"groups": {"net": {"include": None}}}}, "spec.collection.groups.net.include", "must be a list"),
    ({"collection": {"groups": {"net": {"include": "eth*"}}}}, "spec.collection.groups.net.include", "must be a list"),
    ({"collection": {"groups": {"net": {"exclude": [""]}}}}, "spec.collection.groups.net.exclude[0]", "1 to 256"),
    ({"collection": {"groups": {"net": {"exclude": [5]}}}}, "spec.collection.groups.net.exclude[0]", "in quotes"),
    ({"collection": {"groups": {"net": {"exclude": ["x"] * 65}}}}, "spec.collection.groups.net.exclude", "0 to 64"),
    ({"collection": {"groups": {"disk": {"interval": "2h"}}}}, "spec.collection.groups.disk.interval", "1s to 1h"),
    (
        {"collection": {"interval": "10s", "groups": {"cpu": {"interval": "5s"}}}},
        "spec.collection.groups.cpu.interval",
        "must be at least spec.collection.interval (10s), not 5s",
    ),
    ({"collection": {"labels": {"a": 1}}}, "spec.collection.labels.a", "must be text, not 1; put it in quotes"),
    ({"collection": {"labels": {"a": True}}}, "spec.collection.labels.a", "must be text, not true; put it in quotes"),
    ({"collection": {"labels": {"a": ["x"]}}}, "spec.collection.labels.a", "must be text, not a list"),
    ({"collection": {"labels": {True: "x"}}}, "spec.collection.labels", "the key true must be text; put it in quotes"),
    ({"collection": {"labels": {"": "x"}}}, "spec.collection.labels.", "the name must match"),
    ({"collection": {"labels": {"a b": "x"}}}, "spec.collection.labels.a b", "the name must match"),
    ({"collection": {"labels": {"a\n": "x"}}}, "spec.collection.labels.a\n", "the name must match"),
    ({"collection": {"labels": {"_x": "y"}}}, "spec.collection.labels._x", "the name must match"),
    ({"collection": {"labels": {"_field": "x"}}}, "spec.collection.labels._field", "is a tag that points"),
    ({"collection": {"labels": {"team": ""}}}, "spec.collection.labels.team", "must not be empty"),
    ({"collection": {"labels": {"host": "x"}}}, "spec.collection.labels.host", "is a tag that points carry already"),
    ({"collection": {"labels": {"cpu": "x"}}}, "spec.collection.labels.cpu", "is a tag that points carry already"),
    ({"collection": {"labels": {"a": "x" * 257}}}, "spec.collection.labels.a", "0 to 256 characters, not 257"),
    (
        {"collection": {"labels": {f"a{n}": "x" for n in range(33)}}},
        "spec.collection.labels",
        "has 33 entries; at most 32 are allowed",
    ),
    ({"collection": {"nodeLabels": ["a b"]}}, "spec.collection.nodeLabels[0]", "must match"),
    ({"collection": {"nodeLabels": ["zone", "host"]}}, "spec.collection.nodeLabels[1]", "'host' is a tag that points"),
    ({"collection": {"nodeLabels": ["zone", "zone"]}}, "spec.collection.nodeLabels[1]", "'zone' stands twice"),
    (
        {"collection": {"labels": {"zone": "a"}, "nodeLabels": ["zone"]}},
        "spec.collection.nodeLabels[0]",
        "'zone' stands twice among labels and nodeLabels",
    ),
    ({"collection": {"maxSeriesPerNode": 9}}, "spec.collection.maxSeriesPerNode", "must be 10 to 100000, not 9"),
    ({"collection": {"maxSeriesPerNode": 100_001}}, "spec.collection.maxSeriesPerNode", "must be 10 to 100000"),
    ({"collection": {"maxSeriesPerNode": 50.0}}, "spec.collection.maxSeriesPerNode", "a whole number, not 50.0"),
    ({"collection": {"maxSeriesPerNode": math.nan}}, "spec.collection.maxSeriesPerNode", "a whole number, not nan"),
    ({"collection": {"maxSeriesPerNode": True}}, "spec.collection.maxSeriesPerNode", "a whole number, not true"),
    ({"collection": {"maxSeriesPerNode": "50"}}, "spec.collection.maxSeriesPerNode", "a whole number, not '50'"),
    ({"collection": {"maxSeriesPerNode": 1 << 20_000}}, "spec.collection.maxSeriesPerNode", "10 to 100000"),
    # Storage.
    ({"storage": {"bucket": ""}}, "spec.storage.bucket", "must match"),
    ({"storage": {"bucket": "_monitoring"}}, "spec.storage.bucket", "must match"),
    ({"storage": {"bucket": "a/b"}}, "spec.storage.bucket", "must match"),
    ({"storage": {"bucket": "a" * 201}}, "spec.storage.bucket", "0 to 200 characters, not 201"),
    ({"storage": {"deletionPolicy": "retain"}}, "spec.storage.deletionPolicy", "one of Retain, Delete, not 'retain'"),
    ({"storage": {"tiers": []}}, "spec.storage.tiers", "has 0 entries; 1 to 8 are allowed"),
    ({"storage": {"tiers": [RAW] * 9}}, "spec.storage.tiers", "has 9 entries; 1 to 8 are allowed"),
    (tiers({"name": "raw"}), "spec.storage.tiers[0].retention", "is required"),
    (tiers({"retention": "1h"}), "spec.storage.tiers[0].name", "is required"),
    (tiers({"name": "Raw", "retention": "1h"}), "spec.storage.tiers[0].name", "must match"),
    (tiers({"name": "x", "retention": "1h"}), "spec.storage.tiers[0]", "must be named raw and have no window"),
    (tiers({**RAW, "window": "1m"}), "spec.storage.tiers[0]", "must be named raw and have no window"),
    (tiers({**RAW, "retention": "59m"}), "spec.storage.tiers[0].retention", "at least 1h, or 0 for ever, not 59m"),
    (tiers({**RAW, "retention": 86_400}), "spec.storage.tiers[0].retention", f"{DURATION}, not 86400"),
    (tiers(RAW, {"name": "5m", "retention": "7d"}), "spec.storage.tiers[1].window", "is required and greater than 0"),
    (tiers(RAW, {**FIVE, "window": "0s"}), "spec.storage.tiers[1].window", "is required and greater than 0"),
    (tiers(RAW, FIVE, {**FIVE, "window": "10m"}), "spec.storage.tiers[2].name", "'5m' stands twice"),
    (tiers(RAW, {**FIVE, "name": "raw"}), "spec.storage.tiers[1].name", "'raw' stands twice"),
    (
        tiers(RAW, FIVE, {"name": "7m", "window": "7m", "retention": "7d"}),
        "spec.storage.tiers[2].window",
        "must be a multiple of the tier before (5m), not 7m",
    ),
    (
        tiers(RAW, FIVE, {"name": "same", "window": "300s", "retention": "7d"}),
        "spec.storage.tiers[2].window",
        "must be a multiple of the tier before (5m), not 300s",
    ),
    (
        tiers({**RAW, "retention": "1h"}, {"name": "31m", "window": "31m", "retention": "7d"}),
        "spec.storage.tiers[1].window",
        "the tier before keeps 1h, and must keep at least twice this window (31m)",
    ),
    # Node selector.
    ({"nodeSelector": {"matchLabel": {}}}, "spec.nodeSelector.matchLabel", "did you mean matchLabels?"),
    ({"nodeSelector": {"matchLabels": {"a": 1}}}, "spec.nodeSelector.matchLabels.a", "must be text, not 1"),
    (
        {"nodeSelector": {"matchExpressions": [{"key": "a", "operator": "in", "values": ["x"]}]}},
        "spec.nodeSelector.matchExpressions[0].operator",
        "must be one of In, NotIn, Exists, DoesNotExist, not 'in'",
    ),
    (
        {"nodeSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
        "spec.nodeSelector.matchExpressions[0].values",
        "is required for operator In",
    ),
    (
        {"nodeSelector": {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": []}]}},
        "spec.nodeSelector.matchExpressions[0].values",
        "is required for operator NotIn",
    ),
    (
        {"nodeSelector": {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["x"]}]}},
        "spec.nodeSelector.matchExpressions[0].values",
        "must be left out for operator Exists",
    ),
    (
        {"nodeSelector": {"matchExpressions": [{"operator": "Exists"}]}},
        "spec.nodeSelector.matchExpressions[0].key",
        "is required",
    ),
    # Alerts.
    ({"alerts": {}}, "spec.alerts", "must be a list, not a mapping"),
    ({"alerts": None}, "spec.alerts", "must be a list, not null"),
    ({"alerts": [None]}, "spec.alerts[0]", "must be a mapping, not null"),
    (alert(name=None), "spec.alerts[0].name", "is required"),
    (alert(name="1x"), "spec.alerts[0].name", "must match"),
    (alert(name="x" * 64), "spec.alerts[0].name", "0 to 63 characters, not 64"),
    (alert(type="treshold"), "spec.alerts[0].type", "one of threshold, deadman, flux, not 'treshold'"),
    (alert(metric=None), "spec.alerts[0].metric", "is required for type threshold"),
    (alert(metric="cpu"), "spec.alerts[0].metric", "must name a field, such as cpu.usage_user"),
    (alert(metric="gpu.load"), "spec.alerts[0].metric", "'gpu' is not a measurement"),
    (alert(metric="cpu.usage"), "spec.alerts[0].metric", "'cpu' has no field 'usage'"),
    (alert(metric="collector.policy_hash"), "spec.alerts[0].metric", "is text and cannot be compared"),
    (alert(metric="CPU.x"), "spec.alerts[0].metric", "must match"),
    (alert(every="4s"), "spec.alerts[0].every", "must be 5s to 1h, not 4s"),
    (alert(every="2h"), "spec.alerts[0].every", "must be 5s to 1h, not 2h"),
    (alert(window="0"), "spec.alerts[0].window", "must be 1s to 24h, not 0"),
    (alert(window="25h"), "spec.alerts[0].window", "must be 1s to 24h, not 25h"),
    (alert(aggregate="median"), "spec.alerts[0].aggregate", "one of mean, min, max, last, not 'median'"),
    (alert(**{"for": 5}), "spec.alerts[0].for", f"{DURATION}, not 5"),
    (alert(critical=None), "spec.alerts[0]", "needs at least one of critical, warning, info"),
    (alert(critical={}), "spec.alerts[0].critical", "needs exactly one of above, below, outside, inside"),
    (alert(critical={"above": 1, "below": 2}), "spec.alerts[0].critical", "needs exactly one of"),
    (alert(critical={"above": "95"}), "spec.alerts[0].critical.above", "must be a number, not '95'"),
    (alert(critical={"above": True}), "spec.alerts[0].critical.above", "must be a number, not true"),
    (alert(critical={"above": math.nan}), "spec.alerts[0].critical.above", "must be a finite number"),
    (alert(critical={"below": -math.inf}), "spec.alerts[0].critical.below", "must be a finite number"),
    (alert(critical={"above": 10**400}), "spec.alerts[0].critical.above", "must be a finite number"),
    (alert(critical={"above": 95, "recover": math.nan}), "spec.alerts[0].critical.recover", "must be a finite number"),
    (alert(critical={"above": 95, "recover": 96}), "spec.alerts[0].critical.recover", "at most the bound it recovers"),
    (alert(critical={"below": 5, "recover": 4}), "spec.alerts[0].critical.recover", "at least the bound it recovers"),
    (alert(critical={"outside": [1, 2], "recover": 1}), "spec.alerts[0].critical.recover", "with above or below"),
    (alert(critical={"outside": [1]}), "spec.alerts[0].critical.outside", "has 1 entries; 2 are allowed"),
    (alert(critical={"outside": 5}), "spec.alerts[0].critical.outside", "must be a list, not 5"),
    (alert(critical={"inside": [2, 1]}), "spec.alerts[0].critical.inside", "the low bound comes first"),
    (alert(critical={"inside": [1, math.inf]}), "spec.alerts[0].critical.inside", "must be a finite number"),
    (alert(type="deadman"), "spec.alerts[0].critical", "takes no bounds for type deadman"),
    (alert(type="flux"), "spec.alerts[0].flux", "is required for type flux"),
    (alert(type="flux", flux="  "), "spec.alerts[0].flux", "is required for type flux"),
    (alert(flux="from()"), "spec.alerts[0].flux", "is for type flux only, and the type is threshold"),
    ({"alerts": [THRESHOLD, THRESHOLD]}, "spec.alerts[1].name", "'A' stands twice"),
    (alert(predictAfter="0"), "spec.alerts[0].predictAfter", "must be 1s to 30d, not 0"),
    (alert(predictAfter="31d"), "spec.alerts[0].predictAfter", "must be 1s to 30d, not 31d"),
    (alert(predictAfter=60), "spec.alerts[0].predictAfter", f"{DURATION}, not 60"),
    (alert(metric="net.bytes_recv", aggregate="max"), "spec.alerts[0].aggregate", "must be mean, or left out"),
    (alert(metric="net.bytes_recv", predictAfter="1h"), "spec.alerts[0].predictAfter", "net.bytes_recv is a counter"),
    (alert(type="deadman", critical={}, predictAfter="1h"), "spec.alerts[0].predictAfter", "for type threshold only"),
    # Silences.
    ({"silences": {}}, "spec.silences", "must be a list, not a mapping"),
    ({"silences": [SILENCE] * 51}, "spec.silences", "has 51 entries; 0 to 50 are allowed"),
    ({"silences": [{**SILENCE, "match": {}}]}, "spec.silences[0].match", "needs a label; to be told of nothing"),
    ({"silences": [{**SILENCE, "match": None}]}, "spec.silences[0].match", "needs a label"),
    ({"silences": [{"until": SILENCE["until"]}]}, "spec.silences[0].match", "is required"),
    ({"silences": [{"match": SILENCE["match"]}]}, "spec.silences[0].until", "is required"),
    (silence("2h"), "spec.silences[0].until", f"{INSTANT}, not '2h'"),
    (silence(1_769_882_400), "spec.silences[0].until", "must be text, not 1769882400; put it in quotes"),
    (silence("2026-01-31"), "spec.silences[0].until", INSTANT),
    (silence("2026-01-31T18:00:00"), "spec.silences[0].until", INSTANT),
    (silence("2026-01-31 18:00:00Z"), "spec.silences[0].until", INSTANT),
    (silence("2026-01-31T18:00:00Z\n"), "spec.silences[0].until", INSTANT),
    (silence("2026-01-31T24:00:00Z"), "spec.silences[0].until", INSTANT),
    (silence("2026-01-31T18:60:00Z"), "spec.silences[0].until", INSTANT),
    (silence("2026-01-31T18:00:60Z"), "spec.silences[0].until", INSTANT),
    (silence("2026-01-31T18:00:00+24:00"), "spec.silences[0].until", INSTANT),
    (silence("2026-01-31T18:00:00.Z"), "spec.silences[0].until", INSTANT),
    (silence("1999-12-31T18:00:00Z"), "spec.silences[0].until", INSTANT),
    (silence("٢٠٢٦-01-31T18:00:00Z"), "spec.silences[0].until", INSTANT),
    (silence("2026-02-29T18:00:00Z"), "spec.silences[0].until", "is a day that there is not: 2026-02-29T18:00:00Z"),
    (silence("2026-00-01T18:00:00Z"), "spec.silences[0].until", "is a day that there is not"),
    # What InfluxDB's own checks cannot do.
    ({"alertEngine": "flux"}, "spec.alertEngine", "must be one of nodetide, influxdb, not 'flux'"),
    (in_influxdb(**{"for": "0s"}), "spec.alerts[0].for", "is evaluated by alertEngine nodetide only"),
    (in_influxdb(keepFiringFor="1m"), "spec.alerts[0].keepFiringFor", "is evaluated by alertEngine nodetide only"),
    (in_influxdb(predictAfter="1h"), "spec.alerts[0].predictAfter", "is evaluated by alertEngine nodetide only"),
    (in_influxdb(groupBy=[]), "spec.alerts[0].groupBy", "is evaluated by alertEngine nodetide only"),
    (
        in_influxdb(warning={"above": 90, "recover": 80}),
        "spec.alerts[0].warning.recover",
        "is evaluated by alertEngine nodetide only",
    ),
    ({"alertEngine": "influxdb", "silences": [SILENCE]}, "spec.silences", "by alertEngine nodetide only; leave it out"),
    (
        {"alertEngine": "influxdb", "notify": [{"name": "a", "type": "alertmanager", "url": "http://x"}]},
        "spec.notify[0].type",
        "alertmanager needs alertEngine nodetide",
    ),
    # Notification.
    ({"notify": [{"name": "a", "type": "mail"}]}, "spec.notify[0].type", "one of alertmanager, http, slack, pagerduty"),
    ({"notify": [{"name": "a", "type": "http"}]}, "spec.notify[0].url", "is required for type http"),
    ({"notify": [{"name": "a", "type": "slack"}]}, "spec.notify[0].secretRef", "is required for type slack"),
    ({"notify": [{"name": "a", "type": "http", "url": "ftp://x"}]}, "spec.notify[0].url", "must match ^https?://"),
    ({"notify": [{"name": "A", "type": "http", "url": "http://x"}]}, "spec.notify[0].name", "must match"),
    (
        {"notify": [{"name": "a", "type": "slack", "url": "http://x", "secretRef": {"name": "s", "key": "k"}}]},
        "spec.notify[0].url",
        "a Slack webhook address is a secret; put it in secretRef",
    ),
    (
        {"notify": [{"name": "a", "type": "pagerduty", "secretRef": {"name": "s"}}]},
        "spec.notify[0].secretRef.key",
        "is required",
    ),
    (
        {"notify": [{"name": "a", "type": "http", "url": "http://x", "severities": ["high"]}]},
        "spec.notify[0].severities[0]",
        "must be one of critical, warning, info, not 'high'",
    ),
    ({"notify": [{"name": "a", "type": "http", "url": "http://x"}] * 2}, "spec.notify[1].name", "'a' stands twice"),
]  # fmt: skip


def problems(document: Any) -> dict[str, str]:
    with pytest.raises(PolicyError) as caught:
        parse_policy(document)
    assert all(str(problem) in str(caught.value) for problem in caught.value.problems)
    found = {problem.path: problem.message for problem in caught.value.problems}
    assert len(found) == len(caught.value.problems)
    return found


@pytest.mark.parametrize(("spec", "path", "message"), STRUCTURE)
def test_a_wrong_spec_is_refused_at_its_path(document: Callable[..., Any], spec: Any, path: str, message: str):
    given = document()
    given["spec"] = spec
    before = copy.deepcopy(given)
    found = problems(given)
    assert list(found) == [path]
    assert message in found[path]
    assert given == before


ENVELOPE: list[tuple[dict[str, Any], str, str]] = [
    ({"apiVersion": "v1"}, "apiVersion", "must be nodetide.io/v1alpha1, not 'v1'"),
    ({"apiVersion": None}, "apiVersion", "must be nodetide.io/v1alpha1, not None"),
    ({"kind": "Policy"}, "kind", "must be MetricPolicy, not 'Policy'"),
    ({"metadata": None}, "metadata", "is required, with a name"),
    ({"metadata": []}, "metadata", "is required, with a name"),
    ({"metadata": {}}, "metadata.name", "is required"),
    ({"metadata": {"name": 5}}, "metadata.name", "must be text, not 5; put it in quotes"),
    ({"metadata": {"name": ""}}, "metadata.name", "1 to 253 characters"),
    ({"metadata": {"name": "A"}}, "metadata.name", "must match"),
    ({"metadata": {"name": "a\n"}}, "metadata.name", "must match"),
    ({"metadata": {"name": "a" * 254}}, "metadata.name", "1 to 253 characters, not 254"),
    ({"metadata": {"name": "a" * 201}}, "spec.storage.bucket", "is required where metadata.name has more than 200"),
    ({"metadata": {"name": "a", "namespace": 1}}, "metadata.namespace", "must be text"),
    ({"metadata": {"name": "a", "annotations": []}}, "metadata.annotations", "must be a mapping"),
    ({"metadata": {"name": "a", "annotations": {"k": True}}}, "metadata.annotations.k", "must be text, not true"),
    ({"sepc": {}}, "sepc", "is not a field (allowed: apiVersion, kind, metadata, spec)"),
]


@pytest.mark.parametrize(("changes", "path", "message"), ENVELOPE)
def test_a_wrong_envelope_is_refused_at_its_path(
    document: Callable[..., Any], changes: dict[str, Any], path: str, message: str
):
    found = problems({**document(), **changes})
    assert list(found) == [path]
    assert message in found[path]


@pytest.mark.parametrize("document", [None, [], "text", 5, True])
def test_what_is_no_mapping_is_no_policy(document: Any):
    assert problems(document) == {"": "must be a MetricPolicy, a mapping with apiVersion, kind, metadata and spec"}


def test_every_problem_is_named_not_only_the_first(document: Callable[..., Any]):
    spec = {"collection": {"interval": 1, "groups": {"cpus": {}}}, "storage": {"bucket": 5}, "alerts": 5}
    assert list(problems(document(spec))) == [
        "spec.collection.interval",
        "spec.collection.groups.cpus",
        "spec.storage.bucket",
        "spec.alerts",
    ]


def test_the_source_stands_before_the_problems(document: Callable[..., Any]):
    with pytest.raises(PolicyError) as caught:
        parse_policy(document({"suspend": 1}), "file.yaml")
    assert str(caught.value) == "file.yaml: spec.suspend: must be true or false, not 1"
    assert caught.value.source == "file.yaml"


def test_ten_unknown_fields_are_each_named(document: Callable[..., Any]):
    assert len(problems(document({f"x{n}": 1 for n in range(10)}))) == 10
    found = problems(document({f"x{n}": 1 for n in range(11)}))
    assert len(found) == 11 and found["spec"] == "has 1 more fields that are none"


def test_a_huge_document_gets_a_short_answer(document: Callable[..., Any]):
    huge = document({f"x{n}": 1 for n in range(5_000)})
    huge["spec"]["alerts"] = [5] * 100_000
    huge["spec"]["collection"] = {"labels": {f"x{n}": 5 for n in range(100_000)}}
    found = problems(huge)
    assert len(found) < 20
    assert found["spec"] == "has 4990 more fields that are none"
    assert found["spec.alerts"] == "has 100000 entries; 0 to 100 are allowed"


_WORDS = st.sampled_from(
    ["nodetide.io/v1alpha1", "MetricPolicy", "raw", "5m", "1h", "24h", "0", "threshold", "deadman", "flux", "In", "x",
     "cpu.usage_active", "mem", "Exists", "Retain", "http", "http://x", "critical", "\ud800", "a\n"]
)  # fmt: skip


def _names(schema: dict[str, Any]) -> set[str]:
    """Every field name there is anywhere in a policy."""
    properties: dict[str, Any] = schema.get("properties", {})
    inner = [*properties.values(), *(schema[key] for key in ("items", "additionalProperties") if key in schema)]
    return set(properties).union(*map(_names, inner))


_NAMES = st.sampled_from(sorted(_names(POLICY_SCHEMA) | {"apiVersion", "kind", "metadata", "spec", "status"}))
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | _WORDS
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES | st.text(max_size=3), inner, max_size=5),
    max_leaves=25,
)


def _plausible(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Documents shaped as the schema says, with something else here and there."""
    kind = schema["type"]
    if kind == "object":
        properties = schema.get("properties")
        if properties is None:
            return st.dictionaries(_NAMES, _plausible(schema["additionalProperties"]), max_size=2)
        return st.fixed_dictionaries(
            {}, optional={name: _plausible(inner) | _SCALARS for name, inner in properties.items()}
        )
    if kind == "array":
        return st.lists(_plausible(schema["items"]) | _SCALARS, max_size=3)
    if kind == "string":
        return st.sampled_from(schema["enum"]) if "enum" in schema else _WORDS
    return {"boolean": st.booleans(), "integer": st.integers(), "number": st.floats() | st.integers()}[kind]


def _only_policy_errors(given: Any) -> None:
    try:
        parse_policy(given)
    except PolicyError as error:
        assert error.problems
        assert all(problem.message for problem in error.problems)


def _with_spec(spec: Any) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "a"}, "spec": spec}


@given(_JSON)
def test_any_json_is_a_policy_or_a_policy_error(given: Any):
    _only_policy_errors(given)
    _only_policy_errors(_with_spec(given))


@given(_plausible(POLICY_SCHEMA))
def test_what_is_nearly_a_policy_is_a_policy_or_a_policy_error(spec: Any):
    _only_policy_errors(_with_spec(spec))
