"""Messages as the vendors document them, whatever users write."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes import receivers

from nodetide_core.alerts.notify import alertmanager, http, pagerduty, slack
from nodetide_core.alerts.notify.message import Message, idempotency_key
from nodetide_core.alerts.notify.model import ActiveAlert
from nodetide_core.alerts.ports import Told, ToldKey

NASTY = [
    "<!channel> <@U123> <https://evil.example|click>",
    "${secret} {{ value }} %s {0} $(id) `id`",
    'quote " back \\ slash',
    "line\nfeed\r\n\ttab \x00 nul \x1b[31m",
    "ünïcödé 한국어 🔥 \u202e reversed",
    "not unicode \udcff",
    "&amp; &lt; & < >",
    "*bold* _it_ ~no~ `code` @here #general",
    "x" * 5000,
    "&" * 5000,
    "",
]
texts = st.one_of(st.sampled_from(NASTY), st.text(st.characters(), max_size=40))
names = st.one_of(st.sampled_from(["host", "9lives", "a.b", "a-b", "a_b", "topology.kubernetes.io/zone", "한"]), texts)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    labels = draw(st.dictionaries(names, texts, max_size=6)) | {"alertname": draw(texts), "severity": "critical"}
    notes = draw(st.dictionaries(st.sampled_from(["summary", "description", "runbook_url", "x.y"]), texts, max_size=4))
    start = draw(st.integers(0, 2_000_000_000))
    alert = ActiveAlert(
        draw(st.one_of(st.just("id"), texts.filter(bool))),
        draw(st.sampled_from(["critical", "warning", "info"])),
        labels,
        notes,
        start,
        draw(st.one_of(st.none(), st.integers(start, start + 10**6))),
        draw(st.one_of(st.just(math.nan), st.floats())),
        draw(st.one_of(st.just(""), texts)),
    )
    before = draw(st.one_of(st.none(), st.builds(Told, st.sampled_from(["", "warning"]), st.just(0), st.just(5))))
    return Message(ToldKey("r", alert.id), alert, before)


def clean(text: str) -> str:
    return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)


@given(st.lists(messages(), min_size=1, max_size=4))
def test_alertmanager_takes_whatever_it_is(batch: list[Message]) -> None:
    request = alertmanager.request(batch, url="http://am/prefix/", secret=None, now=1_700_000_000)
    alerts = receivers.alertmanager(request.body)
    assert request.url == "http://am/prefix/api/v2/alerts"
    for message, sent in zip(batch, alerts, strict=True):
        # No label is lost, whatever its name: labels tell alerts apart.
        assert sorted(sent["labels"].values()) == sorted(map(clean, message.alert.labels.values()))
        assert sent["labels"]["alertname"] == clean(message.alert.labels["alertname"])


@given(messages())
def test_http_says_all_as_it_is(message: Message) -> None:
    request = http.request(message, url="http://x/", secret=None)
    sent = receivers.http(request.body)
    assert sent["labels"] == {clean(name): clean(text) for name, text in message.alert.labels.items()}
    assert sent["value"] == (message.alert.value if math.isfinite(message.alert.value) else None)
    assert re.fullmatch(r'"[0-9a-f]{32}"', request.headers["Idempotency-Key"])


@given(messages())
def test_pagerduty_takes_whatever_it_is(message: Message) -> None:
    request = pagerduty.request(message, url=None, secret="k" * 32)
    event = receivers.pagerduty(request.body)
    assert request.url == "https://events.pagerduty.com/v2/enqueue"
    assert event["event_action"] == ("trigger" if message.firing else "resolve")
    assert event["payload"]["severity"] == message.alert.severity


@given(messages())
def test_slack_shows_texts_and_no_mentions_or_links(message: Message) -> None:
    request = slack.request(message, url="https://hooks.example/x")
    receivers.slack(request.body)


def make(**more: Any) -> Message:
    alert = ActiveAlert(
        more.pop("id_", "3f2a"),
        more.pop("severity", "critical"),
        {"alertname": "DiskFull", "severity": "critical", "host": "n1", "path": "/data", **more.pop("labels", {})},
        {"summary": "Disk is full", "runbook_url": "https://runbooks.example/disk", **more.pop("annotations", {})},
        1_700_000_000,
        more.pop("end", None),
        more.pop("value", 98.256),
        more.pop("reason", ""),
    )
    return Message(ToldKey("r", alert.id), alert, more.pop("before", None))


def test_the_whole_http_message() -> None:
    told = Told("warning", 1_699_999_000, 1_699_999_001)
    request = http.request(make(before=told), url="http://x/y", secret="t0ken")
    assert json.loads(request.body) == {
        "version": "1",
        "status": "firing",
        "id": "3f2a",
        "severity": "critical",
        "previousSeverity": "warning",
        "labels": {"alertname": "DiskFull", "severity": "critical", "host": "n1", "path": "/data"},
        "annotations": {"summary": "Disk is full", "runbook_url": "https://runbooks.example/disk"},
        "startsAt": "2023-11-14T22:13:20Z",
        "endsAt": None,
        "value": 98.256,
        "reason": None,
    }
    assert request.headers["Authorization"] == "Bearer t0ken"


def test_the_whole_slack_message() -> None:
    message = json.loads(slack.request(make(end=1_700_000_600, reason="node is gone"), url="https://h/x").body)
    assert message["text"] == "Resolved: DiskFull on n1 (node is gone)"
    (attachment,) = message["attachments"]
    assert [block.get("text", {}).get("text") for block in attachment["blocks"]] == [
        "Disk is full\nValue: 98.26",
        "host: n1\npath: /data",
        "<https://runbooks.example/disk|Runbook>",
        None,
    ]
    assert attachment["blocks"][3]["elements"][0]["text"] == "Began 2023-11-14T22:13:20Z, ended 2023-11-14T22:23:20Z"


def test_slack_says_what_a_severity_was() -> None:
    message = json.loads(slack.request(make(before=Told("warning", 1, 2)), url="https://h/x").body)
    assert message["text"] == "Critical (was warning): DiskFull on n1"


def test_slack_pings_nobody() -> None:
    text = json.loads(slack.request(make(labels={"alertname": "<!channel> & co"}), url="https://h/x").body)["text"]
    assert text == "Critical: &lt;!channel&gt; &amp; co on n1"


@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("https://r.example/a?b=1&c=2", "<https://r.example/a?b=1&amp;c=2|Runbook>"),
        ("https://r.example/a|b", "<https://r.example/a%7Cb|Runbook>"),
        ("https://r.example/> <!channel>", None),
        ("javascript:alert(1)", None),
        ("https://r.example/" + "a" * 4000, None),
    ],
)
def test_slack_links_a_runbook_if_it_is_an_address(url: str, linked: str | None) -> None:
    message = json.loads(slack.request(make(annotations={"runbook_url": url}), url="https://h/x").body)
    links = [
        block["text"]["text"]
        for block in message["attachments"][0]["blocks"]
        if block.get("text", {}).get("type") == "mrkdwn"
    ]
    assert links == ([linked] if linked else [])


def test_the_whole_pagerduty_event() -> None:
    event = json.loads(pagerduty.request(make(), url="https://eu.example/v2/enqueue", secret="k" * 32).body)
    assert event == {
        "routing_key": "k" * 32,
        "event_action": "trigger",
        "dedup_key": "3f2a",
        "payload": {
            "summary": "Critical: DiskFull on n1: Disk is full",
            "source": "n1",
            "severity": "critical",
            "timestamp": "2023-11-14T22:13:20Z",
            "class": "DiskFull",
            "custom_details": {
                "value": 98.256,
                "labels": {"alertname": "DiskFull", "severity": "critical", "host": "n1", "path": "/data"},
                "annotations": {"summary": "Disk is full", "runbook_url": "https://runbooks.example/disk"},
            },
        },
        "links": [{"href": "https://runbooks.example/disk", "text": "Runbook"}],
    }


def test_pagerduty_takes_a_huge_event() -> None:
    huge = {f"note{number}": "🔥" * 4096 for number in range(32)}
    receivers.pagerduty(pagerduty.request(make(annotations=huge), url=None, secret="k" * 32).body)


def test_pagerduty_knows_an_alert_by_the_same_key_from_begin_to_end() -> None:
    for id_ in ("short", "x" * 300):
        keys = {
            json.loads(pagerduty.request(make(id_=id_, end=end), url=None, secret="k" * 32).body)["dedup_key"]
            for end in (None, 1_700_000_600)
        }
        assert len(keys) == 1


def test_labels_with_names_that_come_out_alike_are_both_kept() -> None:
    labels = {"a.b": "1", "a_b": "2", "a-b": "3", "9": "4"}
    (sent,) = json.loads(alertmanager.request([make(labels=labels)], url="http://am", secret=None, now=1).body)
    assert {name: text for name, text in sent["labels"].items() if text in "1234"} == {
        "a_b": "2",
        "a_b_": "3",
        "a_b__": "1",
        "tag_9": "4",
    }


def test_a_reason_is_shown_and_overwrites_nothing() -> None:
    for notes, shown in (({}, "no data"), ({"reason": "mine"}, "mine")):
        message = make(end=1_700_000_600, reason="no data", annotations=notes)
        (sent,) = json.loads(alertmanager.request([message], url="http://am", secret=None, now=1).body)
        assert sent["annotations"]["reason"] == shown


def test_an_idempotency_key_is_the_same_for_a_repetition_alone() -> None:
    told = Told("critical", 1_700_000_100, 1_700_000_101)
    back = make(severity="warning", before=told)
    keys = [
        idempotency_key(make(severity="warning")),
        idempotency_key(back),
        idempotency_key(make(severity="warning", before=Told("critical", 1_700_000_100, 1_700_000_900))),
        idempotency_key(make(severity="warning", end=1_700_000_600)),
        idempotency_key(make(severity="critical")),
    ]
    assert len(set(keys)) == len(keys)
    assert idempotency_key(make(severity="warning", before=told, value=1.0)) == idempotency_key(back)


def test_a_request_shows_nothing_of_itself() -> None:
    assert "t0ken" not in repr(http.request(make(), url="http://x/?t0ken", secret="t0ken"))
