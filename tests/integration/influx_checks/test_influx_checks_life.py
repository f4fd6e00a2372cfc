"""Checks, endpoints and rules on a real InfluxDB: made, seen at work, mended when somebody changes them, removed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from servers import ports
from tests.integration.influx_checks.org import KINDS, NEEDED, OWNER, Org
from tests.integration.influx_checks.receiving import Received

from nodetide_core.errors import StoreError, StoreRejected, StoreUnavailable
from nodetide_core.points import Point, make_tags
from nodetide_core.policy import Policy
from nodetide_core.stores.influx.checks.marking import read_mark

pytestmark = pytest.mark.peer

Make = Callable[..., Policy]
Until = Callable[..., Any]
CPU = {"name": "HighCPU", "type": "threshold", "metric": "cpu.usage_active", "every": "5s", "window": "10s"}
TEAM = {"name": "team", "type": "http", "url": "http://127.0.0.1:9/in", "secretRef": {"name": "team", "key": "token"}}


def cpu(host: str, value: float) -> Point:
    return Point("cpu", make_tags({"host": host, "cpu": "cpu-total"}), {"usage_active": value}, int(time.time()))


@pytest.fixture
def plain(org: Org, policy: Make) -> Policy:
    """A policy with one of each, carried out."""
    org.secrets["team"] = "s3cret-token"
    org.make_bucket("b")
    made = policy("b", alerts=[{**CPU, "critical": {"above": 90}}], notify=[TEAM])
    kept = org.keep(made)
    assert kept.done == (
        "create check nodetide b HighCPU",
        "create notification endpoint nodetide b team",
        "create notification rule nodetide b team 10s crit",
    )
    assert org.planned(made) == ()
    return made


@pytest.mark.slow
def test_a_crossing_is_told_once_to_each_receiver_and_so_is_its_end(
    org: Org, policy: Make, until: Until, received: Received
) -> None:
    org.secrets |= {"team": "s3cret-token\n", "chat": f"{received.url}/hook/of/slack"}
    org.make_bucket("b")
    wanted = policy(
        "b",
        alerts=[{**CPU, "critical": {"above": 90}, "warning": {"above": 80}, "labels": {"team": "core"},
                 "annotations": {"summary": "It is hot."}}],
        notify=[
            {**TEAM, "url": f"{received.url}/in"},
            {"name": "chat", "type": "slack", "secretRef": {"name": "chat", "key": "url"}, "severities": ["critical"],
             "match": {"team": "core", "host": "hot"}},
            {"name": "elsewhere", "type": "http", "url": f"{received.url}/elsewhere", "match": {"team": "other"}},
        ],
    )  # fmt: skip
    kept = org.keep(wanted)
    assert (kept.troubles, kept.checks, kept.rules) == ((), 1, 2)
    assert "nodetide b elsewhere" not in org.listed("notificationEndpoints")

    # It is too hot from the beginning: who comes late is told all the same.
    def told(value: float, count: int) -> Any:
        org.write("b", [cpu("hot", value), cpu("cool", 20.0)])
        time.sleep(0.4)  # a sample a second is enough
        return len(received.at("/in")) >= count

    until(lambda: told(99.0, 1), 180, org.statuses)
    until(lambda: told(20.0, 2), 180, org.statuses)
    for _ in range(30):
        told(20.0, 2)
    first, last = received.at("/in")
    assert {first.authorization, last.authorization} == {"Bearer s3cret-token"}
    for message, level in ((first, "crit"), (last, "ok")):
        body = message.body
        assert (body["_level"], body["alertname"], body["policy"], body["namespace"], body["host"], body["team"]) == (
            level, "HighCPU", "b", "default", "hot", "core",
        )  # fmt: skip
        assert body["_message"] == f"HighCPU is {level}: host=hot cpu=cpu-total {body['_reading']:g}\nIt is hot."
    posts = [message.body["attachments"][0] for message in received.at("/hook/of/slack")]
    assert [(post["color"], post["text"]) for post in posts] == [
        ("danger", first.body["_message"]), ("good", last.body["_message"]),
    ]  # fmt: skip
    levels = [row["_level"] for row in org.statuses() if row["host"] == "hot"]
    assert levels[0] == "ok" and set(levels[1 : levels.index("ok", 1)]) <= {"crit", "warn"}
    assert {row["_level"] for row in org.statuses() if row["host"] == "cool"} == {"ok"}
    assert received.at("/elsewhere") == []
    # What keeps the address secret: InfluxDB shows it to nobody.
    shown = str([org.listed(kind) for kind in KINDS])
    for rule in org.listed("notificationRules").values():
        shown += str(org.call("GET", f"/api/v2/notificationRules/{rule['id']}/query"))
    assert "hook" not in shown and "s3cret" not in shown


@pytest.mark.parametrize("host", ["http://127.0.0.1:{port}", "http://127.0.0.1:9/%zz", "hooks.example"])
def test_of_a_receiver_that_cannot_be_told_no_secret_is_told(org: Org, policy: Make, until: Until, host: str) -> None:
    """Of an address that is none, the error of which InfluxDB tells names the whole."""
    (closed,) = ports.free(1)
    org.make_bucket("b")
    org.secrets["chat"] = f"{host.format(port=closed)}/services/T0/s3cretPath0123456789"
    wanted = policy(
        "b",
        alerts=[{**CPU, "critical": {"above": 90}}],
        notify=[{"name": "chat", "type": "slack", "secretRef": {"name": "chat", "key": "url"}}],
    )

    def failing() -> Any:
        org.write("b", [cpu("hot", 99.0)])
        time.sleep(0.4)
        return [str(trouble) for trouble in org.keep(wanted).troubles]

    (trouble,) = until(failing, 180, org.statuses)
    assert "InfluxDB fails to run it" in trouble
    assert "s3cret" not in trouble and "services" not in trouble


def change(org: Org, kind: str, body: dict[str, Any], method: str = "PATCH") -> None:
    (item,) = org.listed(kind).values()
    whole = {**item, **body} if method == "PUT" else body
    org.call(method, f"/api/v2/{kind}/{item['id']}", whole)


def edited(org: Org) -> None:
    (check,) = org.listed("checks").values()
    text = check["query"]["text"].replace("> 90.0", "> 99.0")
    assert text != check["query"]["text"]
    change(org, "checks", {"query": {**check["query"], "text": text}}, "PUT")


DRIFTS: dict[str, tuple[Callable[[Org], None], str]] = {
    "check edited": (edited, "change check nodetide b HighCPU"),
    "check paused": (lambda org: change(org, "checks", {"status": "inactive"}), "change check nodetide b HighCPU"),
    "check described": (
        lambda org: change(org, "checks", {"description": "mine"}), "change check nodetide b HighCPU",
    ),
    "check deleted": (
        lambda org: org.call("DELETE", f"/api/v2/checks/{next(iter(org.listed('checks').values()))['id']}"),
        "create check nodetide b HighCPU",
    ),
    "endpoint moved": (
        lambda org: change(org, "notificationEndpoints", {"url": "http://elsewhere"}, "PUT"),
        "change notification endpoint nodetide b team",
    ),
    "endpoint paused": (
        lambda org: change(org, "notificationEndpoints", {"status": "inactive"}),
        "change notification endpoint nodetide b team",
    ),
    "secret changed there": (
        lambda org: change(org, "notificationEndpoints", {"token": "another"}, "PUT"),
        "change notification endpoint nodetide b team",
    ),
    "secret changed here": (
        lambda org: org.secrets.update(team="rotated-token"), "change notification endpoint nodetide b team",
    ),
    "rule edited": (
        lambda org: change(org, "notificationRules", {"every": "1h"}, "PUT"),
        "change notification rule nodetide b team 10s crit",
    ),
    "rule paused": (
        lambda org: change(org, "notificationRules", {"status": "inactive"}),
        "change notification rule nodetide b team 10s crit",
    ),
    "rule renamed": (
        lambda org: change(org, "notificationRules", {"name": "mine"}),
        "create notification rule nodetide b team 10s crit",
    ),
}  # fmt: skip


@pytest.mark.parametrize("drift", DRIFTS)
def test_what_somebody_changes_is_mended(org: Org, plain: Policy, drift: str) -> None:
    before = {kind: essence(org, kind) for kind in KINDS}
    make, mended = DRIFTS[drift]
    make(org)
    assert mended in map(str, org.planned(plain))
    org.keep(plain)
    assert org.planned(plain) == ()
    if "here" not in drift:
        assert {kind: essence(org, kind) for kind in KINDS} == before


def essence(org: Org, kind: str) -> dict[str, Any]:
    """All of it but ids and times."""
    changing = ("id", "taskID", "updatedAt", "createdAt", "links", "endpointID", "description", "token", "labels")
    times = ("latestCompleted", "latestScheduled", "lastRunStatus", "lastRunError")
    found = {}
    for name, item in org.listed(kind).items():
        rest = {key: value for key, value in item.items() if key not in (*changing, *times)}
        if "query" in rest:
            rest["query"] = rest["query"]["text"].replace(item["id"], "ID")
        found[name] = {**rest, "mark": read_mark(item["description"])}
    return found


def test_a_rotated_secret_is_the_one_that_is_used(
    org: Org, plain: Policy, policy: Make, until: Until, received: Received
) -> None:
    wanted = policy("b", alerts=[{**CPU, "critical": {"above": 90}}], notify=[{**TEAM, "url": f"{received.url}/in"}])
    org.secrets["team"] = "rotated-token"
    org.keep(wanted)

    def told() -> Any:
        org.write("b", [cpu("hot", 99.0)])
        time.sleep(0.4)
        return received.at("/in")

    (message,) = until(told, 180, org.statuses)
    assert message.authorization == "Bearer rotated-token"


def test_rules_made_twice_are_made_one(org: Org, plain: Policy) -> None:
    (rule,) = org.listed("notificationRules").values()
    twin = {key: rule[key] for key in rule if key not in ("id", "links", "labels", "taskID")}
    org.call("POST", "/api/v2/notificationRules", twin)
    (only,) = org.planned(plain)
    assert str(only) == "delete notification rule nodetide b team 10s crit"
    org.keep(plain)
    assert org.planned(plain) == ()
    assert len(org.listed("notificationRules")) == 1


def test_what_has_the_name_and_is_nobodys_is_adopted(org: Org, policy: Make) -> None:
    org.make_bucket("b")
    query = {"text": 'from(bucket: "b") |> range(start: -1m) |> filter(fn: (r) => r._field == "x") |> mean()'}
    org.call("POST", "/api/v2/checks", {
        "type": "threshold", "name": "nodetide b HighCPU", "orgID": org.id, "every": "1m", "status": "inactive",
        "query": query, "statusMessageTemplate": "x", "thresholds": [{"type": "greater", "value": 1, "level": "CRIT"}],
    })  # fmt: skip
    wanted = policy("b", alerts=[{**CPU, "critical": {"above": 90}}])
    assert org.keep(wanted).done == ("change check nodetide b HighCPU",)
    assert org.planned(wanted) == ()
    assert org.listed("checks")["nodetide b HighCPU"]["type"] == "custom"


@pytest.mark.parametrize("why", ["engine", "suspended", "gone"])
def test_they_go_with_the_policy_and_leave_no_secret(org: Org, plain: Policy, policy: Make, why: str) -> None:
    assert len(org.call("GET", f"/api/v2/orgs/{org.id}/secrets")["secrets"]) == 1
    mine = {"type": "http", "name": "mine", "url": "http://x", "method": "POST", "authMethod": "none",
            "status": "active", "orgID": org.id}  # fmt: skip
    org.call("POST", "/api/v2/notificationEndpoints", mine)
    if why == "gone":
        keeper = org.keeper()
        assert keeper.sweep(lambda mark: mark.owner == "another", keeper.observe()) == ()
        keeper.sweep(lambda mark: (mark.owner, mark.policy, mark.bucket) == (OWNER, "b", "b"), keeper.observe())
    else:
        spec = {"alertEngine": "nodetide"} if why == "engine" else {"suspend": True}
        org.keep(policy("b", alerts=[{**CPU, "critical": {"above": 90}}], notify=[TEAM], **spec))
    assert [list(org.listed(kind)) for kind in KINDS] == [[], ["mine"], []]
    assert org.call("GET", f"/api/v2/orgs/{org.id}/secrets")["secrets"] == []


def test_another_policys_or_installations_are_not_touched(org: Org, plain: Policy, policy: Make) -> None:
    other = policy("other", alerts=[{**CPU, "critical": {"above": 90}}])
    org.keep(other)
    assert org.planned(plain) == ()
    org.keep(policy("b"))
    assert list(org.listed("checks")) == ["nodetide other HighCPU"]
    keeper = org.keeper()
    with pytest.raises(StoreRejected, match="belongs to the stream of the bucket other of test"):
        keeper.plan(other, other.stream, "somebody", keeper.observe(), org.secret)


def test_one_broken_alert_leaves_its_siblings_working_and_is_told_by_name(
    org: Org, plain: Policy, policy: Make, until: Until
) -> None:
    fine = {"type": "flux", "every": "5s", "critical": {"above": 1}}
    wanted = policy(
        "b",
        alerts=[
            {**CPU, "critical": {"above": 90}},
            {**fine, "name": "Syntax", "flux": 'from(bucket: "b")\n  |> range(start: -1m'},
            {**fine, "name": "Nothing", "flux": "x = 1"},
            {**fine, "name": "Task", "flux": 'option task = {name: "x", every: 1h}\nfrom(bucket: "b")'},
            {
                **fine,
                "name": "Fails",
                "flux": 'from(bucket: "b") |> range(start: -1m) |> map(fn: (r) => ({r with _value: int(v: r.host)}))',
            },
            {**fine, "name": "Elsewhere", "flux": 'from(bucket: "nowhere") |> range(start: -1m)'},
            {**fine, "name": "ById", "flux": 'from(bucketID: "0123456789abcdef") |> range(start: -1m)'},
            {**fine, "name": "WorkedOut", "flux": 'x = "other"\nfrom(bucket: x) |> range(start: -1m)'},
            {**fine, "name": "Writes", "flux": 'from(bucket: "b") |> range(start: -1m) |> to(bucket: "b")'},
            {**fine, "name": "Ours", "flux": 'nodetide_experimental.to(bucket: "b")'},
            {**fine, "name": "Posts", "flux": 'import "http"\nfrom(bucket: "b") |> range(start: -1m)'},
            {**CPU, "name": "Tag", "critical": {"above": 1}, "labels": {"host": "x"}},
            {**fine, "name": "Fine", "flux": 'import "date"\nx = 2.0\nfrom(bucket: "b") |> range(start: -1m) // end'},
        ],
        notify=[TEAM, {"name": "lost", "type": "http", "url": "http://x", "secretRef": {"name": "lost", "key": "k"}}],
    )
    before = org.listed("checks")["nodetide b HighCPU"]["id"]
    kept = org.keep(wanted)
    told = {trouble.where: trouble.message for trouble in kept.troubles}
    refused = {"Elsewhere", "ById", "WorkedOut", "Writes", "Ours", "Posts"}
    broken = {"Syntax", "Nothing", "Task", "Tag", *refused}
    assert set(told) == {*(f"alert {name}" for name in broken), "receiver lost"}
    assert "the bucket 'nowhere'; evaluated by InfluxDB, it may read the buckets of its own" in told["alert Elsewhere"]
    assert "a bucket whose name it works out" in told["alert WorkedOut"]
    assert "line 2, column" in told["alert Syntax"]
    assert told["receiver lost"] == "secret lost, key k: lost"
    assert set(org.listed("checks")) == {f"nodetide b {name}" for name in ("HighCPU", "Fails", "Fine")}
    assert org.listed("checks")["nodetide b HighCPU"]["id"] == before
    assert org.planned(wanted) == ()

    def failing() -> Any:
        org.write("b", [cpu("hot", 99.0)])
        # That a run has failed may be told before why it has.
        told = {trouble.where: trouble.message for trouble in org.keep(wanted).troubles}
        return "cannot convert string" in told.get("alert Fails", "")

    until(failing, 180)
    until(lambda: {"nodetide b Fine", "nodetide b HighCPU"} <= {row["_check_name"] for row in org.statuses()}, 180)
    # What worked before it broke goes on as it was.
    broken = policy("b", alerts=[{**fine, "name": "Fine", "flux": "from("}], notify=[TEAM])
    org.keep(broken)
    assert set(org.listed("checks")) == {"nodetide b Fine"}
    # What must not be done does not go on, whoever made it.
    reads = 'from(bucket: "other") |> range(start: -1m)'
    org.keep(policy("b", alerts=[{**fine, "name": "Fine", "flux": reads}], notify=[TEAM]))
    assert org.listed("checks") == {}


def test_what_it_takes_and_no_more(org: Org, plain: Policy, policy: Make) -> None:
    changed = policy("b", alerts=[{**CPU, "critical": {"above": 91}}], notify=[{**TEAM, "url": "http://x"}])
    token = org.may("read orgs", *NEEDED)
    assert org.keep(changed, token).troubles == ()
    org.keep(policy("b"), token)
    org.keep(plain, token)
    assert org.planned(plain) == ()


@pytest.mark.parametrize("missing", NEEDED)
def test_a_token_that_may_not_is_told_and_makes_nothing_over_and_over(org: Org, policy: Make, missing: str) -> None:
    org.secrets["team"] = "s3cret-token"
    org.make_bucket("b")
    token = org.may("read orgs", *(permission for permission in NEEDED if permission != missing))
    wanted = policy("b", alerts=[{**CPU, "critical": {"above": 90}}], notify=[TEAM])
    counts = []
    for _ in range(2):
        if missing == "write secrets":
            org.keep(wanted, token)  # InfluxDB writes an endpoint's secret, whatever the token may do
            with pytest.raises(StoreUnavailable, match="does not allow it"):
                org.keep(policy("b"), token)
        else:
            with pytest.raises(StoreError, match=rf"does not allow it|may not {missing}$") as told:
                org.keep(wanted, token)
            assert token not in str(told.value) and "s3cret" not in str(told.value)
        counts.append([len(org.listed(kind)) for kind in KINDS])
    assert counts[0] == counts[1]


def test_a_policy_of_the_other_engine_needs_none_of_it(org: Org, policy: Make) -> None:
    token = org.may("read orgs")
    assert org.keep(policy("b", alertEngine="nodetide", alerts=[{**CPU, "critical": {"above": 90}}]), token).done == ()
