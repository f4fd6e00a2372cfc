"""Prometheus's own judge of rules, and policies to judge."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from servers import program

from nodetide_core.alerts.prometheus import policy_rules
from nodetide_core.alerts.prometheus_text import rule_file
from nodetide_core.policy import Policy, parse_policy

Document = Mapping[str, Any]


@pytest.fixture(scope="session")
def promtool(needs_parts: Callable[..., None]) -> Callable[..., str]:
    """Runs promtool, which must be content, and gives what it says."""
    needs_parts("promtool")
    path = program("promtool")

    def run(*arguments: str | Path) -> str:
        done = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def policy() -> Callable[..., Policy]:
    """The policy ``p`` with these alerts."""

    def make(*alerts: Document, **spec: Any) -> Policy:
        return parse_policy(
            {
                "apiVersion": "nodetide.io/v1alpha1",
                "kind": "MetricPolicy",
                "metadata": {"name": "p"},
                "spec": {"alerts": [{"type": "threshold", **alert} for alert in alerts], **spec},
            }
        )

    return make


@pytest.fixture
def play(promtool: Callable[..., str], tmp_path: Path) -> Callable[..., None]:
    """Has promtool play series and compare what fires."""

    def run(scenarios: Iterable[tuple[Sequence[Policy], Document]]) -> None:
        files = []
        for number, (policies, test) in enumerate(scenarios):
            rules, file = tmp_path / f"rules-{number}.yaml", tmp_path / f"test-{number}.yaml"
            rules.write_text(rule_file([policy_rules(policy) for policy in policies]))
            whole = {"rule_files": [rules.name], "evaluation_interval": "30s", "tests": [test]}
            file.write_text(json.dumps(whole))  # which is YAML
            files.append(file)
        promtool("test", "rules", *files)

    return run
