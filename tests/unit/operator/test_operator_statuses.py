"""Statuses: as the CRD allows, the same as long as nothing has changed, and only then."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.policy.validate import check
from nodetide_operator.alert_news import AlertNews, AlertsNews
from nodetide_operator.config import OperatorConfig
from nodetide_operator.crd.status import status_schema
from nodetide_operator.judging import Judge, Judged
from nodetide_operator.outcomes import Downsampling, NodeCounts, Outcome, SeenPart
from nodetide_operator.statuses import Notice, notices, status_of

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
SCHEMA = status_schema()
Status = dict[str, Any]

counts = st.integers(0, 10**6)
texts = st.sampled_from(["", "InfluxDB does not answer", "x" * 5_000, "é\n"])
LOSES = Outcome(refused="5m: 1d instead of 7d would lose data", loses=True)
AWAY = Outcome(unreachable="away")
outcomes = st.one_of(
    st.none(), st.just(LOSES), st.builds(Outcome, unreachable=texts, refused=texts), st.just(Outcome())
)
behind = st.fixed_dictionaries({tier: st.one_of(st.just(0), counts) for tier in ("5m", "1h", "1d")})
downsamplings = st.one_of(
    st.none(),
    st.builds(Downsampling, behind, st.just({"5m": 300, "1h": 3_600, "1d": 86_400}), texts),
    st.just(Downsampling()),
)
alerts = st.one_of(
    st.none(),
    st.builds(
        AlertsNews,
        st.lists(
            st.builds(
                AlertNews, st.just("A"), counts, counts, st.sampled_from(["", "info"]), st.just(()), texts,
                st.booleans(),
            ),
            max_size=1,
        ).map(tuple),
        texts, st.dictionaries(st.sampled_from(["team", "x"]), texts), st.booleans(),
    ),
)  # fmt: skip
nodes = st.one_of(st.none(), st.builds(NodeCounts, counts, counts, counts, counts))
shared = st.sampled_from(["", "tokens: refused"])


def judged(config: OperatorConfig, bodies: Any) -> dict[str, Judged]:
    """One of each kind."""
    objects = [
        bodies.object("good", {"storage": {"bucket": "x"}}),
        bodies.object("taken", {"storage": {"bucket": "x"}}, creationTimestamp="2026-02-01T00:00:00Z"),
        bodies.object("invalid", {"collection": {"interval": "soon"}}),
        bodies.object("alerting", {"alerts": [{"name": "A", "type": "deadman", "metric": "cpu.usage_active"}]}),
        bodies.object("flat", {"storage": {"tiers": [{"name": "raw", "retention": "2h"}]}}, generation=7),
    ]
    return {key[1]: item for key, item in Judge(config).judge(objects).items()}


KINDS = st.sampled_from(["good", "taken", "invalid", "alerting", "flat"])


def parts_of(item: Judged, *, whole: bool) -> tuple[SeenPart, ...]:
    return tuple(
        SeenPart(
            f"tier{part.window}", part.bucket.name, part.bucket.name * whole, part.bucket.retention,
            "" if part.task is None else part.task.name, "" if part.task is None or not whole else "1",
        )
        for part in item.parts
    )  # fmt: skip


@st.composite
def situations(draw: st.DrawFn) -> tuple[str, Any]:
    """All that a status is made of, but for the object."""
    kind = draw(KINDS)
    whole = draw(st.sampled_from([None, True, False]))
    outcome = draw(outcomes)
    told = draw(downsamplings), draw(nodes), draw(shared), draw(alerts)

    def render(items: dict[str, Judged], before: Status, now: str) -> Status:
        item = items[kind]
        item = replace(item, object=replace(item.object, status=before))
        seen = outcome
        if seen is not None and whole is not None:
            seen = replace(seen, parts=parts_of(item, whole=whole))
        if not item.good:
            seen = None
        return status_of(item, seen, told[0], told[1], told[3], shared=told[2], now=now)

    return kind, render


@given(situations())
def test_it_is_as_the_crd_allows(config: OperatorConfig, bodies: Any, situation: Any) -> None:
    """Unknown fields are problems, too: the apiserver would prune them, and the status be written for ever."""
    status = situation[1](judged(config, bodies), {}, NOW)
    assert not list(check(status, SCHEMA, "status"))
    for name, key in (("conditions", "type"), ("buckets", "name"), ("tasks", "name")):
        keys = [item[key] for item in status.get(name, ())]
        assert len(set(keys)) == len(keys), "the list is a map"
    for condition in status["conditions"]:
        assert re.fullmatch("^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$", condition["reason"])


@given(situations())
def test_computed_again_it_is_the_same_whatever_the_time(config: OperatorConfig, bodies: Any, situation: Any) -> None:
    items = judged(config, bodies)
    first = situation[1](items, {}, NOW)
    read_back = json.loads(json.dumps(first))
    assert situation[1](items, read_back, LATER) == read_back


@given(situations(), situations())
def test_transition_times_move_with_statuses_alone(config: OperatorConfig, bodies: Any, one: Any, other: Any) -> None:
    items = judged(config, bodies)
    before = one[1](items, {}, NOW)
    after = other[1](items, before, LATER)
    was = {item["type"]: item["status"] for item in before["conditions"]}
    for item in after["conditions"]:
        assert item["lastTransitionTime"] == (NOW if was.get(item["type"]) == item["status"] else LATER)


@given(situations())
def test_ready_is_what_the_others_say(config: OperatorConfig, bodies: Any, situation: Any) -> None:
    status = situation[1](judged(config, bodies), {}, NOW)
    found = {item["type"]: item["status"] for item in status["conditions"]}
    bad = "False" in (found["Accepted"], found["InfluxReachable"], found["Reconciled"]) or found["Conflicted"] == "True"
    wanted = "False" if bad else "Unknown" if found["Reconciled"] == "Unknown" else "True"
    assert found["Ready"] == wanted


def reasons(status: Status) -> dict[str, str]:
    return {item["type"]: f"{item['status']} {item['reason']}" for item in status["conditions"]}


@pytest.mark.parametrize(
    ("kind", "outcome", "shared", "wanted"),
    [
        ("good", Outcome(), "", {"Ready": "True InEffect", "Reconciled": "True AsDesired"}),
        ("good", Outcome(), "tokens: no", {"Ready": "False SharedObjectsFailed", "Accepted": "True Valid"}),
        ("good", AWAY, "", {"Ready": "False InfluxUnreachable", "Reconciled": "Unknown NotAsked"}),
        ("good", Outcome(refused="taken"), "", {"Ready": "False Refused", "InfluxReachable": "True Answers"}),
        ("good", LOSES, "", {"Ready": "False DataLossNotAllowed"}),
        ("taken", None, "", {"Ready": "False BucketTaken", "Conflicted": "True BucketTaken", "Accepted": "True Valid"}),
        ("invalid", None, "", {"Ready": "False Invalid", "Accepted": "False Invalid"}),
        ("alerting", Outcome(), "", {"Ready": "True InEffect", "AlertsReady": "Unknown NotEvaluated"}),
    ],
)  # fmt: skip
def test_conditions(config: OperatorConfig, bodies: Any, kind: str, outcome: Any, shared: str, wanted: Any) -> None:
    found = reasons(status_of(judged(config, bodies)[kind], outcome, None, None, shared=shared, now=NOW))
    assert found | wanted == found


def test_messages_say_what_to_do(config: OperatorConfig, bodies: Any) -> None:
    items = judged(config, bodies)
    said = {
        kind: status_of(items[kind], outcome, None, None, now=NOW)["conditions"][0]["message"]
        for kind, outcome in (("good", LOSES), ("taken", None), ("invalid", None))
    }
    assert 'set the annotation nodetide.io/allow-data-loss: "true"' in said["good"]
    assert "The older policy nodetide/good has the bucket x; choose another spec.storage.bucket" in said["taken"]
    assert "spec.collection.interval" in said["invalid"]


@pytest.mark.parametrize(
    ("windows", "lag"),
    [(0, "0s"), (1, "5m"), (2, "10m"), (3, "20m"), (5, "40m"), (8, "40m"), (9, "1h20m"), (2016, "7d3h")],
)
def test_a_lag_is_rounded_up_so_that_it_seldom_changes(
    config: OperatorConfig, bodies: Any, windows: int, lag: str
) -> None:
    told = Downsampling({"5m": windows}, {"5m": 300})
    item = judged(config, bodies)["good"]
    status = status_of(item, Outcome(), told, None, now=NOW)
    assert status["lag"] == lag
    assert reasons(status)["DownsamplingUpToDate"] == ("False Backfilling" if windows else "True UpToDate")


def test_while_influxdb_is_away_what_was_seen_last_stays(config: OperatorConfig, bodies: Any) -> None:
    item = judged(config, bodies)["good"]
    before = status_of(item, Outcome(parts=parts_of(item, whole=True)), None, None, now=NOW)
    item = replace(item, object=replace(item.object, status=before))
    after = status_of(item, Outcome(unreachable="away"), None, None, now=LATER)
    assert (after["buckets"], after["tasks"]) == (before["buckets"], before["tasks"])


class TestNotices:
    def told(self, config: OperatorConfig, bodies: Any, *steps: tuple[Any, Any]) -> list[list[Notice]]:
        item = judged(config, bodies)["good"]
        before: Status = {}
        found = []
        for outcome, downsampling in steps:
            item = replace(item, object=replace(item.object, status=before))
            after = status_of(item, outcome, downsampling, None, now=NOW)
            found.append(notices(before, after))
            assert notices(after, after) == []
            before = after
        return found

    def test_ready_is_told_once_and_so_is_what_ends_it_and_every_other_reason(self, config: Any, bodies: Any) -> None:
        away, no = Outcome(unreachable="away"), Outcome(refused="no")
        steps = [Outcome(), Outcome(), away, replace(away, unreachable="still away"), no, Outcome()]
        found = self.told(config, bodies, *((step, None) for step in steps))
        assert [[(n.warning, n.reason) for n in notice] for notice in found] == [
            [(False, "InEffect")], [], [(True, "InfluxUnreachable")], [], [(True, "Refused")], [(False, "InEffect")]
        ]  # fmt: skip

    def test_falling_behind_is_told_as_a_warning_only_where_it_fails(self, config: Any, bodies: Any) -> None:
        fine = Downsampling({"5m": 0}, {"5m": 300})
        late, fails = replace(fine, behind={"5m": 3}), replace(fine, error="no")
        found = self.told(
            config, bodies, *((Outcome(), step) for step in (fine, late, replace(late, behind={"5m": 9}), fails, fine))
        )
        assert [[(n.warning, n.reason) for n in notice if n.reason != "InEffect"] for notice in found] == [
            [], [(False, "Backfilling")], [], [(True, "RollupFailed")], []
        ]  # fmt: skip
