"""Alerts of policies, over a store that says what a test wants: who is evaluated, and whose fault what is."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from operator import is_
from typing import Any

import pytest

from nodetide_core.alerts.model import AlertKey, AlertState, Phase, Reading
from nodetide_core.alerts.ports import AlertRecord, Remembered
from nodetide_core.errors import StoreRejected, StoreUnavailable
from nodetide_core.policy import Policy, SecretRef, parse_policy
from nodetide_operator.alert_flux import FluxGate
from nodetide_operator.alert_news import AlertsNews
from nodetide_operator.alert_store import Outages
from nodetide_operator.alerting import Alerting, Charge
from nodetide_operator.apiserver import ClusterRefused, ClusterUnavailable
from nodetide_operator.knowledge import Shared
from nodetide_operator.receiver_secrets import ReceiverSecrets
from nodetide_operator.world import Key

START = 1_800_000_000
FLUX = {"name": "F", "type": "flux", "every": "5s", "critical": {"above": 50}}


def policy(name: str = "p", *alerts: Mapping[str, Any], **spec: Any) -> Policy:
    document = {"apiVersion": "nodetide.io/v1alpha1", "kind": "MetricPolicy", "metadata": {"name": name}}
    return parse_policy({**document, "spec": {"alerts": list(alerts), **spec}})


def flux(text: str = "good") -> dict[str, Any]:
    return {**FLUX, "flux": text}


class FakeStore:
    """
    Attributes:
        values: what a query gives, by host; an error is raised.
        fails: raised by whatever is asked.
    """

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self.fails: Exception | None = None
        self.records: dict[str, dict[AlertKey, AlertRecord]] = {}
        self.checked: list[str] = []
        self.asked: list[str] = []
        self.missing: set[str] = set()
        self.refused: list[str] = []

    async def read(self, query: Any) -> list[Any]:
        raise AssertionError("no alert here asks for this")

    async def last_seen(self, *_: Any) -> Mapping[Any, int]:
        raise AssertionError("no alert here asks for this")

    async def flux(self, bucket: str, text: str) -> list[Reading]:
        self.asked.append(text)
        if self.fails is not None:
            raise self.fails
        if "wrong" in text:
            raise StoreRejected("the query: it is wrong")
        return [Reading((("host", host),), value) for host, value in self.values.items()]

    async def check_flux(self, text: str) -> str | None:
        if self.fails is not None:
            raise self.fails
        self.checked.append(text)
        return "line 1, column 1: it is wrong" if "wrong" in text else None

    def remembered(self, bucket: str) -> Remembered:
        if self.fails is not None:
            raise self.fails
        return Remembered(self.records.get(bucket, {}))

    def remember(self, bucket: str, records: Any, told: Any, now: int) -> None:
        if self.fails is not None:
            raise self.fails
        if bucket in self.missing:
            self.refused.append(bucket)
            raise StoreRejected(f"no stream has the bucket {bucket!r}")
        held = {**self.records.get(bucket, {}), **records}
        self.records[bucket] = {key: record for key, record in held.items() if record is not None}

    def phases(self, bucket: str = "p") -> dict[str, Phase]:
        return {dict(key.tags)["host"]: record.state.phase for key, record in self.records[bucket].items()}


class Secrets:
    def __init__(self) -> None:
        self.held: dict[str, dict[str, str]] = {}
        self.fails: Exception | None = None
        self.read = 0

    def secret_data(self, namespace: str, name: str) -> Mapping[str, str] | None:
        self.read += 1
        if self.fails is not None:
            raise self.fails
        assert namespace == "default"
        return self.held.get(name)


class Bench:
    def __init__(self) -> None:
        self.now = float(START)
        self.store = FakeStore()
        self.secrets = Secrets()
        self.charge = Shared(Charge())
        self.news: Shared[Mapping[Key, AlertsNews]] = Shared({})
        self.alerting = Alerting(
            self.store, ReceiverSecrets(self.secrets, lambda: self.now), self.charge, self.news, clock=lambda: self.now
        )

    def given(self, *policies: Policy, wrong: tuple[str, ...] = (), nodes: tuple[str, ...] = ("a", "b")) -> None:
        found = {("default", item.name): item for item in policies}
        self.charge.put(Charge(found, frozenset(("default", name) for name in wrong), {node: {} for node in nodes}))

    def turn(self, later: float = 5.0) -> Mapping[str, AlertsNews]:
        self.now += later
        self.wait = self.alerting.turn()
        return {name: news for (_, name), news in self.news.get().items()}


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.alerting.end(5)
    made.alerting.close()


def test_what_fires_is_told_and_remembered(bench: Bench) -> None:
    bench.given(policy("p", flux()), policy("q", {**flux(), "name": "G"}))
    bench.store.values = {"a": 99.0, "b": 1.0, "elsewhere": 99.0}
    news = bench.turn()
    assert [(alert.name, alert.firing, alert.severity) for alert in news["p"].alerts] == [("F", 1, "critical")]
    assert news["q"].alerts[0].series[0].series == "host=a"
    assert bench.store.phases("p") == {"a": Phase.FIRING}, "and nothing of hosts that are none of ours"
    assert (bench.alerting.firing, bench.alerting.outage) == (2, "")
    assert 0 < bench.wait <= 5.0


def test_a_node_that_is_gone_ends_its_alerts(bench: Bench) -> None:
    bench.given(policy("p", flux()))
    bench.store.values = {"a": 99.0, "b": 99.0}
    bench.turn()
    bench.given(policy("p", flux()), nodes=("b",))
    assert bench.turn()["p"].alerts[0].firing == 1
    (ended,) = [record for key, record in bench.store.records["p"].items() if ("host", "a") in key.tags]
    assert (ended.state.phase, ended.reason) == (Phase.INACTIVE, "node is gone")


def test_nodes_are_those_that_the_policy_selects(bench: Bench) -> None:
    bench.given(policy("p", flux(), nodeSelector={"matchLabels": {"x": "y"}}))
    bench.charge.put(replace(bench.charge.get(), nodes={"a": {"x": "y"}, "b": {}}))
    bench.store.values = {"a": 99.0, "b": 99.0}
    bench.turn()
    assert bench.store.phases() == {"a": Phase.FIRING}


def test_a_policy_that_turns_wrong_is_evaluated_as_it_was_and_one_that_is_gone_is_not(bench: Bench) -> None:
    bench.given(policy("p", flux()), policy("q", flux()))
    bench.store.values = {"a": 99.0}
    bench.turn()
    bench.given(wrong=("p", "never"))
    assert bench.turn().keys() == {"p"}
    assert bench.store.phases("p") == {"a": Phase.FIRING}
    assert bench.store.phases("q") == {"a": Phase.INACTIVE}


def test_what_is_remembered_of_a_stream_that_is_gone_goes_with_it(bench: Bench) -> None:
    bench.given(policy("p", flux()), policy("q", flux()))
    bench.store.values = {"a": 99.0}
    bench.turn()
    bench.store.missing = {"p"}
    bench.given(policy("q", flux()))
    for _ in range(3):
        bench.turn(10)
    assert bench.store.refused == ["p"], "nor is it tried again"


def test_a_suspended_policy_is_not_evaluated(bench: Bench) -> None:
    bench.given(policy("p", flux(), suspend=True))
    news = bench.turn()
    assert news["p"].suspended
    assert bench.store.asked == []


def test_those_that_influxdb_evaluates_are_left_to_it(bench: Bench) -> None:
    bench.given(policy("p", flux(), alertEngine="influxdb"))
    assert bench.turn() == {}
    assert bench.store.asked == []


def test_a_store_that_is_away_is_no_fault_of_alerts(bench: Bench) -> None:
    bench.given(policy("p", flux(), {**flux("wrong"), "name": "W"}))
    bench.store.values = {"a": 99.0}
    before = bench.turn()["p"]
    assert (before.unreachable, [bool(alert.problem) for alert in before.alerts]) == ("", [False, True])
    bench.store.fails = StoreUnavailable("no connection")
    news = bench.turn()["p"]
    assert "no connection" in news.unreachable and "no connection" in bench.alerting.outage
    assert news.alerts[0].problem == ""
    assert news.alerts[0].firing == 1, "nothing ends by that"
    bench.store.fails = None
    assert bench.turn(10)["p"] == before
    assert bench.alerting.outage == ""


def test_after_its_end_it_tells_nothing(bench: Bench) -> None:
    bench.given(policy("p", flux()))
    bench.alerting.end(1)
    assert bench.turn() == {}


class TestFlux:
    def test_a_wrong_query_takes_nothings_place(self, bench: Bench) -> None:
        bench.given(policy("p", flux()))
        bench.store.values = {"a": 99.0}
        bench.turn()
        bench.given(policy("p", flux("wrong"), {**flux("other"), "name": "O"}))
        first, other = bench.turn()["p"].alerts
        assert (first.firing, first.problem) == (1, "spec.alerts[0].flux: line 1, column 1: it is wrong")
        assert (other.firing, other.problem) == (1, "")
        assert set(bench.store.asked) == {"good", "other"}
        bench.given(policy("p", flux("mended")))
        assert bench.turn()["p"].alerts[0].problem == ""
        assert bench.store.asked[-1] == "mended"

    def test_each_is_looked_at_once_and_what_is_good_stays_the_object_that_it_is(self) -> None:
        store = FakeStore()
        gate = FluxGate(store.check_flux)
        policies = [policy("p", flux("one")), policy("q", flux("one"), {**flux("two"), "name": "O"}), policy("r")]
        for _ in range(3):
            assert all(map(is_, gate.pass_on(policies), policies))
        assert sorted(store.checked) == ["one", "two"]

    def test_one_that_cannot_even_be_looked_at_holds_up_no_other(self) -> None:
        store = FakeStore()
        look, asked = store.check_flux, []

        async def refuse(text: str) -> str | None:
            asked.append(text)
            if text == "huge":
                raise StoreRejected("check a query: HTTP 413")
            return await look(text)

        gate = FluxGate(refuse)
        policies = [policy("p", {**flux("huge"), "name": "H"}, flux("wrong"))]
        for _ in range(3):
            gate.pass_on(policies)
        assert gate.problems == {
            ("p", "H"): "spec.alerts[0].flux: check a query: HTTP 413",
            ("p", "F"): "spec.alerts[1].flux: line 1, column 1: it is wrong",
        }
        assert asked == ["huge", "wrong"]

    def test_what_could_not_be_looked_at_is_the_next_time(self) -> None:
        store = FakeStore()
        store.fails = StoreUnavailable("away")
        gate = FluxGate(store.check_flux)
        assert gate.pass_on([policy("p", flux("wrong"))])[0].alerts[0].flux == "wrong"
        assert gate.problems == {}
        store.fails = None
        gate.pass_on([policy("p", flux("wrong"))])
        assert list(gate.problems) == [("p", "F")]


class TestSecrets:
    REF = SecretRef("pager", "token")

    @pytest.fixture
    def now(self) -> list[float]:
        return [0.0]

    @pytest.fixture
    def cluster(self) -> Secrets:
        return Secrets()

    @pytest.fixture
    def secrets(self, cluster: Secrets, now: list[float]) -> ReceiverSecrets:
        return ReceiverSecrets(cluster, lambda: now[0])

    def test_it_is_read_again_after_half_a_minute(
        self, secrets: ReceiverSecrets, cluster: Secrets, now: list[float]
    ) -> None:
        cluster.held = {"pager": {"token": "one"}}
        assert secrets(policy(), self.REF) == "one"
        cluster.held = {"pager": {"token": "two"}}
        now[0] = 29.0
        assert secrets(policy(), self.REF) == "one"
        now[0] = 30.0
        assert secrets(policy(), self.REF) == "two"
        assert cluster.read == 2

    def test_what_is_missing_is_named_and_found_soon(
        self, secrets: ReceiverSecrets, cluster: Secrets, now: list[float]
    ) -> None:
        assert secrets.problem(policy(), self.REF) == (
            "secret pager, key token: there is no such Secret in namespace default"
        )
        cluster.held = {"pager": {"other": "x", "empty": " \n"}}
        now[0] += 30
        with pytest.raises(LookupError, match="the Secret has no such key"):
            secrets(policy(), self.REF)
        assert secrets.problem(policy(), SecretRef("pager", "empty")) == "secret pager, key empty: it is empty"
        cluster.held = {"pager": {"token": "x"}}
        now[0] += 30
        assert secrets.problem(policy(), self.REF) == ""
        read = cluster.read
        now[0] += 200
        assert secrets.problem(policy(), self.REF) == "", "what is there is seldom looked at again"
        assert cluster.read == read

    def test_without_the_right_it_says_so(self, secrets: ReceiverSecrets, cluster: Secrets) -> None:
        cluster.fails = ClusterRefused("GET ...: 403 cannot get resource", 403)
        assert "403 cannot get resource" in secrets.problem(policy(), self.REF)

    def test_while_the_apiserver_is_away_what_was_read_holds(
        self, secrets: ReceiverSecrets, cluster: Secrets, now: list[float]
    ) -> None:
        cluster.fails = ClusterUnavailable("away")
        with pytest.raises(OSError, match="away"):
            secrets(policy(), self.REF)
        assert secrets.problem(policy(), self.REF) == "", "nothing is known to be wrong"
        cluster.held, cluster.fails = {"pager": {"token": "one"}}, None
        assert secrets(policy(), self.REF) == "one"
        cluster.fails = ClusterUnavailable("away")
        now[0] += 10_000
        assert secrets(policy(), self.REF) == "one"

    def test_an_apiserver_that_does_not_answer_holds_up_nobody(
        self, secrets: ReceiverSecrets, cluster: Secrets, now: list[float]
    ) -> None:
        cluster.held = {"there": {"token": "x"}, "lacking": {}}
        for name in ("there", "lacking"):
            secrets.problem(policy(), SecretRef(name, "token"))
        cluster.fails, cluster.read = ClusterUnavailable("no answer within 30 s"), 0
        for _ in range(10):
            now[0] += 15
            problems = [secrets.problem(policy(), SecretRef(f"s{n}", "token")) for n in range(50)]
            assert set(problems) == {""}
            assert secrets.problem(policy(), SecretRef("there", "token")) == ""
            assert "no such key" in secrets.problem(policy(), SecretRef("lacking", "token"))
        assert cluster.read == 1
        with pytest.raises(OSError, match="no answer"):
            secrets(policy(), SecretRef("s1", "token"))
        cluster.fails, cluster.held = None, {"s1": {"token": "x"}}
        assert secrets(policy(), SecretRef("s1", "token")) == "x", "who sends asks for itself"
        assert "no such Secret" in secrets.problem(policy(), SecretRef("s2", "token")), "and that it answers is seen"

    def test_what_nobody_asks_for_any_more_is_not_kept(
        self, secrets: ReceiverSecrets, cluster: Secrets, now: list[float]
    ) -> None:
        cluster.held = {"old": {"token": "one"}, "new": {"token": "two"}}
        secrets(policy(), SecretRef("old", "token"))
        for _ in range(12):
            now[0] += 300
            secrets(policy(), SecretRef("new", "token"))
        cluster.fails = ClusterUnavailable("away")
        assert secrets(policy(), SecretRef("new", "token")) == "two"
        with pytest.raises(OSError, match="away"):
            secrets(policy(), SecretRef("old", "token"))

    def test_a_missing_one_is_told_before_anything_fires(self, bench: Bench) -> None:
        receiver = {"name": "team", "type": "slack", "secretRef": {"name": "pager", "key": "token"}}
        bench.given(policy("p", flux(), notify=[receiver]))
        assert bench.turn()["p"].failing == {
            "team": "secret pager, key token: there is no such Secret in namespace default"
        }
        bench.secrets.held = {"pager": {"token": "https://127.0.0.1:1/very-secret"}}
        assert bench.turn(35)["p"].failing == {}


def test_errors_that_are_told_no_more_are_forgotten() -> None:
    store = FakeStore()
    outages = Outages(store)
    store.fails = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        outages.remembered("p")
    assert outages.among(["A: away", "B: refused"]) == {"A: away"}
    assert outages.among(["B: refused"]) == set()
    assert outages.among(["A: away"]) == set()


def test_what_is_shared_tells_of_changes_alone() -> None:
    changes = threading.Semaphore(0)
    shared = Shared({"a": AlertState()}, changes.release)
    shared.put({"a": AlertState()})
    assert not changes.acquire(blocking=False)
    shared.put({})
    assert changes.acquire(blocking=False)
    assert shared.get() == {}
