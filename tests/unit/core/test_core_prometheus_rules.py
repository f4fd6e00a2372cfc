"""Policies as rules of Prometheus: what is there, what is not, and that it is said."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from nodetide_core.alerts.prometheus import PolicyRules, policy_rules
from nodetide_core.alerts.prometheus_text import rule_file, rule_objects
from nodetide_core.policy import parse_policy

BUSY: dict[str, Any] = {
    "name": "Busy", "type": "threshold", "metric": "cpu.usage_active", "filter": {"cpu": "cpu-total"},
    "groupBy": ["host"], "window": "2m", "critical": {"above": 95}, "warning": {"above": 85, "recover": 80},
}  # fmt: skip
SILENT: dict[str, Any] = {"name": "Silent", "type": "deadman", "metric": "system", "window": "2m"}
QUERY: dict[str, Any] = {"name": "Query", "type": "flux", "flux": "from(x)", "warning": {"above": 1}}


def rendered(*alerts: dict[str, Any], namespace: str | None = None, **spec: Any) -> PolicyRules:
    return policy_rules(
        parse_policy(
            {
                "apiVersion": "nodetide.io/v1alpha1",
                "kind": "MetricPolicy",
                "metadata": {"name": "p", "namespace": namespace},
                "spec": {"alerts": list(alerts), **spec},
            }
        )
    )


def test_one_rule_for_each_severity_and_one_more_where_it_recovers() -> None:
    (group,) = rendered(BUSY).groups
    assert (group["name"], group["interval"]) == ("default/p/Busy", "30s")
    critical, held, warning = group["rules"]
    value = 'max by (cluster, host) (avg_over_time(nodetide_cpu_usage_active_percent{cpu="cpu-total"}[2m]))'
    assert critical == {
        "alert": "Busy",
        "expr": f"{value} > 95",
        "labels": {"severity": "critical", "policy": "p", "namespace": "default"},
    }
    assert held["record"] == "nodetide_alert_held"
    assert held["expr"].startswith(f"{value} > 85 or ({value} >= 80 and on (cluster, host) nodetide_alert_held{{")
    assert warning["expr"].startswith("max by (cluster, host) (nodetide_alert_held{")
    assert warning["labels"]["severity"] == "warning"


def test_labels_of_the_alert_give_way_to_those_that_name_it() -> None:
    labels = {"severity": "low", "alertname": "Other", "policy": "q", "team": "{{ value }}"}
    (rule,) = rendered({**SILENT, "labels": labels}).groups[0]["rules"]
    own = {"severity": "critical", "policy": "p", "namespace": "default"}
    assert rule["labels"] == {**own, "team": '{{"{"}}{ value }}'}


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("{{ value }} of {{host}}", '{{ printf "%.6g" $value }} of {{ $labels.host }}'),
        ("{{ severity }} {{ alertname }}", "critical Silent"),
        ("{{ team }}", "{{\"{\"}}{ value }}"),
        ("{{ path }}", '{{"{"}}{ path }}'),  # no label of this alert
        ("{{{ host }}", '{{"{"}}{{ $labels.host }}'),
    ],
)  # fmt: skip
def test_places_in_annotations(text: str, template: str) -> None:
    alert = {**SILENT, "labels": {"team": "{{ value }}"}, "annotations": {"summary": text}}
    (rule,) = rendered(alert).groups[0]["rules"]
    assert rule["annotations"]["summary"] == template


def test_what_prometheus_cannot_do_is_said() -> None:
    silence = {"match": {"host": "a"}, "until": "2027-01-01T00:00:00Z"}
    rules = rendered(BUSY, QUERY, silences=[silence], nodeSelector={"matchLabels": {"a": "b"}})
    assert [group["name"] for group in rules.groups] == ["default/p/Busy"]
    assert [text.split()[0] for text in rules.missing] == ["p/Query", "p", "p"]
    text = rule_file([rules])
    assert all(f"# Not as in the policy: {said}\n" in text for said in rules.missing)
    labelled = rendered(BUSY, nodeSelector={"matchLabels": {"a": "b"}}, collection={"labels": {"rack": "r"}})
    assert labelled.missing == ()
    assert 'rack="r"' in labelled.groups[0]["rules"][0]["expr"]


def test_a_suspended_policy_has_no_rules_and_says_so() -> None:
    rules = rendered(BUSY, suspend=True)
    assert (rules.groups, len(rules.missing)) == ((), 1)
    assert yaml.safe_load(rule_file([rules])) == {"groups": []}
    assert list(yaml.safe_load_all(rule_objects([rules]))) == []


def test_scrapes_must_be_twice_in_the_shortest_window() -> None:
    rules = [rendered(BUSY, {**BUSY, "name": "B", "window": "30s"}), rendered(SILENT)]
    assert [one.scrape_within for one in rules] == [15, 0]
    assert "at least every 15s" in rule_file(rules)
    assert "scraped" not in rule_file(rules[1:])


@pytest.mark.parametrize(("namespace", "written"), [(None, {}), ("team-a", {"namespace": "team-a"})])
def test_objects_hold_the_groups_of_the_file(namespace: str | None, written: dict[str, str]) -> None:
    rules = rendered(BUSY, SILENT, namespace=namespace)
    first, second = yaml.safe_load_all(rule_objects([rules, rules]))
    assert first == second
    assert (first["apiVersion"], first["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert first["metadata"] == {"name": "p", **written, "labels": {"app.kubernetes.io/name": "nodetide"}}
    assert first["spec"] == yaml.safe_load(rule_file([rules]))


@pytest.mark.parametrize("text", ["0o7", "1e3", "yes", "null", "y", "~", "1:30", "0x1f", "- a", "a: b", "a #b"])
def test_text_that_looks_like_something_else_is_quoted(text: str) -> None:
    rules = rendered({**SILENT, "annotations": {"summary": text}})
    line = next(line for line in rule_file([rules]).splitlines() if "summary" in line)
    assert line.split(": ", 1)[1][0] in "'\""
