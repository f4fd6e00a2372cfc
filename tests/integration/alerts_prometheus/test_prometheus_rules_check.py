"""promtool takes whatever is rendered, and text of people comes through as it was."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodetide_core.alerts.prometheus import policy_rules
from nodetide_core.alerts.prometheus_text import rule_file, rule_objects
from nodetide_core.catalogue import CATALOGUE, Kind, label_name
from nodetide_core.points import writable
from nodetide_core.policy import Policy, load_policies, parse_policy

pytestmark = pytest.mark.peer

ROOT = Path(__file__).resolve().parents[3]
Check = Callable[..., str]


@pytest.fixture
def check(promtool: Check, tmp_path: Path) -> Callable[..., str]:
    def run(*policies: Policy) -> str:
        rules = [policy_rules(policy) for policy in policies]
        (tmp_path / "rules.yaml").write_text(rule_file(rules))
        for document in yaml.safe_load_all(rule_objects(rules)):
            (tmp_path / f"{document['metadata']['name']}.yaml").write_text(yaml.safe_dump(document["spec"]))
        return promtool("check", "rules", *tmp_path.glob("*.yaml"))

    return run


@pytest.mark.parametrize("file", sorted((ROOT / "manifests/examples").glob("*.yaml")), ids=lambda file: file.stem)
def test_examples(check: Callable[..., str], file: Path) -> None:
    policies = load_policies(file)
    alerts = [alert for policy in policies for alert in policy.alerts]
    said = check(*policies)
    levels = sum(max(len(alert.levels), 1) for alert in alerts if alert.type != "flux")
    recover = sum(level.recover is not None for alert in alerts for level in alert.levels.values())
    if levels:
        assert said.count(f"SUCCESS: {levels + recover} rules found") == 2


def every_kind() -> list[dict[str, Any]]:
    """One alert for each field of the catalogue, and one for each option."""
    base: dict[str, Any] = {"type": "threshold", "metric": "mem.used_percent"}
    options: list[dict[str, Any]] = [
        {**base, "warning": {"above": 1e300, "recover": -1e-9}, "for": "1h30m", "keepFiringFor": "1d"},
        {**base, "warning": {"below": -5}, "critical": {"below": -7.25, "recover": 0}, "info": {"above": 1e22}},
        {**base, "warning": {"inside": [-1, 1]}, "aggregate": "last", "window": "24h", "every": "1h"},
        {**base, "warning": {"outside": [-1, 1]}, "aggregate": "min", "groupBy": ["host", "rack", "a.b"]},
        {**base, "warning": {"above": 1}, "predictAfter": "30d", "aggregate": "max"},
        {**base, "warning": {"above": 1}, "labels": {"team": "a", "alertname": "x"}, "annotations": {"summary": "x"}},
        *(
            {"type": "deadman", "metric": metric, "window": "90s", "filter": filter, "groupBy": group, **level}
            for metric in ("system", "cpu", "cpu.usage_active", "collector.policy_hash")
            if metric != "collector.policy_hash"
            for filter in ({}, {"host": "a"}, {"cpu": "cpu-total"})
            for group in ([], ["host"], ["cpu", "host"])
            for level in ({}, {"warning": {}, "info": {}})
        ),
    ]
    for measurement in CATALOGUE:
        for field in measurement.fields:
            if field.kind is not Kind.INFO:
                options.append(
                    {"type": "threshold", "metric": f"{measurement.name}.{field.name}", "warning": {"above": 1}}
                )
    return [{**alert, "name": f"A{number}"} for number, alert in enumerate(options)]


def test_every_field_and_every_option(check: Callable[..., str], policy: Callable[..., Policy]) -> None:
    alerts = every_kind()
    labels = {"rack": "r1", "topology.kubernetes.io/zone": 'z"\\'}
    policies = [
        policy(*alerts[start : start + 100], collection={"labels": labels, "nodeLabels": ["example.com/x"]})
        for start in range(0, len(alerts), 100)
    ]
    for one in policies:
        assert check(one).count("SUCCESS") == 2


TEXT = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from(
            ["{{", "}}", "{", "{{ value }}", "{{value}}", "{{ host }}", "{{ $labels.x }}", "{{{ host }}}", "${x}", "$",
             '"', "'", "\\", "\n", "\r\n", "\t", "`", ": ", " #", "- ", "é", "\u2028", "\x85", "\ufeff", "😀", "%s",
             "\ufffd", "yes", "0o7", "1e3", "null", "~", " ", "\x00", "\x1b", "|", ">", "&a", "*a", "!!int 1", "{{-",
             ".*", "[", '{{ template "x" }}']
        ),
        max_size=8,
    ).map("".join),
)  # fmt: skip
KEY = st.one_of(st.text(min_size=1, max_size=8), st.sampled_from(["y", "on", "null", "1a", "__name__", "a-b", "ü"]))


def expanded(text: str, *, value: str, host: str) -> str:
    """What a receiver is told, put together without the code under test."""
    for names, what in ((("{{ value }}", "{{value}}"), "\x01"), (("{{ host }}",), "\x02")):
        for name in names:
            text = text.replace(name, what)
    return text.replace("\x01", value).replace("\x02", host)


def quoted(text: str) -> str:
    """A string of PromQL, every character by its number."""
    return '"' + "".join(f"\\U{ord(character):08x}" for character in text) + '"'


def distinct(texts: Mapping[str, str], *taken: str) -> dict[str, str]:
    """Those whose labels are not another's."""
    found: dict[str, str] = {}
    seen = set(taken)
    for key, value in texts.items():
        if label_name(key) not in seen:
            seen.add(label_name(key))
            found[key] = value
    return found


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    host=TEXT.map(writable).filter(bool),
    labels=st.dictionaries(KEY, TEXT, max_size=4),
    annotations=st.dictionaries(KEY, TEXT, max_size=4),
)
def test_text_of_people_is_data(
    promtool: Check, host: str, labels: dict[str, str], annotations: dict[str, str]
) -> None:
    labels = distinct(labels, "alertname", "severity", "policy", "namespace", "host")
    labels = {key: value for key, value in labels.items() if "\x01" not in value and "\x02" not in value}
    annotations = {k: v for k, v in distinct(annotations).items() if "\x01" not in v and "\x02" not in v}
    alert = {
        "name": "A", "type": "threshold", "metric": "mem.used_percent", "filter": {"host": host},
        "warning": {"above": 50}, "labels": labels, "annotations": annotations,
    }  # fmt: skip
    policy = parse_policy(
        {
            "apiVersion": "nodetide.io/v1alpha1", "kind": "MetricPolicy", "metadata": {"name": "p"},
            "spec": {"alerts": [alert]},
        }
    )  # fmt: skip
    told = {label_name(key): expanded(text, value="75", host=host) for key, text in annotations.items()}
    own = {label_name(key): value for key, value in labels.items() if value}  # an empty label is none
    fires = {
        "exp_labels": {**own, "severity": "warning", "policy": "p", "namespace": "default", "host": host},
        "exp_annotations": told,
    }
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "rules.yaml").write_text(rule_file([policy_rules(policy)]))
        test = {
            "interval": "15s",
            "input_series": [
                {"series": f"nodetide_mem_used_percent{{host={quoted(host)}}}", "values": "75x9"},
                {"series": 'nodetide_mem_used_percent{host="another"}', "values": "75x9"},
            ],
            "alert_rule_test": [{"eval_time": "1m", "alertname": "A", "exp_alerts": [fires]}],
        }
        file = Path(folder) / "test.yaml"
        file.write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "30s", "tests": [test]}))
        promtool("test", "rules", file)
