"""The CustomResourceDefinition as a whole."""

from __future__ import annotations

from typing import Any

from nodetide_core.policy import API_VERSION, KIND
from nodetide_operator.crd.rule import add
from nodetide_operator.crd.rules import RULES, duration_rules
from nodetide_operator.crd.spec import spec_schema
from nodetide_operator.crd.status import status_schema

__all__ = ["definition"]

_GROUP, _, _VERSION = API_VERSION.partition("/")
_SINGULAR = KIND.lower()
_PLURAL = "metricpolicies"
_READY = '.status.conditions[?(@.type=="Ready")]'


def definition() -> dict[str, Any]:
    """The object to apply."""
    version = {
        "name": _VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _schema()},
        "subresources": {"status": {}},
        "additionalPrinterColumns": _columns(),
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{_PLURAL}.{_GROUP}"},
        "spec": {
            "group": _GROUP,
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": _PLURAL,
                "singular": _SINGULAR,
                "shortNames": ["mpol"],
                "categories": ["nodetide"],
            },
            "scope": "Namespaced",
            "versions": [version],
        },
    }


def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "description": "What to collect on which nodes, how long to keep it at which resolution, and when to alert.",
        "properties": {
            "apiVersion": {"type": "string", "description": f"Always {API_VERSION}."},
            "kind": {"type": "string", "description": f"Always {KIND}."},
            "metadata": {"type": "object"},
            "spec": spec_schema(),
            "status": status_schema(),
        },
    }
    for rule in (*duration_rules(schema["properties"]["spec"], "spec"), *RULES):
        add(schema, rule)
    return schema


def _columns() -> list[dict[str, Any]]:
    return [
        _column("Ready", f"{_READY}.status", "Whether the policy is in effect."),
        _column("Nodes", ".status.nodes.summary", "Nodes that run the policy, of those it matches."),
        _column("Interval", ".spec.collection.interval", "Time between samples."),
        _column("Firing", ".status.firing", "Alerts that fire: of each series and severity one.", type="integer"),
        _column("Lag", ".status.lag", "The longest lag of a rollup."),
        _column("Reason", f"{_READY}.reason", "Why it is ready or not.", priority=1),
        _column("Age", ".metadata.creationTimestamp", "Time since the policy was made.", type="date"),
    ]


def _column(name: str, path: str, description: str, **keywords: Any) -> dict[str, Any]:
    return {"name": name, "type": "string", "description": description, "jsonPath": path, **keywords}
