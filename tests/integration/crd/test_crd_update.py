"""Changes of a policy that is there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.peer

POLICIES = "/apis/nodetide.io/v1alpha1/namespaces/default/metricpolicies"


@pytest.fixture
def change(api: Any, stored: Callable[..., Any], document: Callable[..., Any]) -> Callable[..., Any]:
    """Makes policy ``p`` with one spec and replaces it with another."""

    def run(before: Any, after: Any) -> Any:
        made = stored(document(before))
        return api.call("PUT", f"{POLICIES}/p", {**made, "spec": after})

    return run


@pytest.mark.parametrize(
    ("before", "after"),
    [({"bucket": "a"}, {"bucket": "b"}), ({}, {"bucket": "b"}), ({"bucket": "b"}, {}), ({"bucket": "b"}, None)],
)
def test_the_bucket_cannot_change(change: Callable[..., Any], before: Any, after: Any):
    answer = change({"storage": before}, {"storage": after})
    ((field, message),) = answer.causes
    assert field == "spec.storage.bucket"
    assert "cannot change" in message and "make another policy" in message


@pytest.mark.parametrize(
    ("before", "after"), [({}, {"bucket": "p"}), ({"bucket": "p"}, {}), ({"bucket": "b"}, {"bucket": "b"})]
)
def test_to_write_the_default_bucket_or_to_leave_it_out_is_no_change(
    change: Callable[..., Any], before: Any, after: Any
):
    answer = change({"storage": before}, {"storage": {**after, "deletionPolicy": "Delete"}})
    assert answer.accepted, answer.causes


def test_tiers_can_be_changed_and_what_data_that_costs_is_for_the_operator_to_ask(change: Callable[..., Any]):
    answer = change({}, {"storage": {"tiers": [{"name": "raw", "retention": "1h"}]}})
    assert answer.accepted, answer.causes


def test_a_change_is_checked_as_a_new_policy_is(change: Callable[..., Any]):
    answer = change({}, {"collection": {"interval": "2h"}})
    assert answer.causes[0][0] == "spec.collection.interval"


@pytest.fixture
def server_side_apply(api: Any, document: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Applies a spec to policy ``p`` as the given manager, and gives the new spec."""

    def run(spec: Any, manager: str = "me") -> Any:
        arguments = ("--server-side", f"--field-manager={manager}", "--filename=-", "--output=json")
        return json.loads(api.plane.kubectl("apply", *arguments, stdin=json.dumps(document(spec))))["spec"]

    yield run
    api.call("DELETE", f"{POLICIES}/p")


def test_server_side_apply_replaces_the_default_tiers(server_side_apply: Callable[..., Any]):
    """Were tiers merged by name, the default's would stay beside one's own for ever."""
    assert len(server_side_apply({})["storage"]["tiers"]) == 4
    tiers = [{"name": "raw", "retention": "12h"}]
    assert server_side_apply({"storage": {"tiers": tiers}})["storage"]["tiers"] == tiers


def test_server_side_apply_merges_alerts_by_name(server_side_apply: Callable[..., Any]):
    def alert(name: str) -> dict[str, Any]:
        return {"name": name, "type": "threshold", "metric": "mem.used", "critical": {"above": 1}}

    server_side_apply({"alerts": [alert("mine")]}, "me")
    assert server_side_apply({"alerts": [alert("yours")]}, "you")["alerts"] == [alert("mine"), alert("yours")]
