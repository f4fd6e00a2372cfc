"""Turns: they end with nothing left to do, and tell the truth of it where people look."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from tests.unit.operator.simulated_influx import SimulatedInflux

from nodetide_core.errors import StoreUnavailable
from nodetide_operator.alert_news import AlertNews, AlertsNews, FiringSeries
from nodetide_operator.alerting import Charge
from nodetide_operator.apiserver import ClusterRefused, ClusterUnavailable
from nodetide_operator.cluster import Listed
from nodetide_operator.config import OperatorConfig
from nodetide_operator.influx import Influx
from nodetide_operator.knowledge import Knowledge, Known, Shared
from nodetide_operator.node_counts import Heard
from nodetide_operator.outcomes import Downsampling
from nodetide_operator.reconciling import Reconciler, TurnReport
from nodetide_operator.settings_map import settings_document
from nodetide_operator.statuses import Notice
from nodetide_operator.world import PolicyObject, World


class FakeCluster:
    """Kubernetes in memory; a watch that tells nothing, unless the test says so."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.node_bodies: list[dict[str, Any]] = []
        self.map: dict[str, Any] | None = None
        self.events: list[tuple[str, Notice]] = []
        self.written: list[str] = []
        self.unlisted: dict[str, str] = {}
        self.failing: dict[str, Exception] = {}
        self.version = 100

    def put(self, body: dict[str, Any]) -> None:
        self.version += 1
        body = copy.deepcopy(body)
        body["metadata"]["resourceVersion"] = str(self.version)
        self.objects[body["metadata"]["name"]] = body

    def policies(self, namespaces: Any) -> Listed:
        there = [body for body in self.objects.values() if body["metadata"]["namespace"] not in self.unlisted]
        return Listed(copy.deepcopy(there), self.unlisted)

    def nodes(self) -> Any:
        return iter(self.node_bodies)

    def patch_status(self, policy: PolicyObject, status: Any) -> Any:
        if policy.name in self.failing:
            self.written.append(policy.name)
            raise self.failing[policy.name]
        body = self.objects.get(policy.name)
        if body is None or body["metadata"]["resourceVersion"] != policy.version:
            return None
        self.put({**body, "status": status})
        self.written.append(policy.name)
        return copy.deepcopy(self.objects[policy.name])

    def settings(self, name: str) -> Any:
        return self.map

    def put_settings(self, name: str, content: Any, *, exists: bool) -> None:
        if "settings" in self.failing:
            raise self.failing["settings"]
        assert exists == (self.map is not None)
        self.map = content
        self.written.append("settings")

    def event(self, policy: PolicyObject, notice: Notice, now: str) -> None:
        self.events.append((policy.name, notice))


class Operating:
    def __init__(self, config: OperatorConfig) -> None:
        self.cluster = FakeCluster()
        self.influx = SimulatedInflux()
        self.influx.authorizations = list  # type: ignore[attr-defined]
        self.tokens: list[list[str]] = []
        self.now = 1_800_000_000.0
        self.budget = 0.0
        self.config = config
        self.start()

    def start(self) -> None:
        self.world = World()
        self.knowledge = Knowledge()
        self.charge = Shared(Charge())
        self.alerts: Shared[Any] = Shared({})
        influx = Influx(
            self.influx, self.config.owner, self.config.watches, monotonic=lambda: self.budget  # type: ignore[arg-type]
        )  # fmt: skip
        influx.tokens = lambda vault, streams, now: self.tokens.append(sorted(s.name for s in streams)) or []  # type: ignore
        self.reconciler = Reconciler(
            self.config, self.cluster, influx,  # type: ignore[arg-type]
            vault=None, world=self.world, knowledge=self.knowledge,  # type: ignore[arg-type]
            charge=self.charge, alerts=self.alerts, clock=lambda: self.now,
        )  # fmt: skip

    def turn(self, *, relist: bool = True) -> TurnReport:
        self.cluster.written.clear()
        self.cluster.events.clear()
        self.now += 60.0
        return self.reconciler.turn(relist=relist)

    def reasons(self, name: str) -> dict[str, str]:
        found = self.cluster.objects[name]["status"]["conditions"]
        return {item["type"]: item["reason"] for item in found}


@pytest.fixture
def it(config: OperatorConfig) -> Operating:
    return Operating(config)


def test_a_turn_leaves_nothing_for_the_next(it: Operating, bodies: Any) -> None:
    it.cluster.put(bodies.policy("a"))
    it.cluster.put(bodies.policy("bad", {"collection": {"interval": "soon"}}))
    it.cluster.node_bodies = [bodies.node("n", {"pool": "x"})]
    report = it.turn()
    assert (report.ready, report.well) == ({("nodetide", "a"): True, ("nodetide", "bad"): False}, True)
    assert sorted(it.cluster.written) == ["a", "bad", "settings"]
    assert it.tokens[-1] == ["a"]
    assert [(name, notice.reason) for name, notice in it.cluster.events] == [("a", "InEffect"), ("bad", "Invalid")]
    done = it.influx.taken()
    assert done
    for relist in (False, True, False):
        assert it.turn(relist=relist).well
        assert (it.cluster.written, it.cluster.events, it.influx.taken()) == ([], [], [])
    it.start()
    it.turn()
    assert (it.cluster.written, it.cluster.events, it.influx.taken()) == ([], [], []), "nor for the next operator's"


def test_a_status_that_was_written_is_not_written_again_before_the_watch_tells_of_it(
    it: Operating, bodies: Any
) -> None:
    it.cluster.put(bodies.policy("a"))
    it.turn()
    it.knowledge.put(Known({"a": Downsampling({"5m": 0, "1h": 0, "1d": 0}, {"5m": 300, "1h": 3_600, "1d": 86_400})}))
    for written in (["a"], []):
        it.turn(relist=False)
        assert it.cluster.written == written


def test_a_status_is_not_written_over_another_object(it: Operating, bodies: Any) -> None:
    it.cluster.put(bodies.policy("a"))
    it.turn()
    it.cluster.put(bodies.policy("a", uid="another"))
    it.knowledge.put(Known({}, {"a": Heard(0, {})}))
    report = it.turn(relist=False)
    assert (it.cluster.written, report.outdated, report.well) == ([], 1, False)
    assert "status" not in it.cluster.objects["a"]
    assert it.turn().well
    assert it.cluster.written == ["a"]


def test_one_status_that_is_refused_does_not_keep_the_others_from_being_told(it: Operating, bodies: Any) -> None:
    for name in "abc":
        it.cluster.put(bodies.policy(name))
    it.cluster.failing = {"b": ClusterRefused("422 wrong", 422)}
    report = it.turn()
    assert set(it.cluster.written) == {"settings", "a", "b", "c"}
    assert report.problems == ("status of nodetide/b: 422 wrong",)
    it.cluster.failing = {"a": ClusterUnavailable("away")}
    it.knowledge.put(Known({}, {name: Heard(0, {}) for name in "abc"}))
    report = it.turn()
    assert it.cluster.written == ["a"], "nor do they wait for one that is away, each on its own"
    assert report.problems == ("status of nodetide/a: away",)
    assert report.ready.keys() == {("nodetide", name) for name in "abc"}


def test_what_all_share_is_told_of_all(it: Operating, bodies: Any) -> None:
    it.cluster.put(bodies.policy("a"))
    it.cluster.failing = {"settings": ClusterRefused("403 no", 403)}
    report = it.turn()
    assert it.reasons("a")["Ready"] == "SharedObjectsFailed"
    assert report.problems == ("node settings: 403 no",)
    it.cluster.failing = {}
    assert it.turn().well
    assert it.reasons("a")["Ready"] == "InEffect"


def test_while_influxdb_is_away_nodes_keep_their_settings_and_everybody_their_token(it: Operating, bodies: Any) -> None:
    it.cluster.put(bodies.policy("a"))
    it.turn()
    tokens, settings = list(it.tokens), it.cluster.map

    def away(_: Any) -> None:
        raise StoreUnavailable("InfluxDB does not answer")

    it.influx.before = away
    report = it.turn()
    assert report.problems == ("InfluxDB does not answer",)
    assert it.reasons("a")["Ready"] == "InfluxUnreachable"
    assert (it.tokens, it.cluster.map) == (tokens, settings)
    it.turn()
    assert it.cluster.written == [], "it is told once"


def test_what_is_left_for_the_next_turn_keeps_its_status_and_all_their_tokens(it: Operating, bodies: Any) -> None:
    for name in "ab":
        it.cluster.put(bodies.policy(name))

    def slow(action: Any) -> None:
        it.budget += 2.0 if action is not None else 0.0

    it.influx.before = slow
    report = it.turn()
    assert (report.left, sorted(report.ready.values()), it.tokens) == (1, [False, True], [])
    assert "status" not in it.cluster.objects["b"]
    report = it.turn()
    assert (report.left, sorted(report.ready.values()), it.tokens) == (0, [True, True], [["a", "b"]])


def test_a_namespace_that_may_not_be_listed_stops_nobody_and_loses_nothing(config: OperatorConfig, bodies: Any) -> None:
    it = Operating(replace(config, namespaces=("nodetide", "team")))
    delete = {"storage": {"deletionPolicy": "Delete"}}
    it.cluster.put(bodies.policy("a", delete))
    it.cluster.put(bodies.policy("b", delete, namespace="team"))
    assert it.turn().listed == ("nodetide", "team")
    buckets = dict(it.influx.buckets)
    it.cluster.unlisted = {"team": "403 no"}
    for _ in ("as it was", "an operator that never saw it"):
        report = it.turn()
        assert (report.problems, report.listed) == (("403 no",), ("nodetide",))
        assert report.ready["nodetide", "a"]
        assert it.influx.buckets == buckets
        it.start()
    it.cluster.unlisted = {}
    del it.cluster.objects["b"]
    assert it.turn().well
    assert {seen.bucket.name for seen in it.influx.buckets.values()} == {"a", "a-5m", "a-1h", "a-1d"}


def test_where_a_list_fails_nothing_is_done(it: Operating, bodies: Any) -> None:
    it.cluster.put(bodies.policy("a", {"storage": {"deletionPolicy": "Delete"}}))
    it.turn()
    it.influx.taken()

    def fails() -> Any:
        raise ClusterUnavailable("away")
        yield

    it.cluster.nodes = fails  # type: ignore[method-assign]
    it.cluster.objects.clear()
    for again in (False, True):
        if again:
            it.start()
        with pytest.raises(ClusterUnavailable):
            it.turn()
        assert (it.influx.taken(), it.cluster.written) == ([], [])


class TestWrongForNow:
    """Nodes go on with what a policy said before it turned wrong, and with their right to write it."""

    BAD: ClassVar = {"collection": {"interval": "soon"}}

    def settings(self, it: Operating) -> Any:
        return settings_document(it.cluster.map)

    def test_its_settings_stay_and_follow_the_nodes(self, it: Operating, bodies: Any) -> None:
        spec = {"collection": {"interval": "7s"}, "nodeSelector": {"matchLabels": {"pool": "x"}}}
        it.cluster.put(bodies.policy("a", spec))
        it.cluster.put(bodies.policy("b"))
        it.cluster.node_bodies = [bodies.node("n", {"pool": "x"})]
        it.turn()
        before = self.settings(it)
        it.cluster.put(bodies.policy("a", self.BAD, generation=2))
        for _ in range(2):
            it.turn()
            assert self.settings(it) == before
            it.start()  # the next one knows of it from the ConfigMap alone
        it.cluster.node_bodies.append(bodies.node("m", {"pool": "x"}))
        it.turn()
        (group,) = self.settings(it)["groups"]
        assert group["nodes"] == ["m", "n"]
        it.cluster.map = {"data": {"settings.json": "by hand"}}
        it.turn()
        assert self.settings(it)["policies"].keys() == {"a", "b"}, "drift takes nothing away either"
        it.cluster.put(bodies.policy("a", {"collection": {"interval": "9s"}}, generation=3))
        it.turn()
        assert self.settings(it)["policies"]["a"]["collection"] == {"interval": "9s"}
        assert self.settings(it)["groups"] == []

    def test_in_conflict_it_goes_on_too(self, it: Operating, bodies: Any) -> None:
        it.cluster.put(bodies.policy("old", self.BAD, creationTimestamp="2025-01-01T00:00:00Z"))
        it.cluster.put(bodies.policy("a", {"storage": {"bucket": "x"}}))
        it.turn()
        it.cluster.put(
            bodies.policy("old", {"storage": {"bucket": "x"}}, creationTimestamp="2025-01-01T00:00:00Z", generation=2)
        )
        it.turn()
        assert it.reasons("a")["Ready"] == "BucketTaken"
        assert "a" in self.settings(it)["policies"]

    @pytest.mark.parametrize("spec", [None, {"suspend": True, **BAD}])
    def test_deleted_or_suspended_it_does_not(self, it: Operating, bodies: Any, spec: Any) -> None:
        it.cluster.put(bodies.policy("a"))
        it.turn()
        if spec is None:
            del it.cluster.objects["a"]
        else:
            it.cluster.put(bodies.policy("a", spec, generation=2))
        it.turn()
        assert self.settings(it)["policies"] == {}

    def test_one_that_never_was_good_is_not_collected(self, it: Operating, bodies: Any) -> None:
        it.cluster.put(bodies.policy("a", self.BAD))
        it.turn()
        assert self.settings(it)["policies"] == {}

    def test_those_of_a_namespace_that_cannot_be_listed_stay(self, bodies: Any, config: OperatorConfig) -> None:
        it = Operating(replace(config, namespaces=("nodetide", "team")))
        it.cluster.put(bodies.policy("a", namespace="team"))
        it.cluster.put(bodies.policy("b"))
        it.turn()
        assert self.settings(it)["policies"].keys() == {"team/a", "b"}
        it.cluster.unlisted = {"team": "403"}
        it.start()
        it.turn()
        assert self.settings(it)["policies"].keys() == {"team/a", "b"}

    def test_alerts_go_on_as_they_were(self, it: Operating, bodies: Any) -> None:
        it.cluster.put(bodies.policy("a"))
        it.cluster.put(bodies.policy("b", self.BAD))
        it.turn()
        charge = it.charge.get()
        assert (charge.policies.keys(), charge.wrong) == ({("nodetide", "a")}, {("nodetide", "b")})


def test_alerts_are_told_in_the_status_and_in_events_once(it: Operating, bodies: Any) -> None:
    it.cluster.put(bodies.policy("a", {"alerts": [{"name": "A", "type": "deadman", "metric": "cpu.usage_active"}]}))
    it.turn()
    assert it.reasons("a")["AlertsReady"] == "NotEvaluated"
    fires = AlertNews("A", 0, 1, "critical", (FiringSeries("host=n", "critical", 1_800_000_000),))
    for news, reasons in ((fires, ["AlertFiring"]), (AlertNews("A"), ["AlertResolved"])):
        it.alerts.put({("nodetide", "a"): AlertsNews((news,))})
        for written, told in (([*"a"], reasons), ([], [])):
            it.turn(relist=False)
            assert it.cluster.written == written
            assert [notice.reason for _, notice in it.cluster.events] == told
        assert it.cluster.objects["a"]["status"]["firing"] == len(news.series)
        assert it.reasons("a")["AlertsReady"] == "Evaluated"
