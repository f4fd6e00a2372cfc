"""Alerts of `nodetide run`, as a user sees them: told, shown, and neither repeated nor forgotten when it is killed."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path

from tests.integration.standalone.alert_story import Hook, policy_text, tell_the_story
from tests.integration.standalone.process import Nodetide, until

from nodetide.exits import Exit

Run = Callable[..., Nodetide]


def test_an_alert_from_its_beginning_to_its_end(run: Run, tmp_path: Path):
    running: list[Nodetide] = []
    policy, secrets = tmp_path / "policy.yaml", tmp_path / "secrets"

    def evaluator() -> Nodetide:
        running.append(run("--policy", str(policy), "--secrets-dir", str(secrets)).wait_until_running())
        return running[-1]

    with Hook() as hook:
        tell_the_story(hook, policy, secrets, evaluator, lambda: running[-1])
        assert running[-1].get("/health")["checks"]["alerts"] == "ok"
        assert running[-1].end(signal.SIGTERM) == Exit.OK


def test_a_secret_that_is_missing_is_told_by_its_file_and_never_by_what_it_holds(run: Run, tmp_path: Path):
    policy, secrets = tmp_path / "policy.yaml", tmp_path / "secrets"
    with Hook() as hook:
        policy.write_text(policy_text(hook.url, ["Up"]))
        one = run("--policy", str(policy), "--secrets-dir", str(secrets)).wait_until_running()

        def said() -> bool:
            return str(secrets / "hook" / "token") in one.get("/health")["checks"]["alerts"]

        until(said, 180, one.text)
        assert one.get("/health")["status"] == "degraded"
        assert one.text().count("receiver hook") == 1, "once, however often it is tried"
        assert hook.taken == []
        assert one.end(signal.SIGTERM) == Exit.OK
    assert "Traceback" not in one.text()


def test_an_alert_of_a_policy_that_is_suspended_ends_and_is_told_so(run: Run, tmp_path: Path):
    policy, secrets = tmp_path / "policy.yaml", tmp_path / "secrets"
    (secrets / "hook").mkdir(parents=True)
    (secrets / "hook" / "token").write_text("t")
    with Hook() as hook:
        text = policy_text(hook.url, ["Up"])
        policy.write_text(text + "  suspend: true\n")
        one = run("--policy", str(policy), "--secrets-dir", str(secrets)).wait_until_running()
        policy.write_text(text)
        until(lambda: hook.told() == [("Up", "firing")], 180, one.text)
        policy.write_text(text + "  suspend: true\n")
        until(lambda: hook.told() == [("Up", "firing"), ("Up", "resolved")], 180, one.text)
        assert hook.taken[1]["reason"] == "suspended"
        assert one.get("/api/v1/alerts")["alerts"] == []
        assert one.end(signal.SIGTERM) == Exit.OK
    assert re.findall(r"(?:WARNING|ERROR).* nodetide(?:_core)?\.alert.*", one.text()) == []


def test_alerts_that_only_influxdb_could_evaluate_are_not_said_to_be_evaluated(run: Run, tmp_path: Path):
    policy = tmp_path / "policy.yaml"
    policy.write_text(policy_text("http://127.0.0.1:9/", ["Up"]) + "  alertEngine: influxdb\n")
    one = run("--policy", str(policy)).wait_until_running()
    assert one.get("/api/v1/alerts") == {"evaluated": False, "firing": 0, "pending": 0, "alerts": []}
    until(lambda: "nobody evaluates the alerts of policy watched" in one.text(), 180, one.text)


def test_without_a_policy_of_its_own_an_empty_list_says_that_nothing_fires(run: Run):
    one = run().wait_until_running()
    assert until(lambda: one.get("/api/v1/alerts")["evaluated"], 180, one.text)
    assert one.get("/api/v1/alerts")["alerts"] == []
