"""From a policy to InfluxDB and back: the real process with its own rights, on the real servers."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml
from tests.integration.operator.expected import Wanted, check_influx, check_kubernetes, check_tokens
from tests.integration.operator.site import Site, eventually, spec

pytestmark = pytest.mark.peer

EXAMPLES = sorted((Path(__file__).resolve().parents[3] / "manifests" / "examples").glob("*.yaml"))
TIERS = {"raw": "24h", "5m": "7d"}
WRITES = ("create", "update", "patch", "delete", "deletecollection")


def test_applied_it_is_ready_with_everything_in_influxdb(site: Site) -> None:
    site.start()
    eventually(lambda: site.probe("/readiness")[0] == 200, site.log)
    began = time.monotonic()
    site.apply("p")
    site.ready("p")
    print(f"seconds from apply to ready: {time.monotonic() - began:.2f}")
    wanted = [Wanted.of("p", {})]
    check_influx(site, wanted)
    check_tokens(site, wanted)
    check_kubernetes(site, wanted)
    status = site.policy("p")["status"]
    ids = {name: bucket["id"] for name, bucket in site.org.buckets().items()}
    assert {item["name"]: item["id"] for item in status["buckets"]} == ids
    assert {item["id"] for item in status["tasks"]} == {task["id"] for task in site.org.tasks()}
    secrets = [site.org.token, *(site.kube.token(site.namespace, name) for name in ("collector", "api"))]
    assert not any(secret is None or secret in site.log() for secret in secrets)


def test_edited_it_is_so_in_influxdb(site: Site) -> None:
    site.start()
    site.apply("p", spec({"raw": "24h", "5m": "7d"}))
    site.ready("p")
    edited = spec({"raw": "2d", "5m": "8d", "1h": "30d"}, collection={"interval": "2s"})
    began = time.monotonic()
    site.apply("p", edited)
    eventually(lambda: check_influx(site, [Wanted.of("p", edited)]), site.log)
    print(f"seconds from edit to influxdb: {time.monotonic() - began:.2f}")
    site.ready("p")
    check_kubernetes(site, [Wanted.of("p", edited)])


def test_every_example_comes_into_effect(site: Site) -> None:
    documents = [document for file in EXAMPLES for document in yaml.safe_load_all(file.read_text())]
    policies = [document for document in documents if document["kind"] == "MetricPolicy"]
    assert len(policies) >= 6
    for policy in policies:
        site.apply(policy["metadata"]["name"], policy["spec"])
    site.start()
    site.ready(*(policy["metadata"]["name"] for policy in policies))
    check_influx(site, [Wanted.of(policy["metadata"]["name"], policy["spec"]) for policy in policies])


def _writes(site: Site, audit: Path) -> Counter[str]:
    """What the operator has asked the apiserver to change."""
    found: Counter[str] = Counter()
    for line in audit.read_text().splitlines():
        entry = json.loads(line)
        if entry["verb"] in WRITES and entry["user"]["username"].startswith(f"system:serviceaccount:{site.namespace}:"):
            found[f"{entry['verb']} {entry['objectRef']['resource']}"] += 1
    return found


def _changes(site: Site) -> Counter[str]:
    """Requests to InfluxDB, as itself counts them, but those that only read."""
    found: Counter[str] = Counter()
    for labels, count in re.findall(r"^http_api_requests_total\{(.*)\} (\S+)$", site.org.call("GET", "/metrics"), re.M):
        told = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        if told["method"] != "GET" and told["path"] not in ("/query", "/api/v2/query"):
            found[f"{told['method']} {told['path']}"] += int(float(count))
    return found


def _turns(site: Site, loop: str) -> float:
    return site.metric("nodetide_operator_turns_total", loop=loop, result="ok")


@pytest.mark.slow
def test_of_alerts_that_do_not_fire_it_is_noted_once_that_they_are_evaluated(site: Site, audit: Path) -> None:
    """And then nothing for ten minutes."""
    alert = {
        "name": "Never", "type": "threshold", "metric": "mem.used_percent", "every": "5s", "critical": {"above": 100},
    }  # fmt: skip
    began = int(time.time())
    site.start()
    site.apply("p", spec({"raw": "24h"}, alerts=[alert]))
    site.apply("none", spec({"raw": "24h"}))
    site.ready("p", "none")
    site.comes_to("p", "AlertsReady", "True Evaluated")
    (row,) = site.org.query("p", "SELECT * FROM nodetide_alert_evaluated")
    assert began <= row["at"] == row["time"] <= time.time()
    site.quiet()
    before, turns = _writes(site, audit) + _changes(site), _turns(site, "alerts")
    eventually(lambda: _turns(site, "alerts") >= turns + 3, site.log)
    assert _writes(site, audit) + _changes(site) == before
    assert site.org.query("p", "SELECT * FROM nodetide_alert_evaluated") == [row]
    assert {found["name"] for found in site.org.query("p", "SHOW MEASUREMENTS")} == {"nodetide_alert_evaluated"}
    assert site.org.query("none", "SHOW MEASUREMENTS") == []


@pytest.mark.slow
def test_fifty_policies_that_nobody_changes_cause_no_write(site: Site, audit: Path) -> None:
    names = [f"p{number}" for number in range(49)]
    for name in names:
        site.apply(name, spec(TIERS))
    began = time.monotonic()
    site.start(NODETIDE_RESYNC="1s")
    site.ready(*names, patience=300)
    print(f"seconds until fifty are ready: {time.monotonic() - began:.2f}")
    # Of one of them there is data, which is to be rolled up, and that is remembered in its tier.
    now = int(time.time())
    site.org.write("p0", "\n".join(f"mem,host=a used_percent={n % 100} {now - n}" for n in range(0, 3_600, 10)))

    # One more policy has it look at once.
    names.append("last")
    site.apply("last", spec(TIERS))
    eventually(lambda: site.org.query("p0-5m", "SELECT count(used_percent_count) FROM mem"), site.log)
    for name in names:
        site.comes_to(name, "DownsamplingUpToDate", "True UpToDate")

    def counted() -> Counter[str]:
        found = _writes(site, audit) + _changes(site)
        del found["POST /api/v2/write"]
        return found

    def still() -> Counter[str]:
        turns, before = _turns(site, "reconcile"), counted()
        eventually(lambda: _turns(site, "reconcile") >= turns + 2, site.log)
        assert counted() == before
        return before

    # A window may end meanwhile, of the one that has data, and once more is none due for minutes.
    for last in (False, True):
        before = eventually(still, site.log)
        turns, written = _turns(site, "reconcile"), _changes(site)["POST /api/v2/write"]
        eventually(lambda turns=turns: _turns(site, "reconcile") >= turns + 5, site.log)
        if counted() == before:
            break
        assert not last, counted() - before
    # At the end of a window there may be a few, of the one that has data.
    assert _changes(site)["POST /api/v2/write"] - written <= 4
    assert {row["name"] for row in site.org.query("p0", "SHOW MEASUREMENTS")} == {"mem"}, "raw has points, not state"
    assert site.org.query("p1-5m", "SHOW MEASUREMENTS") == []
    assert before["create events"] >= len(names), "the log tells of this operator"
    assert before["POST /api/v2/buckets"] >= 2 * len(names)
