"""`nodetide policy plan|apply` and `nodetide upkeep` keep the alerts that InfluxDB evaluates."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.waiting import eventually

from nodetide.exits import Exit

pytestmark = pytest.mark.peer

Run = Callable[..., Any]
KINDS = ("checks", "notificationEndpoints", "notificationRules")
NEEDED = ("read orgs", "read buckets", "write buckets", "read tasks", "write tasks", "write secrets",
          *(f"{action} {kind}" for kind in KINDS for action in ("read", "write")))  # fmt: skip
ALERT = {"name": "A", "type": "threshold", "metric": "mem.free", "every": "5s", "critical": {"below": 1}}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """A policy's file: ``write("p", alerts=[…])``."""

    def make(name: str, **spec: Any) -> Path:
        (tmp_path / "policies").mkdir(exist_ok=True)
        path = tmp_path / "policies" / f"{name}.yaml"
        document = {"apiVersion": "nodetide.io/v1alpha1", "kind": "MetricPolicy", "metadata": {"name": name}}
        draft = path.with_name(f".{path.name}")
        draft.write_text(json.dumps({**document, "spec": {"alertEngine": "influxdb", **spec}}))
        draft.replace(path)
        return path

    return make


@pytest.fixture
def environment(org: Any, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "secrets/team").mkdir(parents=True)
    (tmp_path / "secrets/team/token").write_text("hush-hush\n")
    (tmp_path / "admin-token").write_text(org.may(*NEEDED))
    return {**org.environment, "NODETIDE_SECRETS_DIR": str(tmp_path / "secrets")}


def listed(org: Any, kind: str) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in org.call("GET", f"/api/v2/{kind}?orgID={org.id}&limit=100")[kind]}


def clear(org: Any) -> None:
    for kind in reversed(KINDS):
        for item in listed(org, kind).values():
            org.call("DELETE", f"/api/v2/{kind}/{item['id']}")


TEAM = {"name": "team", "type": "http", "url": "http://127.0.0.1:9", "secretRef": {"name": "team", "key": "token"}}


def test_the_plan_is_what_apply_does_and_then_there_is_nothing_to_do(
    org: Any, run: Run, environment: dict[str, str], write: Callable[..., Path]
) -> None:
    path = write("p", alerts=[ALERT], notify=[TEAM])
    planned = run(environment, "policy", "plan", path)
    assert (planned.returncode, planned.stderr) == (Exit.OK, "")
    assert planned.stdout.splitlines()[-3:] == [
        "p: create check nodetide p A", "p: create notification endpoint nodetide p team",
        "p: create notification rule nodetide p team 10s crit",
    ]  # fmt: skip
    assert listed(org, "checks") == {}
    applied = run(environment, "policy", "apply", path)
    assert (applied.returncode, applied.stderr) == (Exit.OK, "")
    assert applied.stdout == f"{planned.stdout}p: done\n"
    for command in ("plan", "apply"):
        again = run(environment, "policy", command, path)
        assert (again.returncode, again.stdout, again.stderr) == (Exit.OK, "p: nothing to do\n", "")
    broken = {**ALERT, "name": "Bad", "type": "flux", "flux": "from("}
    del broken["metric"]
    write("p", alerts=[ALERT, broken], notify=[{**TEAM, "secretRef": {"name": "..", "key": "admin-token"}}])
    for command in ("plan", "apply"):
        told = run(environment, "policy", command, path)
        assert (told.returncode, told.stdout) == (Exit.FAILED, "p: nothing to do\n")
        assert "p: alert Bad: flux: line 1, column" in told.stderr
        assert "p: receiver team: secret .., key admin-token: its name and key must be names" in told.stderr
    clear(org)


def test_upkeep_keeps_them_mends_them_and_ends_those_of_policies_that_are_gone(
    org: Any, run: Run, start: Callable[..., Any], environment: dict[str, str], write: Callable[..., Path],
    tmp_path: Path,
) -> None:  # fmt: skip
    folder = write("p", alerts=[ALERT], notify=[TEAM]).parent
    write("q", alerts=[{**ALERT, "labels": {"host": "x"}}, {**ALERT, "name": "B"}])
    once = run(environment, "upkeep", "--once", "--policy", folder)
    assert once.returncode == Exit.FAILED
    assert "alerts of policy q: alert A: the label 'host' is a tag" in once.stderr
    assert set(listed(org, "checks")) == {"nodetide p A", "nodetide q B"}
    (folder / "q.yaml").unlink()
    (check,) = (item for name, item in listed(org, "checks").items() if name == "nodetide p A")
    org.call("PATCH", f"/api/v2/checks/{check['id']}", {"status": "inactive"})
    one = start(environment, "upkeep", "--policy", str(folder))
    try:
        until(lambda: [item["status"] for item in listed(org, "checks").values()] == ["active"], one.text)
        write("p", alerts=[ALERT], alertEngine="nodetide")
        until(lambda: not any(listed(org, kind) for kind in KINDS), one.text)
    finally:
        assert one.end(signal.SIGTERM) == Exit.OK
    assert "change check nodetide p A" in one.text() and "delete check nodetide q B" in one.text()
    assert "hush" not in once.stderr + one.text()
    clear(org)


def test_a_token_that_may_not_is_told_for_that_policy_alone(org: Any, run: Run, write: Callable[..., Path]) -> None:
    folder = write("p", alerts=[ALERT]).parent
    write("q", alertEngine="nodetide", alerts=[ALERT])
    environment = {
        **org.environment, "INFLUXDB_TOKEN_FILE": "",
        "INFLUXDB_TOKEN": org.may("read orgs", "read buckets", "write buckets", "read tasks", "write tasks"),
    }  # fmt: skip
    once = run(environment, "upkeep", "--once", "--policy", folder)
    assert once.returncode == Exit.FAILED
    assert "alerts of policy p: create check nodetide p A: HTTP 401" in once.stderr
    assert "policy q" not in once.stderr
    assert {"p", "q"} <= set(org.buckets())


def until(condition: Callable[[], Any], told: Callable[[], str]) -> None:
    eventually(condition, told, every=0.1)
