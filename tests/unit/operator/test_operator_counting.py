"""What is counted, known and shipped: nodes, rollups, the ConfigMap."""

from __future__ import annotations

import base64
import gzip
import json
import random
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.errors import StoreError, StoreRejected, StoreUnavailable
from nodetide_core.policy import NodeSelector
from nodetide_core.policy.nodes import policies_of_node
from nodetide_core.store import RollupReport, Stream
from nodetide_core.stores.influx.progress import Progress
from nodetide_core.stores.influx.reports import CollectorReport
from nodetide_operator.config import OperatorConfig
from nodetide_operator.judging import Judge
from nodetide_operator.knowledge import Knowledge, Known
from nodetide_operator.node_counts import Heard, Matches, Report, count_nodes
from nodetide_operator.outcomes import Downsampling, NodeCounts
from nodetide_operator.rollups import Rollups
from nodetide_operator.settings_map import TooLarge, same_content, settings_content, version_of

NOW = 1_800_000_000


class TestNodes:
    def count(self, **ages: tuple[int, str, int]) -> NodeCounts:
        reports = {name: Report(NOW - age, told, over) for name, (age, told, over) in ages.items()}
        return count_nodes({"a", "b", "c"}, Heard(NOW, reports), hash="new", interval=60)

    def test_each_matched_node_is_applied_or_stale(self) -> None:
        assert self.count() == NodeCounts(3, 0, 3, 0)
        found = self.count(a=(0, "new", 0), b=(0, "old", 5), c=(181, "new", 9), other=(0, "new", 7))
        assert found == NodeCounts(matched=3, applied=1, stale=2, over_budget=1)
        assert self.count(a=(180, "new", 0)).applied == 1

    def test_while_nobody_can_be_asked_nobody_falls_silent(self) -> None:
        heard = Heard(NOW, {"a": Report(NOW, "new", 0)})
        assert count_nodes({"a"}, heard, hash="new", interval=1).applied == 1

    @given(
        st.lists(st.sampled_from([{}, {"pool": "x"}, {"pool": "y", "zone": "1"}]), max_size=5),
        st.dictionaries(st.sampled_from("abc"), st.fixed_dictionaries({}, optional={"pool": st.sampled_from("xy")})),
    )
    def test_selectors_match_as_they_do_alone(self, selectors: Any, nodes: Any) -> None:
        matches = Matches(nodes)
        for labels in selectors * 2:
            selector = NodeSelector(labels)
            assert matches.of(selector) == {name for name, found in nodes.items() if selector.matches(found)}
        shared = {id(matches.of(NodeSelector(dict(labels)))) for labels in [{"pool": "x"}] * 3}
        assert len(shared) == 1, "a thousand policies would each hold a set of thousands of names"


class TestKnowledge:
    def test_only_what_changes_a_status_is_a_change(self) -> None:
        times = []
        knowledge = Knowledge(lambda: times.append(1))
        for changes, known in (
            (1, Known({"b": Downsampling({"5m": 1})}, {"b": Heard(1, {"n": Report(1, "x", 0)})})),
            (0, Known({"b": Downsampling({"5m": 1})}, {"b": Heard(9, {"n": Report(9, "x", 0)})})),
            (1, Known({"b": Downsampling({"5m": 1})}, {"b": Heard(9, {"n": Report(9, "y", 0)})})),
            (1, Known({"b": Downsampling({"5m": 2})}, {"b": Heard(9, {"n": Report(9, "y", 0)})})),
        ):
            times.clear()
            knowledge.put(known)
            assert (len(times), knowledge.get()) == (changes, known)
            assert knowledge.get().reports["b"].at == known.reports["b"].at


class FakeStore:
    """A `RollupStore` whose windows are made one a turn, unless a stream fails."""

    def __init__(self, **behind: int) -> None:
        self.streams = {name: Stream(name, name) for name in behind}
        self.behind = dict(behind)
        self.failing: dict[str, StoreError] = {}
        self.silent: dict[str, StoreError] = {}
        self.asked: list[str] = []

    def rollup(self, now: int) -> RollupReport:
        windows = 0
        for name in self.behind:
            if name not in self.failing and self.behind[name]:
                self.behind[name] -= 1
                windows += 1
        if self.failing:
            raise next(iter(self.failing.values()))
        return RollupReport(windows=windows, remaining=sum(self.behind.values()))

    def progress(self) -> Mapping[Stream, Progress]:
        errors = {name: str(self.failing.get(name, "")) for name in self.streams}
        return {stream: Progress({"5m": self.behind[name]}, errors[name]) for name, stream in self.streams.items()}

    def reports(self, stream: Stream, since: int) -> Mapping[str, CollectorReport]:
        self.asked.append(stream.bucket)
        if stream.bucket in self.silent:
            raise self.silent[stream.bucket]
        return {"n": CollectorReport(NOW, "hash", 0)}


class TestRollups:
    def made(self, store: FakeStore) -> tuple[Rollups, Knowledge]:
        knowledge = Knowledge()
        return Rollups(store, knowledge, clock=lambda: NOW), knowledge

    def test_it_goes_on_at_once_while_there_is_more_and_it_moves(self) -> None:
        rollups, knowledge = self.made(FakeStore(a=3))
        assert [rollups.turn() for _ in range(4)] == [True, True, False, False]
        assert rollups.windows == 3
        assert knowledge.get().downsampling["a"].behind == {"5m": 0}
        assert knowledge.get().reports["a"] == Heard(NOW, {"n": Report(NOW, "hash", 0)})

    def test_a_stream_that_fails_neither_keeps_the_others_waiting_nor_is_asked_all_the_time(self) -> None:
        store = FakeStore(a=5, b=3)
        store.failing = {"a": StoreUnavailable("too slow")}
        rollups, knowledge = self.made(store)
        assert [rollups.turn() for _ in range(4)] == [True, True, False, False]
        assert rollups.failure == "too slow"
        assert knowledge.get().downsampling["a"].error == "too slow"
        assert knowledge.get().downsampling["b"].error == ""
        store.failing = {}
        assert rollups.turn()
        assert rollups.failure == ""

    def test_what_does_not_move_waits_for_the_next_look(self) -> None:
        class Stuck(FakeStore):
            def rollup(self, now: int) -> RollupReport:
                return RollupReport(remaining=4)

        rollups, _ = self.made(Stuck(a=4))
        assert [rollups.turn() for _ in range(3)] == [True, False, False]

    def test_where_reports_cannot_be_read_the_last_ones_stay_and_nobody_else_waits(self) -> None:
        store = FakeStore(a=0, b=0, c=0)
        rollups, knowledge = self.made(store)
        rollups.turn()
        before = knowledge.get().reports
        store.silent = {"b": StoreUnavailable("away")}
        store.asked.clear()
        rollups.turn()
        assert store.asked == ["a", "b"]
        assert knowledge.get().reports == before
        store.silent = {"b": StoreRejected("no")}
        store.asked.clear()
        rollups.turn()
        assert store.asked == ["a", "b", "c"]

    def test_that_it_is_given_up_is_no_news(self, caplog: pytest.LogCaptureFixture) -> None:
        store = FakeStore(a=1)
        rollups, knowledge = self.made(store)
        store.failing = {"a": StoreUnavailable("the connection was ended")}
        rollups.end()
        assert rollups.turn() is False
        assert (rollups.failure, knowledge.get(), caplog.text) == ("", Known(), "")


class TestSettingsMap:
    def policies(self, config: OperatorConfig, bodies: Any, **specs: Any) -> list[Any]:
        objects = [bodies.object(name, spec) for name, spec in specs.items()]
        return [(item.policy, item.object.spec) for item in Judge(config).judge(objects).values()]

    def document(self, content: Mapping[str, Any]) -> Any:
        if "data" in content:
            return json.loads(content["data"]["settings.json"])
        return json.loads(gzip.decompress(base64.b64decode(content["binaryData"]["settings.json.gz"])))

    def nodes(self, count: int, value: Any = lambda number: "x") -> dict[str, dict[str, str]]:
        return {f"node-{number:05}.example.internal": {"pool": value(number)} for number in range(count)}

    def test_five_thousand_nodes_are_no_trouble(self, config: OperatorConfig, bodies: Any) -> None:
        policies = self.policies(config, bodies, every={}, some={"nodeSelector": {"matchLabels": {"pool": "x"}}})
        nodes = self.nodes(5_000, lambda number: "xy"[number % 2])
        content = settings_content(policies, nodes)
        assert content.keys() == {"data"}
        assert len(content["data"]["settings.json"]) < 200_000
        for number in (0, 1):
            found = policies_of_node(self.document(content), f"node-{number:05}.example.internal")
            assert [policy.name for policy in found] == [["every", "some"], ["every"]][number]

    def test_the_large_are_compressed_and_the_too_large_are_told(self, config: OperatorConfig, bodies: Any) -> None:
        policies = self.policies(config, bodies, a={"collection": {"nodeLabels": ["pool"]}})
        plain = settings_content(policies, self.nodes(5_000, str))
        packed = settings_content(policies, self.nodes(9_000, str))
        assert (plain.keys(), packed.keys()) == ({"data"}, {"binaryData"})
        assert sum(map(len, packed["binaryData"].values())) < 1_000_000
        (binary,) = (base64.b64decode(value) for value in packed["binaryData"].values())
        assert binary[4:8] == bytes(4), "gzip writes the time where it is let"
        node = "node-08999.example.internal"
        (policy,) = policies_of_node(self.document(packed), node)
        assert policy.collection.labels == {"pool": "8999"}
        noise = random.Random(1)
        with pytest.raises(TooLarge, match="copy fewer node labels"):
            settings_content(policies, self.nodes(30_000, lambda _: noise.randbytes(30).hex()))

    @given(st.randoms(use_true_random=False))
    def test_the_same_world_gives_the_same_content(self, config: OperatorConfig, bodies: Any, shuffle: Any) -> None:
        collections = [("interval", "5s"), ("labels", {"x": "y"}), ("groups", {"cpu": {}, "mem": {}})]
        specs: dict[str, Any] = {
            "a": {"collection": dict(collections)},
            "b": {"nodeSelector": {"matchLabels": {"pool": "1"}}, "collection": {"nodeLabels": ["pool"]}},
        }
        nodes = list(self.nodes(20, lambda number: str(number % 3)).items())
        wanted = settings_content(self.policies(config, bodies, **specs), dict(nodes))
        shuffle.shuffle(collections)
        specs["a"] = {"collection": dict(collections)}
        mixed = list(specs.items())
        shuffle.shuffle(mixed)
        shuffle.shuffle(nodes)
        found = settings_content(self.policies(config, bodies, **dict(mixed)), dict(nodes))
        assert found == wanted
        assert version_of(found) == version_of(wanted)

    def test_content_is_the_same_only_where_nothing_else_is_there(self) -> None:
        wanted = {"data": {"settings.json": "{}"}}
        for found, same in (
            (None, False), ({}, False), (wanted, True), ({**wanted, "binaryData": None}, True),
            ({**wanted, "binaryData": {"settings.json.gz": "x"}}, False), ({"data": {"settings.json": "{} "}}, False),
            ({"data": {**wanted["data"], "more": ""}}, False), ({**wanted, "metadata": {"labels": {"x": "y"}}}, True),
        ):  # fmt: skip
            assert same_content(found, wanted) == same
