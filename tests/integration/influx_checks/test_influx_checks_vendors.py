"""What InfluxDB itself sends to PagerDuty and Slack, at their real addresses: a proxy stands in for both, by TLS."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from html import escape
from pathlib import Path
from typing import Any

import pytest
from servers import influxd
from tests.integration.influx_checks.intercepting import Intercepted, Taken, intercepting
from tests.integration.influx_checks.org import Org

from nodetide_core.points import Point, make_tags
from nodetide_core.policy import Policy

pytestmark = [pytest.mark.peer, pytest.mark.slow]

PAGERDUTY, SLACK = "events.pagerduty.com", "hooks.slack.com"
ANSWERS = {
    PAGERDUTY: (202, b'{"status":"success","message":"Event processed","dedup_key":"x"}'),
    SLACK: (200, b"ok"),
}
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
HOOK = "/services/T00000000/B00000000/s3cretPath0123456789"
ALERT = {
    "name": "HighCPU", "type": "threshold", "metric": "cpu.usage_active", "every": "5s", "window": "10s",
    "critical": {"above": 90}, "annotations": {"summary": 'It is "hot" & <!channel> ${r._level} &lt;\nnow 한국어'},
}  # fmt: skip
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


@pytest.fixture
def vendors(tmp_path: Path) -> Iterator[Intercepted]:
    with intercepting(tmp_path / "vendors", ANSWERS) as found:
        yield found


@pytest.fixture
def enclosed(vendors: Intercepted, tmp_path: Path, needs_parts: Callable[..., None]) -> Iterator[Org]:
    """Of an influxd that trusts the test's authority alone, and has no way out but the proxy."""
    needs_parts("influxd")
    with influxd(tmp_path / "influxd", options=["--log-level=error"], env=vendors.environment) as server:
        org = Org(server, "enclosed")
        yield org
        org.remove()


def test_pagerduty_and_slack_are_told_by_influxdb_as_they_document_it(
    enclosed: Org, policy: Callable[..., Policy], until: Callable[..., Any], vendors: Intercepted
) -> None:
    org = enclosed
    org.make_bucket("b")
    org.secrets |= {"pager": f"{ROUTING_KEY}\n", "chat": f"https://{SLACK}{HOOK}"}
    wanted = policy(
        "b",
        alerts=[ALERT],
        notify=[
            {"name": "pager", "type": "pagerduty", "secretRef": {"name": "pager", "key": "key"}},
            {"name": "chat", "type": "slack", "secretRef": {"name": "chat", "key": "url"}},
        ],
    )
    assert org.keep(wanted).troubles == ()
    began = time.time()

    def say(values: dict[str, float]) -> None:
        """A sample a second of each host, from now until long after the test: no pause of this process is silence."""
        now = int(time.time())
        org.write("b", [
            Point("cpu", make_tags({"host": host, "cpu": "cpu-total"}), {"usage_active": value}, now + second)
            for host, value in values.items() for second in range(900)
        ])  # fmt: skip

    def told(count: int) -> bool:
        return all(len(vendors.by(host)) >= count for host in ANSWERS)

    def trouble() -> Any:
        return vendors.taken, vendors.refused, org.keep(wanted).troubles, org.statuses()

    say({"hot": 99.0, "warm": 99.0, "cool": 20.0})
    until(lambda: told(2), 180, trouble)
    say({"hot": 20.0})
    until(lambda: told(3), 180, trouble)
    # If there were more to tell, rules that run again would.
    for _ in range(2):
        last = completed(org)
        until(lambda last=last: completed(org).isdisjoint(last), 180, trouble)
    assert vendors.refused == []
    assert org.keep(wanted).troubles == ()

    events = [event_of(taken, began) for taken in vendors.by(PAGERDUTY)]
    hosts = [re.search(r"host=(\w+)", event["payload"]["summary"])[1] for event in events]  # type: ignore[index]
    assert sorted(hosts[:2]) == ["hot", "warm"] and hosts[2:] == ["hot"]
    assert [event["event_action"] for event in events] == ["trigger", "trigger", "resolve"]
    keys = {host: event["dedup_key"] for host, event in zip(hosts, events[:2], strict=False)}
    assert keys["hot"] != keys["warm"], "each is an incident of its own"
    assert events[2]["dedup_key"] == keys["hot"], "the end resolves what the beginning has triggered"
    assert [event["payload"]["severity"] for event in events] == ["critical", "critical", "info"]

    texts = [message_of(taken) for taken in vendors.by(SLACK)]
    assert sorted(texts) == sorted(
        (escape(event["payload"]["summary"], quote=False), "good" if event["event_action"] == "resolve" else "danger")
        for event in events
    )
    assert texts[2][1] == "good"


def completed(org: Org) -> set[tuple[str, str]]:
    """When each rule ran last."""
    return {(name, rule["latestCompleted"]) for name, rule in org.listed("notificationRules").items()}


def event_of(taken: Taken, began: float) -> dict[str, Any]:
    """An alert event of the Events API v2, as PagerDuty documents it; what is not in the documentation is refused."""
    assert (taken.method, taken.path) == ("POST", "/v2/enqueue")
    assert taken.headers["content-type"].split(";")[0] == "application/json"
    event: dict[str, Any] = taken.body
    assert set(event) == {"routing_key", "event_action", "dedup_key", "payload", "client", "client_url"}
    assert event["routing_key"] == ROUTING_KEY
    assert event["event_action"] in ("trigger", "resolve")
    assert isinstance(event["dedup_key"], str) and 1 <= len(event["dedup_key"]) <= 255
    payload = event["payload"]
    assert {"summary", "source", "severity"} <= set(payload)
    assert set(payload) <= {"summary", "source", "severity", "timestamp", "component", "group", "class"}
    assert all(isinstance(value, str) for value in payload.values())
    assert 1 <= len(payload["summary"]) <= 1_024 and payload["source"]
    assert payload["severity"] in ("critical", "error", "warning", "info")
    assert _TIME.fullmatch(payload["timestamp"])
    at = datetime.fromisoformat(f"{payload['timestamp'][:19]}+00:00").astimezone(timezone.utc).timestamp()
    assert began - 60 <= at <= time.time()
    assert payload["summary"].startswith("HighCPU is ") and payload["summary"].endswith(_summary())
    told_by = (payload["source"], payload["class"], payload["group"])
    assert told_by == ("nodetide b pager 10s crit", "nodetide b HighCPU", "cpu")
    return event


def message_of(taken: Taken) -> tuple[str, str]:
    """Text and colour of a message to an incoming webhook, as Slack documents it."""
    assert (taken.method, taken.path) == ("POST", HOOK)
    assert taken.headers["content-type"].split(";")[0] == "application/json"
    assert set(taken.body) == {"channel", "attachments"}
    (attachment,) = taken.body["attachments"]
    assert set(attachment) == {"color", "text", "mrkdwn_in"}
    assert attachment["color"] in ("good", "warning", "danger")
    # Else it could be a mention of everybody, or a link that shows another address.
    assert not set("<>") & set(attachment["text"]) and attachment["text"].endswith(escape(_summary(), quote=False))
    return attachment["text"], attachment["color"]


def _summary() -> str:
    return "\n" + str(ALERT["annotations"]["summary"])  # type: ignore[index]
