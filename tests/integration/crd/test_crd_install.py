"""The definition on a real apiserver: it is taken, explained and shown as people need it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nodetide_core.policy import ALLOW_DATA_LOSS

pytestmark = pytest.mark.peer

DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/metricpolicies.nodetide.io"
POLICIES = "/apis/nodetide.io/v1alpha1/namespaces/default/metricpolicies"
#: Kubernetes describes these itself.
STANDARD = ("apiVersion", "kind", "metadata")
#: As `kubectl explain` takes them.
SECTIONS = (
    "", ".spec", ".spec.nodeSelector.matchExpressions", ".spec.collection", ".spec.collection.groups",
    ".spec.collection.groups.disk", ".spec.storage", ".spec.storage.tiers", ".spec.alerts", ".spec.alerts.critical",
    ".spec.notify.secretRef", ".spec.silences", ".status", ".status.conditions", ".status.tasks", ".status.nodes",
)  # fmt: skip


def fields(schema: dict[str, Any], path: str = "mpol") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field below ``schema``, with its path; what is in a list has the list's."""
    for name, inner in schema.get("properties", {}).items():
        if name not in STANDARD:
            yield f"{path}.{name}", inner
            yield from fields(inner.get("items", inner), f"{path}.{name}")


def version(definition: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = definition["spec"]["versions"][0]
    return found


def test_it_is_established_structural_and_as_written(api: Any, crd: dict[str, Any]):
    installed = api.call("GET", DEFINITION).body
    conditions = {condition["type"]: condition["status"] for condition in installed["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    # Nothing was lost on the way: what the apiserver keeps is what the file says.
    assert version(installed)["schema"] == version(crd)["schema"]
    assert version(installed)["additionalPrinterColumns"] == version(crd)["additionalPrinterColumns"]


def test_rules_leave_room_below_the_limit_of_their_cost(api: Any, crd: dict[str, Any]):
    """With four times as many alerts, receivers and labels the apiserver would still take them."""
    grown = copy.deepcopy(crd)
    grown["metadata"]["resourceVersion"] = api.call("GET", DEFINITION).body["metadata"]["resourceVersion"]
    spec = version(grown)["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    for schema, limit in (
        (spec["alerts"], "maxItems"),
        (spec["notify"], "maxItems"),
        (spec["silences"], "maxItems"),
        (spec["storage"]["properties"]["tiers"], "maxItems"),
        (spec["collection"]["properties"]["labels"], "maxProperties"),
    ):
        schema[limit] *= 4
    answer = api.call("PUT", f"{DEFINITION}?dryRun=All", grown)
    assert answer.accepted, answer.causes
    spec["alerts"]["maxItems"] *= 100
    assert "estimated rule cost" in str(api.call("PUT", f"{DEFINITION}?dryRun=All", grown).causes)


@pytest.mark.parametrize("section", SECTIONS)
def test_explain_tells_of_every_field(api: Any, crd: dict[str, Any], section: str):
    schema = version(crd)["schema"]["openAPIV3Schema"]
    all_fields = dict(fields(schema))
    here = all_fields[f"mpol{section}"] if section else schema
    told = " ".join(api.plane.kubectl("explain", f"mpol{section}").split())
    assert " ".join(here["description"].split()) in told
    for name, inner in here.get("items", here)["properties"].items():
        if name not in STANDARD:
            assert f" {name} <" in told
            assert " ".join(inner["description"].split()) in told


def test_the_published_api_describes_every_field(api: Any, crd: dict[str, Any], eventually: Callable[..., Any]):
    path = "/openapi/v3/apis/nodetide.io/v1alpha1"
    published = eventually(lambda: api.call("GET", path).body.get("components"))["schemas"]
    served = dict(fields(published["io.nodetide.v1alpha1.MetricPolicy"]))
    wanted = dict(fields(version(crd)["schema"]["openAPIV3Schema"]))
    assert served.keys() == wanted.keys()
    assert not [path for path, schema in served.items() if schema.get("description") != wanted[path]["description"]]


def test_names(api: Any):
    listed = api.plane.kubectl("api-resources", "--api-group=nodetide.io", "--output=wide", "--no-headers").split()
    assert listed[:5] == ["metricpolicies", "mpol", "nodetide.io/v1alpha1", "true", "MetricPolicy"]
    assert listed[-1] == "nodetide"
    assert api.plane.kubectl("get", "nodetide", "--output=name") == ""


STATUS = {
    "observedGeneration": 1,
    "conditions": [
        {
            "type": "Ready",
            "status": "False",
            "observedGeneration": 1,
            "lastTransitionTime": "2024-01-01T00:00:00Z",
            "reason": "InfluxUnreachable",
            "message": "InfluxDB does not answer: connection refused",
        }
    ],
    "buckets": [{"name": "p", "tier": "raw", "id": "0123456789abcdef", "retention": "1d"}],
    "tasks": [
        {
            "name": "nodetide/default/p/5m",
            "tier": "5m",
            "id": "0123456789abcdef",
            "lag": "7m",
        }
    ],
    "alerts": [
        {
            "name": "HighCPU",
            "state": "firing",
            "severity": "critical",
            "pending": 0,
            "firing": 1,
            "series": [{"series": "host=a", "severity": "critical", "since": "2024-01-01T00:00:00Z"}],
        }
    ],
    "firing": 1,
    "lag": "7m",
    "nodes": {"matched": 12, "applied": 11, "stale": 1, "overBudget": 0, "summary": "11/12"},
}


def test_status_is_a_subresource_that_keeps_what_the_operator_writes(
    api: Any, stored: Callable[..., Any], document: Callable[..., Any]
):
    made = stored({**document({}), "status": STATUS})
    assert "status" not in made
    written = api.call("PUT", f"{POLICIES}/p/status?fieldValidation=Strict", {**made, "spec": {}, "status": STATUS})
    assert written.body["status"] == STATUS
    assert written.body["spec"] == made["spec"]
    assert written.body["metadata"]["generation"] == made["metadata"]["generation"]


def test_columns(api: Any, stored: Callable[..., Any], document: Callable[..., Any]):
    made = stored(document({"collection": {"interval": "10s"}}))
    api.call("PUT", f"{POLICIES}/p/status", {**made, "status": STATUS})
    header, row = (line.split() for line in api.plane.kubectl("get", "mpol").splitlines())
    assert header == ["NAME", "READY", "NODES", "INTERVAL", "FIRING", "LAG", "AGE"]
    assert row[:-1] == ["p", "False", "11/12", "10s", "1", "7m"]
    header, row = (line.split() for line in api.plane.kubectl("get", "mpol", "--output=wide").splitlines())
    assert header == ["NAME", "READY", "NODES", "INTERVAL", "FIRING", "LAG", "REASON", "AGE"]
    assert row[6] == "InfluxUnreachable"


def test_rules_cannot_see_the_annotation_that_lets_data_go(api: Any, crd: dict[str, Any]):
    """Why shortening a retention is the operator's to refuse. Where this fails, Kubernetes has learnt it."""
    changed = copy.deepcopy(crd)
    changed["metadata"]["resourceVersion"] = api.call("GET", DEFINITION).body["metadata"]["resourceVersion"]
    rule = {"rule": f"'{ALLOW_DATA_LOSS}' in self.metadata.annotations", "message": "no"}
    version(changed)["schema"]["openAPIV3Schema"]["x-kubernetes-validations"] = [rule]
    assert "undefined field 'annotations'" in json.dumps(api.call("PUT", f"{DEFINITION}?dryRun=All", changed).body)
