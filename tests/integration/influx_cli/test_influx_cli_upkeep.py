"""`nodetide upkeep` on a real InfluxDB: makes what is asked for, follows, repairs, waits and ends."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from servers.client import CallFailed
from tests.integration.influx_cli.switch import Outage, Switch
from tests.integration.standalone.process import Nodetide, until

from nodetide.exits import Exit

pytestmark = pytest.mark.peer

DAY = 86_400
TIERS = {"raw": "24h", "5m": "7d"}
Run = Callable[..., Any]
Start = Callable[..., Nodetide]
Write = Callable[..., Path]


def token(folder: Path, name: str) -> str:
    return (folder / name / "token").read_text()


def seed(org: Any, bucket: str, *, hours: float, step: int = 60) -> Sequence[int]:
    """Raw points of the last hours; their times."""
    now = int(time.time())
    times = range(now - int(hours * 3_600), now, step)
    org.write(bucket, "\n".join(f"mem,host=old used={n}i,used_percent={n % 100} {at}" for n, at in enumerate(times)))
    return times


def test_once_sets_everything_up_catches_up_and_ends(org: Any, run: Run, policy: Write, tmp_path: Path) -> None:
    path = policy("p", tiers={**TIERS, "1h": "30d"})
    run(org.environment, "policy", "apply", path)
    seed(org, "p", hours=3)
    arguments = ("upkeep", "--once", "--policy", path, "--token-dir", tmp_path / "tokens")
    outcome = run(org.environment, *arguments)
    assert outcome.returncode == Exit.OK, outcome.stderr
    windows = org.query("p-5m", "SELECT count(used_percent_count) FROM mem")[0]["count"]
    assert windows >= 3 * 12 - 2
    assert org.query("p-1h", "SELECT count(used_percent_count) FROM mem")[0]["count"] >= 2
    made = org.tokens()
    assert len(made) == 2
    tokens = {name: token(tmp_path / "tokens", name) for name in ("collector", "api")}
    assert not any(text in outcome.stdout + outcome.stderr for text in (*tokens.values(), org.token))
    again = run(org.environment, *arguments)
    assert again.returncode == Exit.OK, again.stderr
    assert (org.tokens(), {name: token(tmp_path / "tokens", name) for name in tokens}) == (made, tokens)


def test_without_a_token_directory_no_tokens_are_made(org: Any, run: Run) -> None:
    assert run(org.environment, "upkeep", "--once").returncode == Exit.OK
    assert "system-metrics-1d" in org.buckets()
    assert org.tokens() == {}


def test_once_does_what_it_can_and_says_what_not(org: Any, run: Run, policy: Write, tmp_path: Path) -> None:
    run(org.environment, "policy", "apply", policy("first", bucket="taken", tiers=TIERS))
    policy("good", tiers=TIERS, file="policies/good.yaml")
    policy("thief", bucket="taken", tiers=TIERS, file="policies/thief.yaml")
    folder = tmp_path / "tokens"
    outcome = run(
        org.environment, "upkeep", "--once", "--policy", tmp_path / "policies", "--token-dir", folder
    )  # fmt: skip
    assert outcome.returncode == Exit.FAILED
    assert "policy thief: the bucket taken belongs to the policy first" in outcome.stderr
    assert "allow-data-loss" not in outcome.stderr
    buckets = org.buckets()
    given = {item["resource"]["name"] for made in org.tokens().values() for item in made["permissions"]}
    assert given == {"good", "good-5m"} <= set(buckets), "the refused one gets no key to another's bucket"
    policy("thief", bucket="own", tiers={"raw": "24h"}, file="policies/thief.yaml")
    assert run(org.environment, "upkeep", "--once", "--policy", tmp_path / "policies").returncode == Exit.OK


def test_a_token_that_may_not_make_tokens_is_told_and_the_rest_goes_on(org: Any, run: Run, tmp_path: Path) -> None:
    permissions = ["read orgs", "read buckets", "write buckets", "read tasks", "write tasks"]
    for more in ([], ["read authorizations", "write authorizations"], ["read users"], ["write users"]):
        permissions += more
        narrow = org.may(*[p for p in permissions if not ("write users" in more and p == "read users")])
        environment = {"INFLUXDB_URL": org.server.url, "INFLUXDB_ORG": org.name, "INFLUXDB_TOKEN": narrow}
        outcome = run(environment, "upkeep", "--once", "--token-dir", tmp_path / "tokens")
        assert outcome.returncode == Exit.FAILED
        assert "tokens: " in outcome.stderr and "the token does not allow it" in outcome.stderr
        assert narrow not in outcome.stderr
        assert len(org.buckets()) == 4
        assert org.tokens() == {}, "what could not be handed over stays behind"


def test_a_directory_that_cannot_be_written_is_told_and_leaves_no_tokens_behind(
    org: Any, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "tokens").write_text("a file is in the way")
    for _ in range(2):
        outcome = run(org.environment, "upkeep", "--once", "--token-dir", tmp_path / "tokens")
        assert outcome.returncode == Exit.FAILED
        assert f"tokens: [Errno 20] Not a directory: '{tmp_path}/tokens/collector" in outcome.stderr
    assert org.tokens() == {}


def test_a_wrong_policy_at_the_start_is_a_wrong_use(org: Any, run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("spec: {storage: {bucket: 7}}\n")
    outcome = run(org.environment, "upkeep", "--policy", tmp_path / "bad.yaml")
    assert outcome.returncode == Exit.USAGE
    assert "bad.yaml: kind: must be" in outcome.stderr and "Traceback" not in outcome.stderr
    assert org.buckets() == {}


def test_an_edited_policy_is_followed(org: Any, start: Start, policy: Write) -> None:
    path = policy("p", tiers=TIERS)
    one = start(org.environment, "upkeep", "--policy", str(path))
    until(lambda: "nodetide p-5m" in org.tasks(), 120, one.text)
    policy("p", tiers={**TIERS, "1h": "30d"})
    until(lambda: "nodetide p-1h" in org.tasks(), 120, one.text)
    assert one.end(signal.SIGTERM) == Exit.OK


def test_it_waits_for_an_influxdb_that_is_down_at_its_start(org: Any, start: Start, tmp_path: Path) -> None:
    with Switch(org.server.port) as switch:
        switch.fail(Outage.REFUSED)
        environment = {**org.environment, "INFLUXDB_URL": switch.url}
        one = start(environment, "upkeep", "--token-dir", str(tmp_path / "tokens"))
        until(lambda: "Connection refused" in one.text(), 120, one.text)
        switch.mend()
        until(lambda: len(org.tasks()) == 3 and len(org.tokens()) == 2, 120, one.text)
        until(lambda: "policy system-metrics: works again" in one.text(), 120, one.text)
    assert one.end(signal.SIGTERM) == Exit.OK
    assert org.token not in one.text()


@pytest.mark.parametrize("streams", [1, 2])
def test_it_ends_promptly_while_a_rollup_runs(
    org: Any, start: Start, run: Run, policy: Write, tmp_path: Path, streams: int
) -> None:
    """One run may take minutes; nor must the next stream's be begun."""
    for name in "pq"[:streams]:
        policy(name, tiers=TIERS, file=f"policies/{name}.yaml")
    run(org.environment, "policy", "apply", tmp_path / "policies")
    for name in "pq"[:streams]:
        seed(org, name, hours=1)
    rolling = ("POST /api/v2/query", "POST /api/v2/write")
    with Switch(org.server.port) as switch, switch.holding(*rolling):
        one = start(
            {**org.environment, "INFLUXDB_URL": switch.url}, "upkeep", "--policy", str(tmp_path / "policies")
        )  # fmt: skip
        until(lambda: any(switch.requests[request] for request in rolling), 120, one.text)
        assert one.end(signal.SIGTERM, timeout=60) == Exit.OK  # which is killed if it needs longer
        assert sum(switch.requests[request] for request in rolling) == 1
    assert "Traceback" not in one.text() and "ERROR" not in one.text()


def test_it_ends_promptly_while_influxdb_hangs(org: Any, start: Start) -> None:
    with Switch(org.server.port) as switch:
        switch.fail(Outage.HANGING)
        one = start({**org.environment, "INFLUXDB_URL": switch.url}, "upkeep")
        until(lambda: switch.connections, 120, one.text)
        assert one.end(signal.SIGINT, timeout=40) == Exit.OK
    assert "Traceback" not in one.text()


def test_collector_upkeep_and_api_with_only_the_tokens_made(org: Any, start: Start, run: Run, tmp_path: Path) -> None:
    """One host without Kubernetes, as docs/operations.md has it."""
    run(org.environment, "policy", "apply")
    seeded = seed(org, "system-metrics", hours=5)
    folder = tmp_path / "tokens"
    upkeep = start(org.environment, "upkeep", "--token-dir", str(folder))
    until(lambda: (folder / "collector/token").exists() and (folder / "api/token").exists(), 120, upkeep.text)
    found = {"INFLUXDB_URL": org.server.url, "INFLUXDB_ORG": org.name}
    collector = start(
        {**found, "INFLUXDB_TOKEN_FILE": str(folder / "collector/token")},
        "collect", "--spool-dir", str(tmp_path / "spool"), "--flush-interval", "1s",
    )  # fmt: skip
    api = start(
        {**found, "INFLUXDB_TOKEN_FILE": str(folder / "api/token")}, "serve", "--listen", "127.0.0.1:0"
    ).wait_until_running()
    until(lambda: api.newest() > seeded[-1] + 60, 180, lambda: collector.text() + api.text())
    assert api.get("/readiness")["status"] == "ok"
    path = "/api/v1/metrics/history?metric=mem.used_percent&host=old&start_time=-5h&step=5m&agg=count"

    def from_the_tier() -> Any:
        answer = api.get(path)
        assert answer["tier"] == "5m"
        (series,) = answer["series"]
        whole = sum(value or 0 for value in series["v"])
        # What lies in a step that began before the start, which goes on with time, is not in the answer.
        return whole == sum(time >= series["t"][0] for time in seeded) and whole

    whole = until(from_the_tier, 180, upkeep.text)
    rolled_up = "SELECT sum(used_percent_count) FROM mem WHERE host = 'old'"
    # Then the answer is made from the tier, not from raw points.
    until(lambda: org.query("system-metrics-5m", rolled_up)[0]["sum"] >= whole - 10, 180, upkeep.text)
    for process in (collector, upkeep, api):
        text = process.text()
        assert process.end(signal.SIGTERM) == Exit.OK
        assert not any(token(folder, name) in text for name in ("collector", "api")) and org.token not in text
    assert "points_dropped=0" in collector.text()


def test_the_tokens_do_what_they_are_for_and_nothing_else(org: Any, run: Run, policy: Write, tmp_path: Path) -> None:
    folder = tmp_path / "tokens"
    other = org.make_bucket("other")
    org.write("other", "mem,host=a used=1i")
    path = policy("p", tiers=TIERS)
    assert run(org.environment, "upkeep", "--once", "--policy", path, "--token-dir", folder).returncode == Exit.OK
    collector, api = token(folder, "collector"), token(folder, "api")
    now = int(time.time())
    org.write("p", f"mem,host=a used=2i {now}", collector)
    assert org.query("p", "SELECT used FROM mem", api)[0]["used"] == 2
    org.query("p-5m", "SELECT used FROM mem", api)

    def refused(who: str, method: str, path: str, body: object = None) -> bool:
        try:
            answer = org.call_as(who, method, path, body)
        except CallFailed as error:
            assert error.status in (400, 401, 403, 404), error
            return True
        return isinstance(answer, dict) and "error" in json.dumps(answer.get("results", []))

    write = f"/api/v2/write?precision=s&org={org.id}&bucket="
    read = "/query?q=SELECT%20used%20FROM%20mem&db="
    flux = {"query": 'from(bucket: "p") |> range(start: -1h)'}
    for name in ("other", "p-5m", "_monitoring"):
        assert refused(collector, "POST", f"{write}{name}", f"mem,host=a used=3i {now}"), name
    for name in ("other", "p", "p-5m"):
        assert refused(collector, "GET", f"{read}{name}"), name
        assert refused(api, "POST", f"{write}{name}", f"mem,host=a used=3i {now}"), name
    assert refused(api, "GET", f"{read}other")
    assert refused(collector, "POST", f"/api/v2/query?org={org.id}", flux)
    span = {"start": "2020-01-01T00:00:00Z", "stop": "2040-01-01T00:00:00Z"}
    assert refused(api, "POST", f"/api/v2/delete?org={org.id}&bucket=p", span)
    # But not the collector's: InfluxDB lets who may write to a bucket also change and delete it.
    assert refused(api, "DELETE", f"/api/v2/buckets/{org.buckets()['p']['id']}")
    for who in (collector, api):
        visible = org.call_as(who, "GET", f"/api/v2/buckets?orgID={org.id}")["buckets"]
        assert {bucket["name"] for bucket in visible} == (set() if who == collector else {"p", "p-5m"})
        assert refused(who, "GET", f"/api/v2/buckets/{other}")
        assert refused(who, "POST", "/api/v2/buckets", {"orgID": org.id, "name": "new"})
        assert org.call_as(who, "GET", f"/api/v2/tasks?orgID={org.id}")["tasks"] == []
        assert refused(who, "POST", "/api/v2/authorizations", {"orgID": org.id, "permissions": []})
        assert org.call_as(who, "GET", "/api/v2/authorizations")["authorizations"] == []
    assert org.query("other", "SELECT count(used) FROM mem")[0]["count"] == 1
    assert org.query("p", "SELECT count(used) FROM mem")[0]["count"] == 1
