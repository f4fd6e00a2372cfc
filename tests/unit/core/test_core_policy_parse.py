from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.catalogue import CATALOGUE
from nodetide_core.errors import PolicyError
from nodetide_core.policy import (
    API_VERSION,
    KIND,
    POLICY_SCHEMA,
    Alert,
    GroupSpec,
    Level,
    NodeSelector,
    Notify,
    Policy,
    SecretRef,
    Silence,
    default_policy,
    parse_policy,
)
from nodetide_core.policy.instants import INSTANT_PATTERN, parse_instant
from nodetide_core.store import Stream
from nodetide_core.tiers import DEFAULT_TIERS, Tier

#: As users meet it in the guide: every part once.
EXAMPLE = """
apiVersion: nodetide.io/v1alpha1
kind: MetricPolicy
metadata: {name: system-metrics}
spec:
  suspend: false
  nodeSelector: {}                 # LabelSelector; empty selects every node
  collection:
    interval: 1s                   # 1s to 1h
    groups:                        # omitted: the default set
      cpu: {perCpu: true}
      disk: {interval: 10s, include: [], exclude: []}
    labels: {}                     # constant tags
    nodeLabels: []                 # node labels to copy as tags
    maxSeriesPerNode: 2000         # past it: not collected, and said so in the status
  storage:
    bucket: system-metrics         # default: the policy's name; immutable
    tiers:                         # the default is the seed's table
    - {name: raw, retention: 24h}
    - {name: 5m, window: 5m, retention: 7d}
    - {name: 1h, window: 1h, retention: 30d}
    - {name: 1d, window: 1d, retention: 365d}
    deletionPolicy: Retain         # or Delete
  alerts:
  - name: HighCPU
    type: threshold                # threshold | deadman | flux
    metric: cpu.usage_active
    filter: {cpu: cpu-total}
    every: 30s
    window: 1m
    aggregate: mean
    critical: {above: 95, recover: 85}
    warning: {above: 85}
    for: 5m
    labels: {}
    annotations: {summary: "...", runbook_url: "..."}
  notify:
  - {name: team, type: alertmanager, url: "http://alertmanager:9093"}   # or http | slack | pagerduty, with secretRef
"""


def test_every_default():
    policy = default_policy()
    assert (policy.name, policy.namespace, policy.suspend) == ("system-metrics", "default", False)
    assert (policy.alerts, policy.notify, policy.annotations) == ((), (), {})
    assert (policy.alert_engine, policy.silences) == ("nodetide", ())
    assert policy.node_selector == NodeSelector({}, ())
    collection = policy.collection
    assert collection.interval == 1
    assert list(collection.groups) == [m.name for m in CATALOGUE if m.default]
    assert (collection.labels, collection.node_labels, collection.max_series_per_node) == ({}, (), 2000)
    for name, group in collection.groups.items():
        assert group.interval == (CATALOGUE[name].interval or 1)
        assert (group.include, group.per_cpu) == ((), True)
        assert bool(group.exclude) == (name in ("disk", "diskio", "net"))
        assert bool(group.exclude_fs_types) == (name == "disk")
    storage = policy.storage
    assert (storage.bucket, storage.deletion_policy) == ("system-metrics", "Retain")
    assert storage.tiers == DEFAULT_TIERS
    assert policy.stream == Stream("system-metrics", "system-metrics", DEFAULT_TIERS, 1)


def test_the_defaults_the_schema_tells_are_the_defaults_in_force(document: Callable[..., Any]):
    """A document with every default written out says the same as one that leaves them out."""
    spec: dict[str, Any] = {
        "alerts": [{"name": "a", "type": "threshold", "metric": "mem.used", "warning": {"above": 1}}],
    }
    written = _fill(POLICY_SCHEMA, {**spec, "collection": {}, "storage": {}})
    assert written["collection"]["interval"] == "1s"
    assert written["alerts"][0]["every"] == "30s"
    assert _less_hash(parse_policy(document(written))) == _less_hash(parse_policy(document(spec)))


def _fill(schema: dict[str, Any], value: Any) -> Any:
    if schema["type"] == "array":
        return [_fill(schema["items"], item) for item in value]
    if schema["type"] != "object" or "properties" not in schema:
        return value
    filled = {name: inner["default"] for name, inner in schema["properties"].items() if "default" in inner}
    return {**filled, **{name: _fill(schema["properties"][name], item) for name, item in value.items()}}


def _less_hash(policy: Policy) -> dict[str, Any]:
    return {name: getattr(policy, name) for name in policy.__slots__ if name != "hash"}


def test_the_example_of_the_guide():
    policy = parse_policy(yaml.safe_load(EXAMPLE))
    assert policy.storage.tiers == DEFAULT_TIERS
    assert list(policy.collection.groups) == ["cpu", "disk", "collector"]
    assert policy.collection.groups["disk"].interval == 10
    assert policy.collection.groups["disk"].exclude == default_policy().collection.groups["disk"].exclude
    assert policy.alerts == (
        Alert(
            name="HighCPU",
            type="threshold",
            metric="cpu.usage_active",
            filter={"cpu": "cpu-total"},
            group_by=(),
            every=30,
            window=60,
            aggregate="mean",
            predict_after=0,
            levels={"critical": Level("above", (95,), (85,)), "warning": Level("above", (85,), None)},
            for_=300,
            keep_firing_for=0,
            labels={},
            annotations={"summary": "...", "runbook_url": "..."},
            flux=None,
        ),
    )
    assert policy.notify == (
        Notify("team", "alertmanager", "http://alertmanager:9093", None, ("critical", "warning", "info"), {}),
    )


@pytest.mark.parametrize("spec", [None, {}])
def test_an_empty_spec_is_the_default(document: Callable[..., Any], spec: Any):
    given = document(name="system-metrics")
    given["spec"] = spec
    assert parse_policy(given) == default_policy()
    del given["spec"]
    assert parse_policy(given) == default_policy()


@pytest.mark.parametrize("part", ["nodeSelector", "collection", "storage"])
def test_an_empty_part_is_its_default(document: Callable[..., Any], part: str):
    assert _less_hash(parse_policy(document({part: None}))) == _less_hash(parse_policy(document({part: {}})))
    assert _less_hash(parse_policy(document({part: None}))) == _less_hash(parse_policy(document()))


def test_groups_left_out_or_empty_are_the_default_set(document: Callable[..., Any]):
    assert parse_policy(document({"collection": {"groups": None}})).collection == default_policy().collection


def test_what_a_group_says(document: Callable[..., Any]):
    groups = {
        "cpu": {"perCpu": False},
        "mem": None,
        "disk": {"include": ["/data*"], "exclude": ["/data/tmp"], "excludeFsTypes": []},
        "net": {"exclude": ["eth9"]},
        "diskio": {"include": ["sd*"]},
    }
    found = parse_policy(document({"collection": {"interval": "5s", "groups": groups}})).collection
    usual = default_policy().collection.groups
    assert found.groups == {
        "cpu": GroupSpec(5, per_cpu=False),
        "mem": GroupSpec(5),
        "disk": GroupSpec(10, ("/data*",), ("/data/tmp",), ()),
        "diskio": GroupSpec(5, ("sd*",), ()),
        "net": GroupSpec(5, (), (*usual["net"].exclude, "eth9")),
        "collector": GroupSpec(5),
    }
    assert (found.finest, found.slowest) == (5, 10)


@pytest.mark.parametrize(
    ("groups", "interval"),
    [
        ({"mem": {}}, 2),
        ({"disk": {}}, 10),
        ({"disk": {"interval": "1m"}, "mem": {"interval": "30s"}}, 30),
        ({"mem": {}, "collector": {"interval": "20s"}}, 20),
    ],
)
def test_a_collector_always_tells_of_itself_as_often_as_of_anything(
    document: Callable[..., Any], groups: Any, interval: int
):
    found = parse_policy(document({"collection": {"interval": "2s", "groups": groups}})).collection
    assert found.groups["collector"].interval == interval
    assert set(found.groups) == {*groups, "collector"}


@pytest.mark.parametrize(
    ("collection", "finest", "slowest"),
    [
        ({"interval": "30s"}, 30, 30),
        ({"interval": "2s"}, 2, 10),
        ({"groups": {"mem": {"interval": "1m"}}}, 60, 60),
        ({"interval": "5s", "groups": {"mem": {"interval": "1h"}, "cpu": {}}}, 5, 3600),
    ],
)
def test_the_finest_and_the_slowest_group(document: Callable[..., Any], collection: Any, finest: int, slowest: int):
    policy = parse_policy(document({"collection": collection}))
    assert (policy.collection.finest, policy.collection.slowest) == (finest, slowest)
    assert policy.stream.interval == finest
    assert policy.storage.tiers.counter_gap >= 2 * slowest


@pytest.mark.parametrize(
    ("tiers", "expected"),
    [
        ([{"name": "raw", "retention": "0"}], (Tier("raw", 0, 0),)),
        ([{"name": "raw", "retention": "1h", "window": "0s"}], (Tier("raw", 0, 3600),)),
        (
            [{"name": "raw", "retention": "2h"}, {"name": "hour", "window": "1h", "retention": "0"}],
            (Tier("raw", 0, 7200), Tier("hour", 3600, 0)),
        ),
    ],
)
def test_tiers(document: Callable[..., Any], tiers: Any, expected: tuple[Tier, ...]):
    policy = parse_policy(document({"storage": {"bucket": "b", "tiers": tiers, "deletionPolicy": "Delete"}}))
    assert policy.storage.tiers.tiers == expected
    assert (policy.storage.bucket, policy.storage.deletion_policy) == ("b", "Delete")


def test_alerts_and_receivers(document: Callable[..., Any]):
    bounds = {"critical": {"outside": [1, 2.5]}, "warning": {"inside": [0, 0]}, "info": {"below": -1, "recover": 0}}
    spec = {
        "alerts": [
            {"name": "a", "type": "threshold", "metric": "mem.used", "groupBy": ["host"], **bounds},
            {"name": "b", "type": "deadman", "metric": "cpu", "warning": None, "keepFiringFor": "1m"},
            {"name": "c", "type": "flux", "flux": "from()", "critical": {"above": 0}},
        ],
        "notify": [
            {"name": "s", "type": "slack", "secretRef": {"name": "n", "key": "k"}, "severities": ["critical"]},
            {"name": "h", "type": "http", "url": "https://x", "match": {"team": "a"}},
        ],
    }
    policy = parse_policy(document(spec))
    first, second, third = policy.alerts
    assert first.levels == {
        "critical": Level("outside", (1, 2.5)),
        "warning": Level("inside", (0, 0)),
        "info": Level("below", (-1,), (0,)),
    }
    assert first.group_by == ("host",)
    assert (second.levels, second.keep_firing_for) == ({"warning": Level("absent", ())}, 60)
    assert (third.flux, third.metric) == ("from()", None)
    slack, http = policy.notify
    assert (slack.secret_ref, slack.severities) == (SecretRef("n", "k"), ("critical",))
    assert (http.url, http.match) == ("https://x", {"team": "a"})


def test_a_prediction(document: Callable[..., Any]):
    alert = {"name": "a", "type": "threshold", "metric": "disk.free", "predictAfter": "4h", "critical": {"below": 0}}
    assert parse_policy(document({"alerts": [alert]})).alerts[0].predict_after == 4 * 3600


@pytest.mark.parametrize(
    ("written", "until"),
    [
        ("2026-01-31T18:00:00Z", 1_769_882_400),
        ("2026-01-31t18:00:00z", 1_769_882_400),
        ("2026-01-31T18:00:00.999999999Z", 1_769_882_400),
        ("2026-01-31T18:00:00.5+09:00", 1_769_882_400 - 9 * 3600),
        ("2026-01-31T18:00:00-00:30", 1_769_882_400 + 1800),
        ("2028-02-29T00:00:00Z", 1_835_395_200),
    ],
)
def test_a_silence(document: Callable[..., Any], written: str, until: int):
    silence = {"match": {"alertname": "HighCPU", "host": "a"}, "until": written, "comment": "moves"}
    policy = parse_policy(document({"silences": [silence, {**silence, "comment": ""}]}))
    assert policy.silences == (
        Silence({"alertname": "HighCPU", "host": "a"}, until, "moves"),
        Silence({"alertname": "HighCPU", "host": "a"}, until, ""),
    )


@given(st.datetimes(datetime(2000, 1, 2), datetime(2999, 12, 30)), st.integers(-1439, 1439))
def test_until_is_what_the_calendar_says(moment: datetime, offset: int):
    here = moment.replace(tzinfo=timezone(timedelta(minutes=offset)))
    written = here.isoformat(timespec="microseconds")
    # In whole numbers: a float that holds the year 2500 has no room for microseconds.
    assert parse_instant(written) == (here - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(seconds=1)
    assert re.fullmatch(INSTANT_PATTERN, written)


@pytest.mark.parametrize("engine", ["nodetide", "influxdb"])
def test_the_engine(document: Callable[..., Any], engine: str):
    assert parse_policy(document({"alertEngine": engine})).alert_engine == engine


def test_metadata(document: Callable[..., Any]):
    given = document()
    given["metadata"] |= {"namespace": "ns", "annotations": {"k": "v"}, "labels": {"a": "b"}, "uid": "1"}
    given["status"] = {"whatever": 1}
    policy = parse_policy(given)
    assert (policy.namespace, policy.annotations) == ("ns", {"k": "v"})


# Properties over valid policies ---------------------------------------------------------------------------------


def _durations(low: int, high: int) -> st.SearchStrategy[str]:
    return st.integers(low, high).map(lambda seconds: f"{seconds}s")


def _optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


_TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
_specs = _optional(
    suspend=st.booleans(),
    nodeSelector=_optional(
        matchLabels=st.dictionaries(_TEXTS, _TEXTS, max_size=3),
        matchExpressions=st.lists(
            st.fixed_dictionaries(
                {
                    "key": st.just("zone"),
                    "operator": st.sampled_from(["In", "NotIn"]),
                    "values": st.lists(_TEXTS, min_size=1),
                }
            ),
            max_size=2,
        ),
    ),
    collection=_optional(
        interval=_durations(1, 60),
        groups=_optional(
            cpu=_optional(perCpu=st.booleans(), interval=_durations(60, 3600)),
            net=_optional(include=st.lists(_TEXTS.filter(bool), max_size=3)),
        ).filter(bool),
        labels=_optional(team=_TEXTS.filter(bool), env=_TEXTS.filter(bool)),
        nodeLabels=st.just(["topology.kubernetes.io/zone"]),
        maxSeriesPerNode=st.integers(10, 100_000),
    ),
    storage=_optional(bucket=st.sampled_from(["a", "B.c_d-e"]), deletionPolicy=st.sampled_from(["Retain", "Delete"])),
    alerts=st.lists(
        st.builds(
            lambda bound, more: {"type": "threshold", "metric": "mem.used", "critical": {"above": bound}, **more},
            st.integers() | st.floats(allow_nan=False, allow_infinity=False),
            _optional(every=_durations(5, 60), annotations=st.dictionaries(_TEXTS, _TEXTS, max_size=2)),
        ),
        max_size=3,
    ).map(lambda alerts: [{"name": f"a{index}", **alert} for index, alert in enumerate(alerts)]),
)  # fmt: skip


def _document(spec: Any) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "p"}, "spec": spec}


@given(_specs)
def test_a_policy_is_the_same_after_a_trip_through_yaml_or_json(spec: Any):
    policy = parse_policy(_document(spec))
    assert parse_policy(json.loads(json.dumps(_document(spec)))) == policy
    assert parse_policy(yaml.safe_load(yaml.safe_dump(_document(spec)))) == policy


@given(_specs, st.randoms(use_true_random=False))
def test_the_hash_does_not_depend_on_the_order_of_keys(spec: Any, random: Any):
    assert parse_policy(_document(_shuffled(spec, random))).hash == parse_policy(_document(spec)).hash


def _shuffled(value: Any, random: Any) -> Any:
    if isinstance(value, list):
        return [_shuffled(item, random) for item in value]
    if not isinstance(value, dict):
        return value
    keys = list(value)
    random.shuffle(keys)
    return {key: _shuffled(value[key], random) for key in keys}


@given(_specs, _specs)
def test_the_hash_tells_one_spec_from_another(one: Any, other: Any):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (parse_policy(_document(one)).hash == parse_policy(_document(other)).hash) == same


def test_the_hash_is_of_the_spec_alone(document: Callable[..., Any]):
    named = parse_policy(document({"suspend": True}, name="other"))
    assert named.hash == parse_policy(document({"suspend": True})).hash
    assert len(named.hash) == 16


def test_a_policy_cannot_be_changed():
    with pytest.raises(AttributeError):
        default_policy().name = "x"  # type: ignore[misc]


def test_the_caller_keeps_its_document(document: Callable[..., Any]):
    given = document({"collection": {"labels": {"team": "a"}}})
    policy = parse_policy(given)
    given["spec"]["collection"]["labels"]["team"] = "b"
    assert policy.collection.labels == {"team": "a"}


def test_every_problem_of_a_policy_is_a_policy_error():
    with pytest.raises(PolicyError):
        parse_policy({})
