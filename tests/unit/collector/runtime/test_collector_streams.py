from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from nodetide_collector.passes import Outcome
from nodetide_collector.probe import Reading, Sample
from nodetide_collector.stream import Stream
from nodetide_collector.streams import Node, Streams
from nodetide_core.points import Point, Value, make_tags


def outcome(group: str, tick: int, samples: list[Sample], at: float | None = None) -> Outcome:
    return Outcome(group, tick, float(tick) if at is None else at, 0.001, Reading(samples))


def net(*names: str, **fields: Value) -> list[Sample]:
    return [Sample("net", make_tags({"interface": name}), dict(fields or {"speed": 1})) for name in names]


def feed(stream: Stream, group: str, tick: int, samples: list[Sample]) -> list[Point]:
    stream.ask(group, tick)
    return stream.points(outcome(group, tick, samples), Counter())


@pytest.fixture
def registrations(probes: Any) -> Any:
    def util(now: Mapping[str, Value], before: Mapping[str, Value], seconds: float) -> dict[str, Value]:
        return {"io_util": (float(now["io_time"]) - float(before["io_time"])) / seconds}

    probes.constant("diskio", derive=util)
    for name in ("net", "mem", "cpu", "disk"):
        probes.constant(name)
    return probes.registrations


@pytest.fixture
def streams(registrations: Any) -> Streams:
    return Streams(Node("n1"), registrations)


class TestTags:
    def points(self, node: Node, policy: Any, registrations: Any) -> list[Point]:
        streams = Streams(node, registrations)
        streams.apply([policy])
        (stream,) = streams
        return feed(stream, "net", 1, net("eth0"))

    def test_host_cluster_labels_and_chosen_node_labels(self, make_policy: Any, registrations: Any) -> None:
        node = Node("n1", "east", {"zone": "a", "arch": "arm", "empty": ""})
        policy = make_policy(groups=["net"], labels={"team": "core"}, nodeLabels=["zone", "absent", "empty"])
        (point,) = self.points(node, policy, registrations)
        assert dict(point.tags) == {
            "host": "n1", "cluster": "east", "team": "core", "zone": "a", "interface": "eth0",
        }  # fmt: skip
        assert list(point.tags) == sorted(point.tags)

    def test_who_we_are_wins_over_a_label(self, make_policy: Any, registrations: Any) -> None:
        policy = make_policy(groups=["net"], labels={"cluster": "liar"})
        (point,) = self.points(Node("n1", "east"), policy, registrations)
        assert dict(point.tags) == {"host": "n1", "cluster": "east", "interface": "eth0"}

    def test_without_a_cluster_there_is_no_such_tag(self, make_policy: Any, registrations: Any) -> None:
        (point,) = self.points(Node("n1"), make_policy(groups=["net"]), registrations)
        assert dict(point.tags) == {"host": "n1", "interface": "eth0"}


class TestChoice:
    def names(self, node: Node, policies: list[Any]) -> list[str]:
        streams = Streams(node, {})
        streams.apply(policies)
        return [stream.policy.name for stream in streams]

    def test_the_node_selector_decides_where_labels_are_known(self, make_policy: Any) -> None:
        gpu = make_policy("gpu", spec={"nodeSelector": {"matchLabels": {"gpu": "yes"}}})
        everywhere = make_policy("all")
        assert self.names(Node("n", labels={"gpu": "yes"}), [gpu, everywhere]) == ["gpu", "all"]
        assert self.names(Node("n", labels={}), [gpu, everywhere]) == ["all"]
        assert self.names(Node("n", labels=None), [gpu, everywhere]) == ["gpu", "all"]

    def test_a_suspended_policy_samples_nothing(self, make_policy: Any) -> None:
        assert self.names(Node("n"), [make_policy("p", spec={"suspend": True})]) == []


class TestAsking:
    def test_groups_are_asked_in_their_own_intervals_and_all_at_first(self, streams: Streams, make_policy: Any) -> None:
        streams.apply([make_policy(groups={"mem": {}, "net": {"interval": "5s"}})])
        asked = {second: set(streams.ask(second, ())[0]) for second in range(101, 112)}
        assert asked[101] == {"mem", "net"}
        assert {second for second, names in asked.items() if "net" in names} == {101, 105, 110}
        assert all("mem" in names for names in asked.values())

    def test_a_missed_second_is_asked_for_late_in_its_window(self, streams: Streams, make_policy: Any) -> None:
        streams.apply([make_policy(groups={"net": {"interval": "10s"}})])
        found = [second for second in (100, 101, 109, 113, 114, 120) if streams.ask(second, ())[0]]
        assert found == [100, 113, 120]

    def test_one_pass_serves_all_streams_with_what_any_of_them_wants(self, streams: Streams, make_policy: Any) -> None:
        streams.apply(
            [
                make_policy("a", {"net": {"include": ["eth*"]}}),
                make_policy("b", {"net": {"include": ["wlan*"], "interval": "2s"}}),
            ]
        )
        a, b = streams
        odd, even = streams.ask(101, ())[0]["net"], streams.ask(102, ())[0]["net"]
        assert (odd.wants("eth0"), odd.wants("wlan0"), odd.wants("lo")) == (True, True, False), "the first: both"
        assert (even.wants("eth0"), even.wants("wlan0")) == (True, True)
        only_a = streams.ask(103, ())[0]["net"]
        assert (only_a.wants("eth0"), only_a.wants("wlan0")) == (True, False)
        assert (a.asked("net", 103), b.asked("net", 103)) == (True, False)

    def test_each_stream_takes_its_own_part(self, streams: Streams, make_policy: Any) -> None:
        streams.apply(
            [make_policy("a", {"net": {"include": ["eth*"]}}), make_policy("b", {"net": {"include": ["wlan*"]}})]
        )
        taken = [[dict(p.tags)["interface"] for p in feed(s, "net", 1, net("eth0", "wlan0", "lo"))] for s in streams]
        assert taken == [["eth0"], ["wlan0"]]

    def test_busy_groups_stay_due(self, streams: Streams, make_policy: Any) -> None:
        streams.apply([make_policy(groups={"mem": {}, "net": {"interval": "10s"}})])
        requests, refused = streams.ask(100, {"net"})
        assert (set(requests), refused) == ({"mem"}, {"net"})
        assert set(streams.ask(101, ())[0]) == {"mem", "net"}

    def test_a_new_group_is_wanted_at_once(self, streams: Streams, make_policy: Any) -> None:
        news = []
        versions: list[dict[str, Any]] = [{"mem": {}}, {"mem": {}, "net": {"interval": "1h"}}]
        for groups in versions:
            streams.apply([make_policy(groups=groups)])
            news.append(streams.is_new)
            streams.ask(5, ())
            news.append(streams.is_new)
        assert news == [True, False, True, False]


class TestDerived:
    def diskio(self, io_time: int) -> list[Sample]:
        return [Sample("diskio", make_tags({"name": "sda"}), {"io_time": io_time})]

    def test_from_the_streams_own_sample_before_and_measured_time(self, streams: Streams, make_policy: Any) -> None:
        streams.apply([make_policy("a", ["diskio"]), make_policy("b", {"diskio": {"interval": "2s"}})])
        seen: dict[str, list[float | None]] = {"a": [], "b": []}
        for tick in range(5):
            streams.ask(tick, ())
            result = outcome("diskio", tick, self.diskio(tick * tick * 10), at=tick * 2.0)
            for stream in streams:
                if stream.asked("diskio", tick):
                    (point,) = stream.points(result, Counter())
                    seen[stream.policy.name].append(point.fields.get("io_util"))  # type: ignore[arg-type]
        assert seen["a"] == [None, 5.0, 15.0, 25.0, 35.0]
        assert seen["b"] == [None, 10.0, 30.0]

    def test_a_failing_derivation_loses_the_derived_fields_alone(self, make_policy: Any, probes: Any) -> None:
        probes.constant("diskio", derive=lambda now, before, seconds: {"io_util": 1 / 0})
        streams = Streams(Node("n"), probes.registrations)
        streams.apply([make_policy(groups=["diskio"])])
        (stream,) = streams
        feed(stream, "diskio", 1, self.diskio(5))
        stream.ask("diskio", 2)
        problems: Counter[str] = Counter()
        (point,) = stream.points(outcome("diskio", 2, self.diskio(6)), problems)
        assert point.fields == {"io_time": 6}
        assert problems == {"derived fields: ZeroDivisionError": 1}

    def test_derived_fields_conform_too(self, make_policy: Any, probes: Any) -> None:
        probes.constant("diskio", derive=lambda now, before, seconds: {"io_util": float("nan"), "new": 1})
        streams = Streams(Node("n"), probes.registrations)
        streams.apply([make_policy(groups=["diskio"])])
        (stream,) = streams
        feed(stream, "diskio", 1, self.diskio(5))
        stream.ask("diskio", 2)
        problems: Counter[str] = Counter()
        assert [p.fields for p in stream.points(outcome("diskio", 2, self.diskio(6)), problems)] == [{"io_time": 6}]
        assert problems == {"value not finite": 1, "field not in the catalogue": 1}


class TestBudget:
    @pytest.fixture
    def stream(self, streams: Streams, make_policy: Any) -> Stream:
        streams.apply([make_policy(groups={"net": {"exclude": []}}, maxSeriesPerNode=10)])
        (stream,) = streams
        return stream

    def taken(self, stream: Stream, tick: int, *names: str) -> set[str]:
        return {dict(point.tags)["interface"] for point in feed(stream, "net", tick, net(*names))}

    def test_what_was_accepted_stays_whatever_comes(self, stream: Stream, caplog: pytest.LogCaptureFixture) -> None:
        first = [f"e{i}" for i in range(10)]
        late = [f"x{i}" for i in range(7)]
        assert self.taken(stream, 1, *first) == set(first)
        caplog.set_level(logging.WARNING)
        for tick in range(2, 6):
            assert self.taken(stream, tick, *late, *reversed(first)) == set(first)
        assert stream.over_budget == 7 * 4
        assert len(caplog.records) == 1
        assert "maxSeriesPerNode policy=p limit=10" in caplog.text

    def test_a_series_long_gone_gives_its_place_back(self, stream: Stream) -> None:
        first = [f"e{i}" for i in range(10)]
        self.taken(stream, 1, *first)
        self.taken(stream, 200, *first[1:], "new")
        stream.forget(250.0)
        assert "new" not in self.taken(stream, 251, *first[1:], "new")
        stream.forget(400.0)
        assert self.taken(stream, 401, *first[1:], "new") == {*first[1:], "new"}

    def test_unwanted_series_take_no_place(self, streams: Streams, make_policy: Any) -> None:
        streams.apply([make_policy(groups={"net": {"include": ["e*"]}}, maxSeriesPerNode=10)])
        (stream,) = streams
        wanted = {f"e{i}" for i in range(10)}
        assert self.taken(stream, 1, *(f"x{i}" for i in range(50)), *wanted) == wanted
        assert stream.over_budget == 0

    def test_the_budget_is_of_the_policy_not_of_a_group(self, streams: Streams, make_policy: Any) -> None:
        streams.apply([make_policy(groups=["net", "diskio"], maxSeriesPerNode=10)])
        (stream,) = streams
        disks = [Sample("diskio", make_tags({"name": f"s{i}"}), {"io_time": 1}) for i in range(8)]
        assert len(feed(stream, "diskio", 1, disks)) == 8
        assert len(self.taken(stream, 1, "eth0", "eth1", "eth2")) == 2

    def test_the_collector_itself_is_outside_the_budget(self, stream: Stream) -> None:
        self.taken(stream, 1, *(f"e{i}" for i in range(12)))
        own = [Sample("collector", make_tags({"group": str(i)}), {"success": 1}) for i in range(5)]
        assert len(stream.own(own, 1)) == 5


class TestReload:
    def test_an_unchanged_group_keeps_its_sample_and_its_place_in_time(
        self, streams: Streams, make_policy: Any
    ) -> None:
        def diskio(io_time: int) -> list[Sample]:
            return [Sample("diskio", make_tags({"name": "sda"}), {"io_time": io_time})]

        streams.apply([make_policy(groups={"diskio": {"interval": "10s"}})])
        (stream,) = streams
        feed(stream, "diskio", 100, diskio(0))
        streams.apply([make_policy(groups={"diskio": {"interval": "10s"}, "mem": {}}, labels={"team": "x"})])
        (changed,) = streams
        assert changed is not stream
        assert set(streams.ask(101, ())[0]) == {"mem"}
        (point,) = feed(changed, "diskio", 110, diskio(50))
        assert point.fields["io_util"] == 5.0
        assert dict(point.tags) == {"host": "n1", "name": "sda", "team": "x"}

    def test_a_smaller_budget_keeps_the_oldest_and_a_filter_frees_places(
        self, streams: Streams, make_policy: Any
    ) -> None:
        streams.apply([make_policy(groups=["net"], maxSeriesPerNode=20)])
        (stream,) = streams
        names = [f"e{i}" for i in range(20)]
        feed(stream, "net", 1, net(*names))
        streams.apply([make_policy(groups={"net": {"exclude": ["e3"]}}, maxSeriesPerNode=10)])
        (smaller,) = streams
        taken = [dict(p.tags)["interface"] for p in feed(smaller, "net", 2, net(*reversed(names)))]
        assert taken == [f"e{i}" for i in (10, 9, 8, 7, 6, 5, 4, 2, 1, 0)]
        assert smaller.over_budget == 9

    def test_a_policy_that_is_gone_is_no_stream_any_more(self, streams: Streams, make_policy: Any) -> None:
        streams.apply([make_policy("a"), make_policy("b")])
        streams.apply([make_policy("b")])
        assert [stream.policy.name for stream in streams] == ["b"]


def test_malformed_tags_are_left_out_and_counted(streams: Streams, make_policy: Any) -> None:
    streams.apply([make_policy(groups=["net"])])
    (stream,) = streams
    bad: Any = [Sample("net", (("interface", 7),), {"speed": 1}), Sample("net", ("odd",), {"speed": 1})]  # type: ignore[arg-type]
    stream.ask("net", 1)
    problems: Counter[str] = Counter()
    points = stream.points(outcome("net", 1, [*bad, *net("eth0")]), problems)
    assert [dict(point.tags)["interface"] for point in points] == ["eth0"]
    assert problems == {"malformed tags": 2}
