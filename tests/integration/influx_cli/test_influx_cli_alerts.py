"""Alerts of `nodetide upkeep` over a real InfluxDB: the same policy as standalone, with the same outcome."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.standalone.alert_story import NEVER, Hook, policy_text, tell_the_story
from tests.integration.standalone.process import Nodetide, until

from nodetide.exits import Exit

pytestmark = pytest.mark.peer

Start = Callable[..., Nodetide]


def test_an_alert_from_its_beginning_to_its_end(org: Any, start: Start, tmp_path: Path) -> None:
    policy, secrets = tmp_path / "watched.yaml", tmp_path / "secrets"
    serving = start(org.environment, "serve", "--listen", "127.0.0.1:0").wait_until_running()
    running: list[Nodetide] = []

    def evaluator() -> Nodetide:
        if not running:
            spool = str(tmp_path / "spool")
            flags = ("--spool-dir", spool, "--flush-interval", "1s")
            start(org.environment, "collect", "--policy", str(policy), *flags)
        flags = ("--policy", str(policy), "--secrets-dir", str(secrets))
        running.append(start(org.environment, "upkeep", *flags))
        return running[-1]

    with Hook() as hook:
        tell_the_story(hook, policy, secrets, evaluator, lambda: serving)
        assert running[-1].end(signal.SIGTERM) == Exit.OK
    assert org.token not in running[0].text() + running[1].text()


def test_that_alerts_are_evaluated_is_seen_before_any_fires(org: Any, start: Start, tmp_path: Path) -> None:
    policy = tmp_path / "watched.yaml"
    policy.write_text(policy_text("http://127.0.0.1:9/", ["Up"], NEVER).partition("  notify:")[0])
    applied = start(org.environment, "policy", "apply", str(policy))
    assert applied.process.wait(60) == Exit.OK, applied.text()
    serving = start(org.environment, "serve", "--listen", "127.0.0.1:0").wait_until_running()
    nothing = {"evaluated": False, "firing": 0, "pending": 0, "alerts": []}
    assert serving.get("/api/v1/alerts") == nothing
    keeping = start(org.environment, "upkeep", "--policy", str(policy))
    until(lambda: serving.get("/api/v1/alerts") == {**nothing, "evaluated": True}, 60, keeping.text)
