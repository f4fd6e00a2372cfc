"""Files of the repository that the chart needs a copy of, for Helm reads nothing outside of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import yaml

from nodetide_core.alerts.prometheus import policy_rules
from nodetide_core.policy.load import load_policies
from nodetide_operator.crd import render as crd

__all__ = ["render"]

_ROOT = Path(__file__).resolve().parents[2]
_GRAFANA = _ROOT / "grafana"
_ALERTS = _ROOT / "manifests/examples/default-alerts.yaml"


def render() -> dict[str, str]:
    """By path below the chart's ``files/``."""
    found = {
        "crd.yaml": crd(),
        "provisioning/datasource.yml": (_GRAFANA / "provisioning/datasources/nodetide.yml").read_text(),
        "provisioning/dashboards.yml": (_GRAFANA / "provisioning/dashboards/nodetide.yml").read_text(),
        "default-alerts.yaml": _alerts(),
        "prometheus-rules.yaml": _rules(),
    }
    for board in sorted((_GRAFANA / "dashboards").glob("*.json")):
        found[f"dashboards/{board.name}"] = board.read_text()
    return found


def _alerts() -> str:
    """The chart puts an address in place of the word."""
    return _movable(_dumped(yaml.safe_load(_ALERTS.read_text())["spec"]["alerts"]))


def _rules() -> str:
    """The same alerts, as Prometheus evaluates them. The chart puts names in place of the other two words."""
    (policy,) = load_policies(_ALERTS)
    return _movable(_dumped({"groups": policy_rules(replace(policy, name="POLICY", namespace="NAMESPACE")).groups}))


def _movable(text: str) -> str:
    """With a word in place of where runbooks are."""
    return re.sub(r"runbook_url: \S+/(?=\w+\.md)", "runbook_url: RUNBOOKS/", text)


def _dumped(content: object) -> str:
    # Through JSON: what is in there twice would be written as a reference otherwise.
    return yaml.safe_dump(json.loads(json.dumps(content)), sort_keys=False, width=120)
