"""What core refuses the apiserver refuses, in words a person can act on; the few exceptions are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from nodetide_core.catalogue import CATALOGUE
from nodetide_core.errors import PolicyError
from nodetide_core.policy import POLICY_SCHEMA, parse_policy
from nodetide_core.policy.schema import SEVERITIES
from nodetide_operator.crd.rules import RULES, duration_rules

pytestmark = pytest.mark.peer

ROWS = yaml.safe_load((Path(__file__).resolve().parents[2] / "fixtures/policies/invalid.yaml").read_text())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["case"])
def test_core_names_the_field_and_what_is_allowed(document: Callable[..., Any], row: dict[str, Any]):
    with pytest.raises(PolicyError) as caught:
        parse_policy(document(row["spec"]))
    assert [problem.path for problem in caught.value.problems] == [row["field"]]
    assert row["core"] in caught.value.problems[0].message


@pytest.mark.parametrize("row", [row for row in ROWS if row["by"] == "apiserver"], ids=lambda row: row["case"])
def test_the_apiserver_names_the_field_and_what_is_allowed(api: Any, document: Callable[..., Any], row: dict[str, Any]):
    answer = api.try_out(document(row["spec"]))
    assert not answer.accepted
    field = row.get("at", row["field"])
    assert [message for where, message in answer.causes if where == field and row["says"] in message], answer.causes


@pytest.mark.parametrize("row", [row for row in ROWS if row["by"] == "core"], ids=lambda row: row["case"])
def test_what_is_left_to_core_is_accepted_by_the_apiserver(api: Any, document: Callable[..., Any], row: dict[str, Any]):
    assert api.try_out(document(row["spec"])).accepted


#: By field below a severity: levels that are wrong there, with an alert's type.
LEVELS = [
    ("", "threshold", {}),
    ("", "threshold", {"above": 1, "outside": [1, 2]}),
    ("", "deadman", {"below": 1}),
    (".outside", "threshold", {"outside": [2, 1]}),
    (".inside", "threshold", {"inside": [2, 1]}),
    (".recover", "threshold", {"above": 1, "recover": 2}),
    (".recover", "threshold", {"below": 2, "recover": 1}),
    (".recover", "threshold", {"inside": [1, 2], "recover": 1}),
]


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize(("field", "kind", "level"), LEVELS)
def test_every_severity_is_checked(
    api: Any, document: Callable[..., Any], severity: str, field: str, kind: str, level: Any
):
    written = document({"alerts": [{"name": "a", "type": kind, "metric": "mem.used", severity: level}]})
    answer = api.try_out(written)
    assert [where for where, _ in answer.causes] == [f"spec.alerts[0].{severity}{field}"]
    with pytest.raises(PolicyError):
        parse_policy(written)


@pytest.mark.parametrize("group", CATALOGUE.names)
@pytest.mark.parametrize("interval", ["9s", "61m"])
def test_every_group_is_checked(api: Any, document: Callable[..., Any], group: str, interval: str):
    written = document({"collection": {"interval": "10s", "groups": {group: {"interval": interval}}}})
    ((field, message),) = api.try_out(written).causes
    assert field == f"spec.collection.groups.{group}.interval"
    assert ("must be at least spec.collection.interval (10s), not 9s" in message) == (interval == "9s")
    with pytest.raises(PolicyError):
        parse_policy(written)


def test_there_are_enough_cases():
    assert len(ROWS) >= 40
    assert {row["by"] for row in ROWS} == {"apiserver", "core"}


def test_every_rule_has_a_case(api: Any, document: Callable[..., Any]):
    refused = [row for row in ROWS if row["by"] == "apiserver"]
    said = " ".join(message for row in refused for _, message in api.try_out(document(row["spec"])).causes)
    # Those of the whole object need more than a spec, and have tests of their own.
    rules = [*duration_rules(POLICY_SCHEMA, "spec"), *(rule for rule in RULES if rule.path)]
    assert not {rule.message for rule in rules if rule.message not in said}


def test_a_name_too_long_for_a_bucket_needs_one(api: Any, document: Callable[..., Any]):
    name = "a" * 201
    answer = api.try_out(document({}, name))
    ((field, message),) = answer.causes
    assert field == "spec.storage.bucket"
    assert "is required where metadata.name has more than 200 characters" in message
    assert api.try_out(document({"storage": {"bucket": "a"}}, name)).accepted
    assert api.try_out(document({}, "a" * 200)).accepted


def test_without_strictness_an_unknown_field_is_dropped_with_a_warning(api: Any, document: Callable[..., Any]):
    """Not so with kubectl, which asks for strictness by itself; clients that do not are at least told."""
    answer = api.try_out(document({"colection": {}}), validation="Warn")
    assert answer.accepted and "colection" not in answer.body["spec"]
    assert 'unknown field \\"spec.colection\\"' in answer.warnings[0]


def test_everything_wrong_is_said_at_once(api: Any, document: Callable[..., Any]):
    spec = {
        "collection": {"interval": "2h", "labels": {"host": "x"}},
        "storage": {"bucket": "_x", "tiers": [{"name": "first", "retention": "5m"}]},
        "notify": [{"name": "a", "type": "slack"}],
    }
    assert {field for field, _ in api.try_out(document(spec)).causes} == {
        "spec.collection.interval",
        "spec.collection.labels",
        "spec.storage.bucket",
        "spec.storage.tiers",
        "spec.storage.tiers[0].retention",
        "spec.notify[0].secretRef",
    }
