"""What receivers are told, step by step."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tests.fakes.notify_rig import Rig, policy_with

from nodetide_core.alerts.notify.message import Request
from nodetide_core.alerts.notify.model import ActiveAlert
from nodetide_core.alerts.ports import Told, ToldKey
from nodetide_core.stores.influx.http import Reply

MakeRig = Callable[..., Rig]
MakeAlert = Callable[..., ActiveAlert]
Heard = Callable[[Rig], list[str]]

T = 1_700_000_000


@pytest.fixture
def rig(make_rig: MakeRig) -> Rig:
    return make_rig("http")


def test_once_at_the_beginning_at_a_change_and_at_the_end(rig: Rig, alert: MakeAlert, heard: Heard) -> None:
    warning = alert(severity="warning")
    rig.tell(warning)
    rig.tell(warning, seconds=3600)
    rig.tell(warning, alert(severity="critical", start=T))
    rig.tell(warning, alert(severity="critical", start=T, end=T + 60))
    rig.tell(warning, alert(severity="critical", start=T, end=T + 60), seconds=3600)
    for _ in range(3):
        rig.tell(alert(severity="warning", end=T + 90), alert(severity="critical", start=T, end=T + 60))
    assert rig.receiver.health().missed == 0
    rig.tell(seconds=3600)
    assert heard(rig) == ["a warning", "a critical", "a warning", "a end"]
    assert [document["previousSeverity"] for document in rig.wire.taken] == [None, "warning", "critical", "warning"]
    assert rig.memory.told["p"] == {}, "what is over leaves nothing behind"


def test_severities_that_begin_together_are_one_message(rig: Rig, alert: MakeAlert, heard: Heard) -> None:
    rig.tell(alert(severity="info"), alert(severity="critical"), alert(severity="warning"))
    assert heard(rig) == ["a critical"]


def test_a_restart_repeats_and_forgets_nothing(rig: Rig, alert: MakeAlert, heard: Heard) -> None:
    rig.tell(alert("a"), alert("b"))
    rig.restart()
    rig.tell(alert("a"), alert("b", end=T))
    rig.restart()
    rig.tell(alert("b", end=T), alert("a"), seconds=60)
    assert heard(rig) == ["a critical", "b critical", "b end"]


@pytest.mark.parametrize("restart_every", [0, 1, 25])
def test_what_fires_for_longer_than_anything_is_remembered_is_told_once(
    rig: Rig, alert: MakeAlert, heard: Heard, restart_every: int
) -> None:
    rig.memory.retention = 3_600
    for minute in range(4 * 60):
        if restart_every and minute % restart_every == 0:
            rig.restart()
        rig.tell(alert(), seconds=60)
        rig.memory.expire(rig.clock.now)
    rig.restart()
    rig.tell(alert(end=T), seconds=60)
    assert heard(rig) == ["a critical", "a end"]


def test_what_stands_is_seldom_kept_again(rig: Rig, alert: MakeAlert) -> None:
    for _ in range(6 * 60):
        rig.tell(alert("a"), alert("b"), seconds=60)
    assert rig.memory.saves <= 2 + 12
    for _ in range(2):
        rig.tell(seconds=60)
    saves = rig.memory.saves
    for _ in range(6 * 60):
        rig.tell(seconds=60)
    assert rig.memory.saves == saves, "of nothing there is nothing to keep"


def test_what_is_taken_is_kept_before_anything_else_is_done(rig: Rig, alert: MakeAlert) -> None:
    rig.update([alert("a"), alert("b")])
    rig.receiver.step()
    assert (len(rig.wire.taken), len(rig.memory.told["p"])) == (1, 1)


def test_what_another_receiver_of_the_policy_was_told_is_its_own(rig: Rig, alert: MakeAlert) -> None:
    rig.memory.told["p"] = {ToldKey("other", "a"): Told("critical", T, T)}
    rig.tell(seconds=60)
    assert rig.wire.taken == []
    rig.tell(alert())
    assert len(rig.wire.taken) == 1


def test_the_end_of_what_nobody_hands_over_any_more_is_told(rig: Rig, alert: MakeAlert, heard: Heard) -> None:
    rig.tell(alert("a"), alert("b", severity="warning"))
    rig.tell(alert("a"))
    assert heard(rig) == ["a critical", "b warning", "b end"]
    assert rig.wire.taken[-1]["labels"]["host"] == "b"
    rig.restart()
    rig.tell()
    assert heard(rig)[3:] == ["a end"]
    assert rig.wire.taken[-1]["labels"] == {}


def test_alerts_that_are_not_known_end_nothing(rig: Rig, alert: MakeAlert, heard: Heard) -> None:
    rig.tell(alert())
    rig.restart()
    assert rig.update(None) is False
    rig.run(3600)
    assert heard(rig) == ["a critical"]


def test_an_end_is_told_however_long_the_receiver_was_down(rig: Rig, alert: MakeAlert, heard: Heard) -> None:
    rig.tell(alert())
    rig.wire.status = 503
    rig.tell(alert(end=T), seconds=600)
    rig.tell(seconds=7200)
    rig.wire.status = 200
    rig.wire.requests.clear()
    rig.run(61)
    assert heard(rig) == ["a end"]
    assert rig.wire.taken[-1]["endsAt"] == "2023-11-14T22:13:20Z"
    assert rig.wire.taken[-1]["labels"]["host"] == "a"


def test_what_began_and_ended_untold_is_counted_and_not_told(rig: Rig, alert: MakeAlert, heard: Heard) -> None:
    rig.wire.status = None
    rig.tell(alert("a"), alert("b"), seconds=60)
    rig.tell(alert("a", end=T), alert("b"), seconds=60)
    rig.wire.status = 200
    rig.wire.requests.clear()
    for _ in range(3):
        rig.tell(alert("a", end=T), alert("b"), seconds=60)
    assert heard(rig) == ["b critical"]
    assert rig.receiver.health().missed == 1
    rig.tell(alert("a", start=T + 500), alert("b"))
    rig.tell(alert("a", start=T + 500, end=T + 600), alert("b"))
    assert heard(rig) == ["b critical", "a critical", "a end"]
    assert rig.receiver.health().missed == 1


@pytest.mark.parametrize("kind", ["http", "alertmanager"])
def test_what_vanishes_untold_is_counted(make_rig: MakeRig, alert: MakeAlert, kind: str) -> None:
    rig = make_rig(kind)
    rig.wire.status = None
    rig.tell(alert("a"), seconds=60)
    rig.tell(seconds=60)
    rig.wire.status = 200
    rig.run(3600)
    assert (rig.wire.taken, rig.receiver.health().missed) == ([], 1)


def test_an_interruption_that_could_not_be_told_is_counted(rig: Rig, alert: MakeAlert, heard: Heard) -> None:
    rig.tell(alert())
    rig.wire.status = None
    rig.tell(alert(end=T), seconds=30)
    again = alert(start=T + 60)
    rig.tell(again, seconds=60)
    rig.wire.status = 200
    rig.tell(again, seconds=60)
    assert heard(rig)[0] == "a critical"
    assert len(rig.wire.taken) == 1
    assert rig.receiver.health().missed == 1


def test_a_silenced_alert_is_told_when_the_silence_ends(rig: Rig, alert: MakeAlert, heard: Heard) -> None:
    rig.tell(alert(silenced=True), seconds=600)
    assert heard(rig) == []
    rig.tell(alert())
    assert heard(rig) == ["a critical"]


def test_what_was_silent_to_its_end_is_not_missed_when_the_silence_ends(rig: Rig, alert: MakeAlert) -> None:
    rig.tell(alert(silenced=True))
    rig.tell(alert(end=T, silenced=True))
    rig.tell(alert(end=T))
    assert (rig.wire.taken, rig.receiver.health().missed) == ([], 0)


def test_a_silence_holds_back_what_is_new_and_not_the_end(rig: Rig, alert: MakeAlert, heard: Heard) -> None:
    rig.tell(alert(severity="warning"))
    rig.tell(alert(severity="warning", silenced=True))
    rig.tell(alert(severity="warning", silenced=True), alert(severity="critical", start=T, silenced=True))
    rig.tell(
        alert(severity="warning", end=T + 60, silenced=True),
        alert(severity="critical", start=T, silenced=True),
    )
    assert heard(rig) == ["a warning", "a end"]


def test_a_silence_of_the_severity_told_is_no_fall_to_the_one_below(rig: Rig, alert: MakeAlert, heard: Heard) -> None:
    rig.tell(alert(severity="warning"), alert(severity="critical"))
    rig.tell(alert(severity="warning"), alert(severity="critical", silenced=True), seconds=60)
    assert heard(rig) == ["a critical"]
    rig.tell(alert(severity="warning"), alert(severity="critical", end=T, silenced=True))
    assert heard(rig) == ["a critical", "a warning"]


def test_severities_and_match_say_what_is_for_a_receiver(make_rig: MakeRig, alert: MakeAlert, heard: Heard) -> None:
    rig = make_rig("http", severities=["critical"], match={"host": "a", "team": "x"})
    mine = {"labels": {"team": "x"}}
    rig.tell(alert("a", "warning", **mine), alert("a", "critical"), alert("b", "critical", **mine))
    assert heard(rig) == []
    rig.tell(alert("a", "warning", **mine), alert("a", "critical", **mine))
    rig.tell(alert("a", "warning", **mine), alert("a", "critical", end=T, **mine))
    assert heard(rig) == ["a critical", "a end"]
    assert rig.wire.taken[-1]["severity"] == "critical"


def test_whoever_was_told_of_a_beginning_is_told_of_the_end(rig: Rig, alert: MakeAlert, heard: Heard) -> None:
    rig.tell(alert(severity="warning"))
    rig.policy = policy_with(
        {"name": "r", "type": "http", "url": "http://hook.example/other", "severities": ["critical"]}
    )
    rig.tell(alert(severity="warning"), seconds=60)
    assert heard(rig) == ["a warning"]
    rig.tell(alert(severity="warning", end=T))
    assert heard(rig) == ["a warning", "a end"]
    assert rig.wire.requests[-1].url == "http://hook.example/other"


def test_the_highest_and_oldest_first_and_ends_last(rig: Rig, alert: MakeAlert, heard: Heard) -> None:
    rig.tell(alert("z"))
    rig.tell(
        alert("z", end=T),
        alert("i", "info", start=T - 50),
        alert("c2", start=T - 10),
        alert("w", "warning", start=T - 40),
        alert("c1", start=T - 20),
    )
    assert heard(rig) == ["z critical", "c1 critical", "c2 critical", "w warning", "i info", "z end"]


@pytest.mark.parametrize("look", ["update", "health"])
def test_what_is_handed_over_while_a_message_is_under_way(rig: Rig, alert: MakeAlert, heard: Heard, look: str) -> None:
    post = rig.wire.post

    def meanwhile(request: Request) -> Reply:
        # Of these, the ones that are new come before the one under way.
        rig.update([alert(f"n{number}", start=T - number) for number in range(len(rig.wire.requests) + 2)])
        rig.receiver.health()
        return post(request)

    def looked_at(request: Request) -> Reply:
        rig.receiver.health()
        return post(request)

    rig.wire.post = meanwhile if look == "update" else looked_at  # type: ignore[method-assign]
    rig.update([alert(f"n{number}", start=T - number) for number in range(5)])
    for _ in range(8):
        rig.receiver.step()
    assert len(heard(rig)) == len(set(heard(rig))) >= 5


class TestAlertmanager:
    @pytest.fixture
    def rig(self, make_rig: MakeRig) -> Rig:
        return make_rig("alertmanager")

    def test_every_severity_for_itself_again_every_minute(self, rig: Rig, alert: MakeAlert) -> None:
        both = alert(severity="critical"), alert(severity="warning")
        rig.tell(*both)
        assert [one["labels"]["severity"] for one in rig.wire.taken[0]] == ["critical", "warning"]
        before = len(rig.wire.taken)
        rig.tell(*both, seconds=600)
        assert len(rig.wire.taken) - before == 10
        assert all(len(batch) == 2 for batch in rig.wire.taken)
        assert {one["startsAt"] for batch in rig.wire.taken for one in batch} == {"2023-11-14T21:56:40Z"}

    def test_it_would_end_by_itself_four_minutes_later(self, rig: Rig, alert: MakeAlert) -> None:
        rig.tell(alert())
        assert rig.wire.taken[0][0]["endsAt"] == "2023-11-14T22:17:20Z"

    def test_an_end_is_told_for_a_quarter_of_an_hour(self, rig: Rig, alert: MakeAlert) -> None:
        rig.tell(alert())
        rig.wire.taken.clear()
        for _ in range(20):
            rig.tell(alert(end=T), seconds=60)
        ends = [one["endsAt"] for batch in rig.wire.taken for one in batch]
        assert set(ends) == {"2023-11-14T22:13:20Z"}
        assert 15 <= len(ends) <= 16
        rig.tell(seconds=7200)
        assert len([one for batch in rig.wire.taken for one in batch]) == len(ends)
        assert rig.memory.told["p"] == {}

    def test_and_also_if_it_is_not_handed_over_as_long(self, rig: Rig, alert: MakeAlert) -> None:
        rig.tell(alert())
        rig.tell(alert(end=T), seconds=60)
        rig.wire.taken.clear()
        for _ in range(20):
            rig.tell(seconds=60)
        assert 13 <= len(rig.wire.taken) <= 14
        assert rig.memory.told["p"] == {}

    def test_no_end_of_what_it_was_never_told_of(self, rig: Rig, alert: MakeAlert) -> None:
        rig.tell(alert(end=T), seconds=3600)
        assert rig.wire.taken == []
        assert rig.receiver.health().missed == 1

    def test_nor_of_a_run_that_it_was_never_told_of(self, rig: Rig, alert: MakeAlert) -> None:
        rig.tell(alert())
        rig.tell(alert(end=T))
        rig.wire.taken.clear()
        rig.wire.status = None
        rig.tell(alert(end=T), alert(start=T + 5), seconds=30)
        rig.tell(alert(start=T + 5, end=T + 30), seconds=30)
        rig.wire.status = 200
        rig.tell(alert(start=T + 5, end=T + 30), seconds=600)
        assert (rig.wire.taken, rig.receiver.health().missed) == ([], 1)

    def test_an_end_before_the_beginning_by_a_clock_that_was_set_back_is_told(self, rig: Rig, alert: MakeAlert) -> None:
        rig.tell(alert(start=T - 10))
        rig.tell(alert(start=T - 10, end=T - 500), seconds=60)
        assert [(one["startsAt"], one["endsAt"]) for one in rig.wire.taken[-1]] == [
            ("2023-11-14T22:13:10Z", "2023-11-14T22:13:10Z")
        ]

    def test_an_old_end_does_not_follow_a_new_beginning(self, rig: Rig, alert: MakeAlert) -> None:
        rig.tell(alert())
        rig.tell(alert(end=T))
        rig.wire.taken.clear()
        rig.tell(alert(end=T), alert(start=T + 5), seconds=300)
        rig.tell(alert(start=T + 5), alert(end=T), seconds=300)
        assert {one["startsAt"] for batch in rig.wire.taken for one in batch} == {"2023-11-14T22:13:25Z"}

    def test_a_silence_is_no_end(self, rig: Rig, alert: MakeAlert) -> None:
        rig.tell(alert("quiet", silenced=True), alert("told"))
        rig.wire.taken.clear()
        rig.tell(alert("quiet", silenced=True), alert("told", silenced=True), seconds=120)
        assert {one["labels"]["host"] for batch in rig.wire.taken for one in batch} == {"told"}
        assert len(rig.wire.taken) == 2

    def test_what_fired_before_a_restart_and_is_not_known_is_forgotten(self, rig: Rig, alert: MakeAlert) -> None:
        rig.tell(alert())
        assert len(rig.memory.told["p"]) == 1
        rig.wire.taken.clear()
        rig.restart()
        rig.tell(seconds=600)
        assert (rig.wire.taken, rig.memory.told["p"]) == ([], {})

    def test_what_is_told_again_is_not_kept_again(self, rig: Rig, alert: MakeAlert) -> None:
        rig.tell(alert(), seconds=3600)
        assert rig.memory.saves == 1

    def test_many_go_in_batches(self, rig: Rig, alert: MakeAlert) -> None:
        rig.tell(*(alert(f"n{number}") for number in range(150)))
        assert [len(batch) for batch in rig.wire.taken] == [64, 64, 22]

    def test_one_that_is_refused_costs_no_other(self, rig: Rig, alert: MakeAlert) -> None:
        rig.wire.refuse = lambda batch: any(one["labels"]["host"] == "n7" for one in batch)
        rig.tell(*(alert(f"n{number}") for number in range(100)), seconds=30)
        told = [one["labels"]["host"] for batch in rig.wire.taken for one in batch]
        assert sorted(told) == sorted(f"n{number}" for number in range(100) if number != 7)
        assert rig.receiver.health().refused == 1


def test_what_is_sent_is_a_request_as_promised(rig: Rig, alert: MakeAlert) -> None:
    rig.tell(alert())
    (request,) = rig.wire.requests
    assert request.url == "http://hook.example/alerts?team=a"
    assert request.headers["Authorization"] == "Bearer bearer-5f2c91"
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.body)["version"] == "1"
