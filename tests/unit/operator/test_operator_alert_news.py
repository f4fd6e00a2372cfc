"""What is told of alerts: only what changes, and not of each of hundreds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.alerts.report import AlertHealth
from nodetide_core.alerts.report import FiringSeries as Reported
from nodetide_core.policy.validate import check
from nodetide_operator.alert_news import AlertNews, AlertsNews, alert_notices, alert_status, alerts_ready, news_of
from nodetide_operator.crd.status import status_schema
from nodetide_operator.statuses import Notice

NOW = 1_800_000_000


def reported(*hosts: str, severity: str = "critical", value: float = 1.0) -> tuple[Reported, ...]:
    return tuple(Reported(severity, (("cpu", "cpu0"), ("host", host)), NOW, value, False) for host in hosts)


def told(
    firing: int, *hosts: str, name: str = "A", pending: int = 0, problem: str = "", value: float = 1.0
) -> AlertNews:
    health = AlertHealth(problem, pending, firing, reported(*hosts, value=value), NOW)
    return news_of(name, health, ["critical"] if firing else [], problem)


def status(*alerts: AlertNews, before: Any = None, **more: Any) -> dict[str, Any]:
    return alert_status(AlertsNews(alerts, **more), before or {})


def said(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[bool, str, str]]:
    return [(item.warning, item.reason, item.message) for item in alert_notices(before, after)]


HOSTS = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=6)
NEWS = st.builds(lambda hosts, extra, pending: told(len(hosts) + extra, *hosts, pending=pending),
                 HOSTS, st.integers(0, 500), st.integers(0, 9))  # fmt: skip


@given(NEWS)
def test_a_status_is_as_the_crd_allows_and_no_value_changes_it(news: AlertNews) -> None:
    found = status(news)
    assert not list(check(found, status_schema(), "status"))
    hosts = [item.series.partition("host=")[2] for item in news.series]
    assert status(told(news.firing, *hosts, pending=news.pending, value=99.0)) == found
    assert found["firing"] == news.firing


def test_a_status_names_what_fires() -> None:
    found = status(told(1, "a"), told(0, name="B", pending=2), told(0, name="C"), told(0, name="D", problem="no"))
    since = "2027-01-15T08:00:00Z"
    assert found == {
        "alerts": [
            {"name": "A", "state": "firing", "pending": 0, "firing": 1, "severity": "critical",
             "series": [{"series": "cpu=cpu0,host=a", "severity": "critical", "since": since}]},
            {"name": "B", "state": "pending", "pending": 2, "firing": 0},
            {"name": "C", "state": "ok", "pending": 0, "firing": 0},
            {"name": "D", "state": "unknown", "pending": 0, "firing": 0, "message": "no"},
        ],
        "firing": 1,
    }  # fmt: skip


def test_the_highest_severity_is_told() -> None:
    assert news_of("A", AlertHealth(firing=2, evaluated=1), ["info", "warning"], "").severity == "warning"


def test_series_that_are_the_same_once_cut_stand_once() -> None:
    long = tuple(Reported("info", (("host", "x" * 2_000 + end),), NOW, 0.0, False) for end in "ab")
    found = news_of("A", AlertHealth(firing=2, series=long, evaluated=1), ["info"], "")
    assert len(found.series) == 1
    assert not list(check(status(found), status_schema(), "status"))


def test_what_was_not_evaluated_yet_has_not_ended() -> None:
    before = status(told(1, "a"))
    unknown = AlertNews("A", evaluated=False)
    assert status(unknown, before=before) == before
    assert alert_status(None, {**before, "lag": "0s"}) == before
    assert status(unknown)["alerts"] == [{"name": "A", "state": "unknown", "pending": 0, "firing": 0}]
    assert status(unknown, before=before, suspended=True)["firing"] == 0


@pytest.mark.parametrize(
    ("news", "as_before", "wanted"),
    [
        (None, False, ("Unknown", "NotEvaluated", "have not been evaluated")),
        (AlertsNews((AlertNews("A", evaluated=False),)), False, ("Unknown", "NotEvaluated", "")),
        (AlertsNews((told(0),)), False, ("True", "Evaluated", "All 1 alerts")),
        (AlertsNews((told(0),)), True, ("True", "EvaluatedAsBefore", "before it turned wrong")),
        (AlertsNews((told(0),), unreachable="away"), False, ("Unknown", "InfluxUnreachable", "away")),
        (AlertsNews((told(0),), suspended=True), False, ("Unknown", "Suspended", "")),
        (AlertsNews((told(0), told(0, name="B", problem="why"))), False, ("False", "AlertsBroken", "B: why")),
        (AlertsNews((told(0),), failing={"team": "HTTP 500"}), False, ("False", "ReceiversFail", "team: HTTP 500")),
        (
            AlertsNews((told(0, problem="why"),), failing={"team": "x"}), True,
            ("False", "AlertsBroken", "A: why; team: x"),
        ),
    ],
)  # fmt: skip
def test_the_condition(news: AlertsNews | None, as_before: bool, wanted: tuple[str, str, str]) -> None:
    found = alerts_ready(news, as_before=as_before)
    assert found[:2] == wanted[:2]
    assert wanted[2] in found[2]


class TestNotices:
    def test_beginnings_and_ends(self) -> None:
        none, one, two = status(told(0)), status(told(1, "a")), status(told(2, "a", "b"))
        assert said(none, one) == [(True, "AlertFiring", "A fires: cpu=cpu0,host=a (critical); 1 in all.")]
        assert said(one, two) == [(True, "AlertFiring", "A fires: cpu=cpu0,host=b (critical); 2 in all.")]
        assert said(two, one) == [(False, "AlertResolved", "A has ended: cpu=cpu0,host=b (critical); 1 still fire.")]
        other = status(told(1, "b"))
        assert [reason for _, reason, _ in said(one, other)] == ["AlertFiring", "AlertResolved"]

    def test_an_alert_that_is_no_more(self) -> None:
        assert said(status(told(1, "a")), status()) == [
            (False, "AlertResolved", "A is no longer an alert of the policy.")
        ]
        assert said(status(told(1, "a")), {}) == [], "nothing is known of it"

    def test_of_hundreds_their_number(self) -> None:
        many = status(told(300, *"abcdefgh"))
        ((_, _, message),) = said(status(told(0)), many)
        assert message == (
            "A fires: cpu=cpu0,host=a (critical); cpu=cpu0,host=b (critical); cpu=cpu0,host=c (critical); "
            "cpu=cpu0,host=d (critical); cpu=cpu0,host=e (critical) and 295 more; 300 in all."
        )
        assert said(many, status(told(300, *"bcdefghi"))) == [], "which of them are listed is no news"
        ((_, _, message),) = said(many, status(told(310, *"abcdefgh")))
        assert message == "A fires for 10 series more; 310 in all."

    def test_of_many_alerts_a_few(self) -> None:
        many = [told(1, "a", name=f"A{number}") for number in range(50)]
        found = said({}, status(*many))
        assert len(found) == 10
        assert found[-1] == (True, "AlertsChanged", "41 more changes of alerts; status.alerts has all.")

    @given(st.lists(NEWS, max_size=3))
    def test_nothing_new_is_no_news(self, news: list[AlertNews]) -> None:
        found = status(*(AlertNews(f"A{n}", a.pending, a.firing, a.severity, a.series) for n, a in enumerate(news)))
        assert alert_notices(found, json.loads(json.dumps(found))) == []

    @given(HOSTS, HOSTS)
    def test_listed_whole_exactly_what_changed_is_told(self, before: list[str], after: list[str]) -> None:
        found: list[Notice] = alert_notices(status(told(len(before), *before)), status(told(len(after), *after)))
        counts = {"AlertFiring": len(set(after) - set(before)), "AlertResolved": len(set(before) - set(after))}
        assert [notice.reason for notice in found] == [reason for reason, count in counts.items() if count]
