"""Receivers, secrets and a store that fail: nothing is lost, nothing secret is said."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from typing import Any

import pytest
from tests.fakes.alert_memory import ToldMemory
from tests.fakes.notify_rig import RECEIVERS, SECRETS, Rig

from nodetide_core.alerts.notify.acks import Acks
from nodetide_core.alerts.notify.model import ActiveAlert
from nodetide_core.alerts.ports import Told, ToldKey

MakeRig = Callable[..., Rig]
MakeAlert = Callable[..., ActiveAlert]
Heard = Callable[[Rig], list[str]]

T = 1_700_000_000
KINDS = sorted(RECEIVERS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [None, 408, 425, 429, 500, 502, 503, 301, 307, 401, 403, 404, 405, 407, 410])
def test_what_is_not_taken_is_kept(make_rig: MakeRig, alert: MakeAlert, kind: str, status: int | None) -> None:
    rig = make_rig(kind)
    rig.wire.status = status
    rig.tell(alert(), seconds=3600)
    health = rig.receiver.health()
    assert (health.ok, health.sent, health.waiting, health.refused) == (False, 0, 1, 0)
    assert health.failed == len(rig.wire.requests) >= 10
    rig.wire.status = 200
    rig.run(301)
    health = rig.receiver.health()
    assert (health.ok, health.error, health.waiting) == (True, "", 0)
    assert len(rig.wire.taken) >= 1


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "alertmanager"])
@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_message_that_is_refused_is_given_up_and_no_other(
    make_rig: MakeRig, alert: MakeAlert, caplog: pytest.LogCaptureFixture, kind: str, status: int
) -> None:
    rig = make_rig(kind)
    rig.wire.status = status
    rig.tell(alert("a"), seconds=600)
    health = rig.receiver.health()
    assert (len(rig.wire.requests), health.refused, health.waiting, health.ok) == (1, 1, 0, False)
    assert f"HTTP {status}" in health.error
    assert len([record for record in caplog.records if "given up" in record.getMessage()]) == 1
    rig.wire.status = 200
    rig.tell(alert("a"), alert("b"), seconds=600)
    rig.tell(alert("a", end=T + 700), alert("b"), seconds=600)
    assert len(rig.wire.taken) == 1, "nor is the end told of what was never told"
    assert rig.receiver.health().ok


def test_what_was_refused_is_tried_again_when_the_policy_has_changed(
    make_rig: MakeRig, alert: MakeAlert, heard: Heard
) -> None:
    rig = make_rig("http")
    rig.wire.status = 400
    rig.tell(alert(), seconds=60)
    rig.wire.status = 200
    rig.tell(alert(), seconds=60)
    assert rig.wire.taken == []
    rig.policy = dataclasses.replace(rig.policy, hash="other")
    rig.tell(alert())
    assert len(rig.wire.taken) == 1


def test_an_end_that_is_refused_is_over(make_rig: MakeRig, alert: MakeAlert) -> None:
    rig = make_rig("http")
    rig.tell(alert())
    rig.wire.status = 400
    rig.tell(alert(end=T), seconds=60)
    rig.tell(seconds=60)
    assert len(rig.wire.requests) == 2
    assert rig.memory.told["p"] == {}


def test_a_wrong_routing_key_is_no_wrong_message(make_rig: MakeRig, alert: MakeAlert) -> None:
    rig = make_rig("pagerduty")
    rig.wire.status = 400
    rig.wire.said = b'{"status":"invalid event","errors":["Length of \'routing_key\' is incorrect"]}'
    rig.tell(alert(), seconds=60)
    assert rig.receiver.health().refused == 0
    assert "routing key" in rig.receiver.health().error
    rig.wire.status = 202
    rig.run(600)
    assert len(rig.wire.taken) == 1


def test_a_message_the_receiver_fails_over_holds_up_no_other(make_rig: MakeRig, alert: MakeAlert, heard: Heard) -> None:
    rig = make_rig("http")
    poisoned = rig.wire.post

    def post(request: Any) -> Any:
        rig.wire.status = 500 if b'"id":"a"' in request.body else 200
        return poisoned(request)

    rig.wire.post = post  # type: ignore[method-assign]
    rig.tell(alert("a"), alert("b"), alert("c"), seconds=60)
    assert [document["id"] for document in rig.wire.taken] == ["b", "c"]
    assert rig.receiver.health().waiting == 1


@pytest.mark.parametrize(("asked", "least"), [("120", 120), ("0", 0), ("Tue, 14 Nov 2023 22:18:20 GMT", 300)])
def test_retry_after_is_kept_to(make_rig: MakeRig, alert: MakeAlert, asked: str, least: int) -> None:
    rig = make_rig("slack")
    rig.wire.status, rig.wire.headers = 429, {"retry-after": asked}
    rig.tell(alert())
    rig.wire.status = 200
    rig.run(least - 1 if least else 0)
    assert rig.wire.taken == []
    rig.run(3)
    assert len(rig.wire.taken) == 1


def test_what_a_person_has_mended_is_not_waited_for_longer_than_promised(make_rig: MakeRig, alert: MakeAlert) -> None:
    rig = make_rig("slack")
    rig.wire.status, rig.wire.headers = 403, {"retry-after": "86400"}
    rig.tell(alert(), seconds=3_600)
    rig.wire.status = 200
    rig.run(300)
    assert len(rig.wire.taken) == 1


class TestSecrets:
    @pytest.mark.parametrize("kind", KINDS)
    def test_one_that_is_missing_is_named_and_waited_for(self, make_rig: MakeRig, alert: MakeAlert, kind: str) -> None:
        rig = make_rig(kind)
        key = RECEIVERS[kind]["secretRef"]["key"]
        secret = rig.secrets.pop(key)
        rig.tell(alert(), seconds=60)
        assert rig.receiver.health().error == f"secret s, key {key}: {key}"
        rig.secrets[key] = "  \n"
        rig.run(300)
        assert rig.receiver.health().error == f"secret s, key {key}: it is empty"
        assert rig.wire.requests == []
        rig.secrets[key] = secret + "\n"
        rig.run(301)
        assert len(rig.wire.taken) >= 1

    def test_it_is_read_for_every_message(self, make_rig: MakeRig, alert: MakeAlert) -> None:
        rig = make_rig("http")
        rig.tell(alert("a"))
        rig.secrets["token"] = "new"
        rig.tell(alert("a"), alert("b"))
        assert [request.headers["Authorization"] for request in rig.wire.requests] == [
            "Bearer bearer-5f2c91",
            "Bearer new",
        ]

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("status", [400, 403, 500])
    def test_none_is_ever_said(
        self, make_rig: MakeRig, alert: MakeAlert, caplog: pytest.LogCaptureFixture, kind: str, status: int
    ) -> None:
        caplog.set_level(logging.DEBUG)
        rig = make_rig(kind)
        rig.wire.status = status
        rig.wire.said = f"you sent {' '.join(SECRETS.values())} to /services/T000/B000/sEcReT".encode()
        secret = SECRETS[RECEIVERS[kind]["secretRef"]["key"]]
        rig.tell(alert(), seconds=60)
        said = caplog.text + repr(rig.receiver.health())
        assert "***" in said
        for hidden in (secret, secret.removeprefix("https://hooks.example")):
            assert hidden not in said

    @pytest.mark.parametrize("before", range(0, 200, 7))
    def test_nor_is_a_part_of_one_that_stands_where_an_answer_is_cut(
        self, make_rig: MakeRig, alert: MakeAlert, before: int
    ) -> None:
        rig = make_rig("pagerduty")
        rig.wire.status = 400
        rig.wire.said = b"x" * before + SECRETS["key"].encode()
        rig.tell(alert())
        assert "***"[: 200 - before] in rig.receiver.health().error
        assert "0123" not in rig.receiver.health().error

    @pytest.mark.parametrize("said", ["\\/services\\/T0\\/{}", "{}", "?key={}", "..&sig={} is wrong"])
    def test_nor_what_is_secret_of_an_address(self, make_rig: MakeRig, alert: MakeAlert, said: str) -> None:
        rig = make_rig("slack")
        token = "aBcDeFgHiJkLmNoPqRsTuVwX"
        rig.secrets["hook"] = f"https://hooks.example/services/T0/{token}?sig={token}&key={token}"
        rig.wire.status, rig.wire.said = 404, said.format(token).encode()
        rig.tell(alert())
        error = rig.receiver.health().error
        assert "***" in error and token not in error


class TestStore:
    def test_nobody_is_told_before_it_is_known_who_was_told_what(
        self, make_rig: MakeRig, alert: MakeAlert, heard: Heard
    ) -> None:
        rig = make_rig("http")
        rig.tell(alert())
        rig.restart()
        rig.memory.down = True
        rig.tell(alert(), seconds=60)
        assert "the store is down" in rig.receiver.health().error
        rig.memory.down = False
        rig.tell(alert(), seconds=10)
        assert rig.receiver.health().ok
        rig.tell(alert(), alert("b"), seconds=10)
        assert heard(rig) == ["a critical", "b critical"]

    def test_receivers_are_told_while_it_takes_nothing(self, make_rig: MakeRig, alert: MakeAlert, heard: Heard) -> None:
        rig = make_rig("http")
        rig.tell(alert())
        rig.memory.down = True
        rig.tell(alert(), alert("b"))
        rig.tell(alert(end=T), alert("b"))
        assert heard(rig) == ["a critical", "b critical", "a end"]
        rig.memory.down = False
        rig.run(10)
        rig.restart()
        rig.tell(alert("b"), seconds=60)
        assert len(heard(rig)) == 3


def test_the_log_says_when_it_begins_changes_and_ends(
    make_rig: MakeRig, alert: MakeAlert, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    rig = make_rig("slack")
    rig.wire.status = 503
    rig.tell(alert(), seconds=3600)
    rig.wire.status = None
    rig.run(3600)
    rig.wire.status = 200
    rig.run(3600)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("ERROR", "receiver r of policy default/p cannot be told of alerts: HTTP 503: ok; waiting=1"),
        ("ERROR", "receiver r of policy default/p cannot be told of alerts: somewhere: no answer in time; waiting=1"),
        ("INFO", "receiver r of policy default/p is told of alerts again"),
    ]


def test_an_error_of_ours_is_logged_and_the_alert_kept(
    make_rig: MakeRig, alert: MakeAlert, caplog: pytest.LogCaptureFixture
) -> None:
    rig = make_rig("http")

    def broken(request: Any) -> Any:
        raise ZeroDivisionError

    post, rig.wire.post = rig.wire.post, broken  # type: ignore[method-assign]
    rig.tell(alert(), seconds=10)
    assert "ZeroDivisionError" in caplog.text
    rig.wire.post = post  # type: ignore[method-assign]
    rig.run(300)
    assert len(rig.wire.taken) == 1


def test_what_is_acknowledged_while_the_store_saves_is_not_taken_for_saved() -> None:
    acks, key = Acks("p", "r", ToldMemory()), ToldKey("r", "a")
    acks.book(key, Told("critical", T, T))
    entries = acks.taken()
    acks.book(key, Told("", T, T + 1))
    acks.saved(entries)
    assert acks.taken() == {key: Told("", T, T + 1)}
    acks.saved(acks.taken())
    assert not acks.unsaved
