"""The evaluator: when, in what order, and what survives what."""

from __future__ import annotations

import math

import pytest

from nodetide_core.alerts.model import AlertKey, Phase, Reading
from nodetide_core.alerts.rules import AlertName
from nodetide_core.errors import StoreRejected, StoreUnavailable
from nodetide_core.points import make_tags

CPU = "cpu.usage_active"
NAME = AlertName("p", "HighCPU")


def test_from_crossing_to_recovery(bench, policy, cpu):
    rules = policy(cpu(**{"for": "60s", "keepFiringFor": "30s"}))
    told = []
    for at in range(0, 300, 1):
        bench.store.values[CPU] = {"a": 97 if 25 <= at < 150 else 50, "b": 20}
        report = bench.turn(at, rules)
        told += [(at, *change) for change in bench.phases(report)]
    # Each a second after its time, so that the newest points are there.
    assert told == [
        (31, "critical", "a", "pending", 30),
        (91, "critical", "a", "firing", 90),
        (181, "critical", "a", "inactive", 180),
    ]


def test_a_transition_is_saved_before_it_is_told(bench, policy, cpu):
    bench.store.values[CPU] = {"a": 97}
    report = bench.turn(31, policy(cpu()))
    (change,) = report.transitions
    assert bench.store.records["p"][change.key].state == change.after
    assert change.after.phase is Phase.FIRING


def test_what_is_idle_costs_no_memory(bench, policy, cpu):
    bench.store.values[CPU] = {f"host-{number}": number / 10 for number in range(500)}
    report = bench.turn(31, policy(cpu()))
    assert (report.transitions, bench.active(report), bench.store.saved) == ((), [], [])
    assert report.health[NAME].evaluated == bench.epoch + 30


def test_that_alerts_are_evaluated_is_noted_at_once_and_every_ten_minutes(bench, policy, cpu):
    rules = policy(cpu(), cpu(name="Other"))
    others = [policy(cpu(), name="theirs", suspend=True), policy(name="none", notify=[])]
    bench.turn(10, rules, *others)
    assert bench.store.noted == [("p", bench.epoch + 10)]
    for at in range(31, 3_700, 30):
        bench.turn(at, rules, *others)
    assert [bucket for bucket, _ in bench.store.noted] == ["p"] * (1 + 3_700 // 600)
    assert bench.store.saved == []
    # Who goes on after a restart, or when the clock was set back, says so, too.
    count = len(bench.store.noted)
    bench.restart()
    bench.turn(3_700, rules)
    bench.turn(100, rules)
    assert [at for _, at in bench.store.noted[count:]] == [bench.epoch + 3_700, bench.epoch + 100]


def test_it_is_not_noted_where_nothing_can_be_evaluated(bench, policy, cpu):
    rules = policy(cpu())
    bench.store.refused[""] = StoreUnavailable("away")
    bench.turn(31, rules)
    assert bench.store.noted == []
    bench.store.refused.clear()
    bench.store.values[CPU] = {"a": 97}
    bench.turn(61, rules)
    assert len(bench.store.saved) == 1 and bench.store.noted == [], "a record says so, too"
    bench.store.values[CPU] = {}
    bench.turn(91, rules)
    assert bench.store.noted == []


def test_where_it_cannot_be_noted_an_alert_could_not_be_either_and_is_said_to_be_broken(bench, policy, cpu):
    rules = policy(cpu())
    bench.store.unsaved = StoreRejected("read only")
    assert "states cannot be saved: read only" in bench.turn(31, rules).health[NAME].error
    bench.store.unsaved = None
    health = bench.turn(61, rules).health[NAME]
    assert (health.error, health.evaluated) == ("", bench.epoch + 60)


def test_for_and_keep_firing_for_end_between_evaluations(bench, policy, cpu):
    rules = policy(cpu(**{"for": "45s", "keepFiringFor": "10s"}))
    bench.store.values[CPU] = {"a": 97}
    bench.turn(31, rules)
    assert bench.evaluator.next_due(bench.epoch + 31) == bench.epoch + 61
    bench.turn(61, rules)
    assert bench.evaluator.next_due(bench.epoch + 61) == bench.epoch + 76
    bench.store.values[CPU]["b"] = 99
    assert bench.phases(bench.turn(75, rules)) == []
    # Only whom it is due to: the other is looked at when all are.
    assert bench.phases(bench.turn(76, rules)) == [("critical", "a", "firing", 75)]
    assert bench.store.queries[-1].stop == bench.epoch + 75
    bench.store.values[CPU] = {"a": 10}
    bench.turn(91, rules)
    assert bench.evaluator.next_due(bench.epoch + 91) == bench.epoch + 101
    assert bench.phases(bench.turn(101, rules)) == [("critical", "a", "inactive", 100)]
    assert bench.evaluator.next_due(bench.epoch + 101) == bench.epoch + 121


def test_only_the_newest_of_missed_evaluations_is_made(bench, policy, cpu):
    rules = policy(cpu())
    bench.turn(31, rules)
    bench.turn(31 + 3_600, rules)
    assert [query.stop - bench.epoch for query in bench.store.queries] == [30, 3_630]


def test_severities_are_machines_of_their_own(bench, policy, cpu):
    rules = policy(cpu(critical={"above": 95, "recover": 85}, warning={"above": 85}))
    told = []
    for at, value in ((30, 90), (60, 97), (90, 90), (120, 85), (150, 84), (180, 90)):
        bench.store.values[CPU] = {"a": value}
        told += bench.phases(bench.turn(at + 1, rules))
    assert told == [
        ("warning", "a", "firing", 30),
        ("critical", "a", "firing", 60),
        ("warning", "a", "inactive", 120),
        ("critical", "a", "inactive", 150),
        ("warning", "a", "firing", 180),
    ]


def test_an_alert_that_fails_leaves_its_siblings_working(bench, policy, cpu):
    broken = cpu(name="Broken", metric="mem.used_percent")
    rules = policy(cpu(), broken, {"name": "Query", "type": "flux", "flux": "oh no", "critical": {"above": 1}})
    bench.store.values[CPU] = bench.store.values["mem.used_percent"] = {"a": 97}
    bench.turn(31, rules)
    bench.store.refused = {
        "mem.used_percent": StoreUnavailable("the store is away"),
        "oh no": StoreRejected("line 1: no such thing"),
    }
    bench.store.values[CPU] = {"a": 50}
    report = bench.turn(61, rules)
    assert [change.key.alert for change in report.transitions] == ["HighCPU"]
    health = report.health
    assert health[NAME].error == ""
    assert health[AlertName("p", "Query")].error == "alert Query in bucket p: line 1: no such thing"
    away = health[AlertName("p", "Broken")]
    assert away.error == "alert Broken of mem.used_percent in bucket p: the store is away"
    assert (away.firing, away.evaluated) == (1, bench.epoch + 30)
    # Tried again soon, and not sooner.
    asked = len(bench.store.queries)
    bench.turn(65, rules)
    assert len(bench.store.queries) == asked
    bench.store.refused = {}
    assert bench.turn(66, rules).health[AlertName("p", "Broken")].error == ""


def test_an_error_of_ours_is_told_like_any_other(bench, policy, cpu):
    bench.store.refused = {CPU: ZeroDivisionError("oops")}
    health = bench.turn(31, policy(cpu())).health[NAME]
    assert health.error == "alert HighCPU of cpu.usage_active in bucket p: ZeroDivisionError: oops"


def test_of_alerts_that_ask_together_only_what_is_refused_fails(bench, policy, cpu):
    rules = policy(cpu(), cpu(name="Idle", metric="cpu.usage_idle"))
    bench.turn(31, rules)
    assert [query.fields for query in bench.store.queries] == [("usage_active", "usage_idle")]
    bench.store.refused = {"cpu.usage_idle": StoreRejected("no")}
    health = bench.turn(61, rules).health
    assert health[NAME].error == ""
    assert "no" in health[AlertName("p", "Idle")].error


def test_a_store_that_is_away_ends_nothing(bench, policy, cpu):
    rules = policy(cpu())
    bench.store.values[CPU] = {"a": 97}
    bench.turn(31, rules)
    bench.store.refused = {"": StoreUnavailable("away")}
    for at in range(32, 4_000, 5):
        assert bench.turn(at, rules).transitions == ()
    # Back, but the collector's backlog is not: still no recovery, for as long as a series may be without data.
    bench.store.refused, bench.store.values[CPU] = {}, {}
    told = [change for at in range(4_021, 5_000, 30) for change in bench.turn(at, rules).transitions]
    assert [(change.reason, change.at - bench.epoch) for change in told] == [("no data", 4_020 + 300)]


def test_a_state_that_cannot_be_saved_is_not_told_and_not_lost(bench, policy, cpu):
    rules = policy(cpu())
    bench.store.values[CPU] = {"a": 97}
    bench.store.unsaved = StoreUnavailable("disk full")
    report = bench.turn(31, rules)
    assert (report.transitions, bench.active(report)) == ((), [])
    assert report.health[NAME].error == (
        "alert HighCPU of cpu.usage_active in bucket p: states cannot be saved: disk full"
    )
    bench.store.unsaved = None
    assert bench.turn(33, rules).transitions == ()
    report = bench.turn(36, rules)
    assert bench.phases(report) == [("critical", "a", "firing", 30)]
    assert report.health[NAME].error == ""


def test_nothing_is_evaluated_before_the_past_is_known(bench, policy, cpu):
    rules = policy(cpu())
    bench.store.values[CPU] = {"a": 97}
    bench.turn(31, rules)
    bench.restart()
    bench.store.unread = StoreUnavailable("away")
    bench.store.values[CPU] = {"a": 5}
    report = bench.turn(61, rules)
    assert report.transitions == ()
    assert "what is remembered of alerts cannot be read: away" in report.health[NAME].error
    bench.store.unread = None
    assert bench.phases(bench.turn(66, rules)) == [("critical", "a", "inactive", 60)]


def test_a_restart_neither_repeats_nor_forgets(bench, policy, cpu):
    rules = policy(cpu(**{"for": "60s"}))
    bench.store.values[CPU] = {"a": 97}
    told = []
    for at in range(31, 200, 10):
        bench.restart()
        told += bench.phases(bench.turn(at, rules))
    assert told == [("critical", "a", "pending", 30), ("critical", "a", "firing", 90)]


def test_a_node_that_is_gone_ends_at_once_and_does_not_begin_again(bench, policy, cpu):
    rules = policy(cpu())
    bench.store.values[CPU] = {"a": 97, "b": 97}
    bench.turn(31, rules, hosts={"p": {"a", "b"}})
    report = bench.turn(40, rules, hosts={"p": {"a"}})
    (change,) = report.transitions
    assert (change.reason, dict(change.key.tags), change.at) == ("node is gone", {"host": "b"}, bench.epoch + 40)
    assert [alert.ends_at for alert in bench.active(report)] == [None, bench.epoch + 40]
    assert bench.turn(61, rules, hosts={"p": {"a"}}).transitions == ()
    assert bench.phases(bench.turn(91, rules)) == [("critical", "b", "firing", 90)]


def test_suspended_removed_and_taken_away_end(bench, policy, cpu):
    bench.store.values[CPU] = {"a": 97}
    both = {"critical": {"above": 95}, "warning": {"above": 90}}

    def reasons(at, *policies):
        told = bench.turn(at, *policies).transitions
        return [(change.key.severity, change.reason) for change in told if change.after.phase is Phase.INACTIVE]

    bench.turn(31, policy(cpu(**both)))
    assert reasons(40, policy(cpu())) == [("warning", "alert removed")]
    assert reasons(41, policy(cpu(), suspend=True)) == [("critical", "suspended")]
    bench.turn(61, policy(cpu()))
    assert reasons(62, policy(cpu(name="Other"))) == [("critical", "alert removed")]
    bench.turn(91, policy(cpu()))
    assert reasons(92, policy(cpu(), alertEngine="influxdb")) == [("critical", "alert removed")]
    bench.turn(121, policy(cpu()))
    assert reasons(122) == [("critical", "alert removed")]
    # The end is told for a while, then nothing is kept of the policy.
    assert len(bench.active(bench.turn(1_000))) == 1
    assert bench.active(bench.turn(1_100)) == []
    assert bench.store.records["p"] == {}
    assert bench.evaluator.next_due(bench.epoch + 1_100) == math.inf


def test_a_stream_that_went_with_its_policy_is_let_go(bench, policy, cpu):
    bench.store.values[CPU] = {"a": 97}
    bench.turn(31, policy(cpu()))
    bench.store.unsaved = StoreRejected("no such bucket")
    (change,) = bench.turn(40).transitions
    assert change.reason == "alert removed"
    assert bench.active(bench.turn(2_000)) == []


def test_an_end_is_told_for_a_while_even_after_a_restart(bench, policy, cpu):
    rules = policy(cpu(**{"for": "30s"}))
    bench.store.values[CPU] = {"a": 97}
    bench.turn(31, rules)
    (firing,) = bench.active(bench.turn(61, rules))
    assert (firing.starts_at, firing.ends_at, firing.value) == (bench.epoch + 60, None, 97)
    bench.store.values[CPU] = {"a": 3}
    bench.turn(91, rules)
    bench.restart()
    (ended,) = bench.active(bench.turn(121, rules))
    assert (ended.id, ended.starts_at, ended.ends_at) == (firing.id, bench.epoch + 60, bench.epoch + 90)
    # Reached again meanwhile, it is pending, and the end before it still stands.
    bench.store.values[CPU] = {"a": 99}
    (still,) = bench.active(bench.turn(151, rules))
    assert (still.starts_at, still.ends_at) == (bench.epoch + 60, bench.epoch + 90)
    (again,) = bench.active(bench.turn(181, rules))
    assert (again.starts_at, again.ends_at) == (bench.epoch + 180, None)
    bench.store.values[CPU] = {"a": 3}
    bench.turn(211, rules)
    assert len(bench.active(bench.turn(211 + 890, rules))) == 1
    assert bench.active(bench.turn(211 + 900, rules)) == []
    assert bench.store.records["p"] == {}


def test_records_are_saved_again_before_retention_forgets_them(bench, policy, cpu):
    rules = policy(cpu())
    for at in range(31, 3_700, 30):
        bench.store.values[CPU] = {"a": 97 + at / 10_000}
        bench.turn(at, rules)
    assert len(bench.store.saved) == 1 + 3_600 // 600
    ((record,),) = [saved.values() for saved in bench.store.saved[-1:]]
    assert record.state.value == pytest.approx(97.3601)


def test_a_silence_begins_ends_and_matches_labels(bench, policy, cpu):
    until = "2024-10-04T00:01:00Z"
    assert bench.epoch == 20_000 * 86_400  # 2024-10-04T00:00:00Z
    silence = {"match": {"alertname": "HighCPU", "host": "a", "team": "x"}, "until": until}
    alert = cpu(labels={"team": "x"})
    bench.store.values[CPU] = {"a": 97, "b": 97}
    report = bench.turn(31, policy(alert))
    assert [active.silenced for active in bench.active(report)] == [False, False]
    report = bench.turn(32, policy(alert, silences=[silence]))
    assert [(active.labels["host"], active.silenced) for active in bench.active(report)] == [("a", True), ("b", False)]
    assert {key.tags[0][1]: record.silenced for key, record in bench.store.records["p"].items()} == {
        "a": True,
        "b": False,
    }
    assert [series.silenced for series in report.health[NAME].series] == [True, False]
    report = bench.turn(60, policy(alert, silences=[silence]))
    assert [active.silenced for active in bench.active(report)] == [False, False]


def test_health_names_the_longest_firing(bench, policy, cpu):
    bench.store.values[CPU] = {"z": 99}
    rules = policy(cpu(warning={"above": 98}, info={"above": 200}))
    bench.turn(31, rules)
    bench.store.values[CPU] |= {f"host-{number:02}": 96 for number in range(30)}
    health = bench.turn(61, rules).health[NAME]
    assert (health.firing, health.pending, len(health.series)) == (32, 0, 20)
    assert [(series.severity, series.tags[0][1]) for series in health.series[:3]] == [
        ("critical", "z"),
        ("warning", "z"),
        ("critical", "host-00"),
    ]


def test_groups_are_told_apart_by_their_tags(bench, policy, cpu):
    rules = policy(cpu(groupBy=["host"], metric="disk.used_percent", warning={"below": 10}))
    bench.store.values["disk.used_percent"] = {
        make_tags({"host": "a", "path": "/"}): 50,
        make_tags({"host": "a", "path": "/data"}): 97,
        make_tags({"host": "b", "path": "/"}): 5,
        make_tags({"host": "b", "path": "/data"}): 60,
        make_tags({"host": "c", "path": "/"}): 40,
    }
    report = bench.turn(31, rules)
    assert bench.phases(report) == [("critical", "a", "firing", 30), ("warning", "b", "firing", 30)]
    assert [change.after.value for change in report.transitions] == [97, 5]


def test_a_host_is_silent_when_nothing_of_it_speaks(bench, policy):
    dead = {"name": "Silent", "type": "deadman", "metric": "cpu", "every": "30s", "window": "1m"}
    total, one = make_tags({"host": "a", "cpu": "cpu-total"}), make_tags({"host": "a", "cpu": "cpu0"})
    bench.store.seen["cpu"] = {total: bench.epoch, one: bench.epoch + 10}
    assert bench.turn(61, policy(dead)).transitions == ()
    (change,) = bench.turn(91, policy(dead)).transitions
    assert (change.key, change.after.value) == (AlertKey("p", "Silent", "critical", make_tags({"host": "a"})), 80)
    finer = bench.turn(92, policy({**dead, "name": "Finer", "groupBy": ["cpu"]}))
    assert sorted(dict(c.key.tags)["cpu"] for c in finer.transitions if c.key.alert == "Finer") == ["cpu-total", "cpu0"]
    only = bench.turn(93, policy({**dead, "name": "Only", "filter": {"cpu": "cpu-total"}}))
    assert [c.after.value for c in only.transitions if c.key.alert == "Only"] == [90]
    # After a day it is no longer expected.
    told = [change for at in range(86_401, 87_000, 30) for change in bench.turn(at, policy(dead)).transitions]
    ended = [change for change in told if change.key.alert == "Silent" and change.after.phase is Phase.INACTIVE]
    assert [(change.reason, change.at - bench.epoch) for change in ended] == [("no data", 86_700)]


def test_flux_gives_readings(bench, policy):
    alert = {"name": "Query", "type": "flux", "flux": "q", "every": "30s", "critical": {"above": 1}}
    rows = [({"host": "a\n"}, 2.0), ({"host": "a\n"}, 3.0), ({"host": "b"}, math.nan), ({"host": "c"}, math.inf)]
    bench.store.rows = [Reading(tuple(tags.items()), value) for tags, value in rows]
    report = bench.turn(31, policy(alert))
    assert [(change.key.tags, change.after.value) for change in report.transitions] == [((("host", "a_"),), 3.0)]


def test_what_another_engine_evaluates_is_left_alone(bench, policy, cpu):
    report = bench.turn(31, policy(cpu(), alertEngine="influxdb"))
    assert (report.health, bench.store.queries) == ({}, [])


def test_a_clock_that_was_set_back_stops_nothing(bench, policy, cpu):
    rules = policy(cpu())
    bench.turn(7_231, rules)
    bench.turn(31, rules)
    assert [query.stop - bench.epoch for query in bench.store.queries] == [7_230, 30]


def test_buckets_are_asked_side_by_side_and_fail_apart(bench, policy, cpu):
    names = [f"p{number}" for number in range(9)]
    rules = [policy(cpu(), name=name) for name in names]
    bench.store.values[CPU] = {"a": 97}

    def refuse(query):
        if query.bucket == "p4":
            raise StoreUnavailable("away")

    bench.store.on_read = refuse
    report = bench.turn(31, *rules)
    assert sorted(change.key.bucket for change in report.transitions) == [name for name in names if name != "p4"]
    assert [name.bucket for name, health in report.health.items() if health.error] == ["p4"]


def test_a_store_that_does_not_answer_is_not_asked_for_everything(bench, policy, cpu):
    rules = [policy(cpu(), cpu(name="Load", metric="system.load1"), name=f"p{number}") for number in range(9)]
    bench.store.unread = StoreUnavailable("timed out")
    calls = []
    remembered = bench.store.remembered
    bench.store.remembered = lambda bucket: calls.append(bucket) or remembered(bucket)
    report = bench.turn(31, *rules)
    assert calls == ["p0"]
    assert len(report.health) == 18
    assert all("timed out" in health.error for health in report.health.values())
    bench.store.unread, bench.store.refused = None, {"": StoreUnavailable("timed out")}
    report = bench.turn(36, *rules)
    assert len(bench.store.queries) < 9
    assert all("timed out" in health.error for health in report.health.values())
    bench.store.refused = {}
    assert not any(health.error for health in bench.turn(41, *rules).health.values())


def test_what_could_not_be_saved_is_no_longer_told_once_it_can(bench, policy, cpu):
    rules = policy(cpu(), cpu(name="Rare", every="1h"))
    bench.store.values[CPU] = {"a": 50}
    bench.turn(31, rules)
    bench.store.values[CPU] = {"a": 97}
    bench.store.unsaved = StoreUnavailable("disk full")
    assert all("disk full" in health.error for health in bench.turn(61, rules).health.values())
    bench.store.unsaved = None
    assert not any(health.error for health in bench.turn(66, rules).health.values())


def test_in_between_only_those_are_looked_at_whose_step_is_due(bench, policy, cpu):
    rules = policy(cpu(**{"for": "45s"}))
    bench.store.values[CPU] = {"a": 97}
    bench.turn(31, rules)
    bench.store.values[CPU] = {"a": 97, "b": 97}
    bench.turn(61, rules)
    bench.store.values[CPU] = {"a": 97, "b": 5}
    assert bench.phases(bench.turn(76, rules)) == [("critical", "a", "firing", 75)]
    bench.store.values[CPU] = {"a": 97, "b": 97}
    bench.turn(91, rules)
    assert bench.phases(bench.turn(106, rules)) == [("critical", "b", "firing", 105)]


def test_failures_here_and_there_stop_no_others(bench, policy, cpu):
    rules = [policy(cpu(), cpu(name="Slow", metric="mem.used"), name=f"p{number}") for number in range(9)]
    bench.store.refused = {"mem.used": StoreUnavailable("timed out")}
    health = bench.turn(31, *rules).health
    assert {name.alert for name, found in health.items() if found.error} == {"Slow"}
    assert len([name for name, found in health.items() if not found.error]) == 9


def test_an_end_is_not_told_for_as_long_as_what_follows_is_pending(bench, policy, cpu):
    rules = policy(cpu(**{"for": "20m"}))
    told = {}
    for at in range(30, 2_400, 30):
        bench.store.values[CPU] = {"a": 5 if at == 1_260 else 97}
        told[at] = bench.active(bench.turn(at + 1, rules))
    assert told[1_230][0].ends_at is None
    assert told[1_260][0].ends_at == bench.epoch + 1_260
    assert len(told[2_130]) == 1
    assert told[2_160] == []
    (record,) = bench.store.records["p"].values()
    assert record.state.phase is Phase.PENDING
