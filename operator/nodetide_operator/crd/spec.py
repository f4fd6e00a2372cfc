"""The schema of ``spec``: core's, with what Kubernetes adds to it."""

from __future__ import annotations

import copy
from typing import Any

from nodetide_core.durations import format_duration
from nodetide_core.policy import POLICY_SCHEMA
from nodetide_core.policy.schema import SEVERITIES
from nodetide_core.tiers import DEFAULT_TIERS
from nodetide_operator.crd.rule import at

__all__ = ["spec_schema"]

Schema = dict[str, Any]

_MAP_LIST = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}


def spec_schema() -> Schema:
    """A new copy, to which rules can be added."""
    root: Schema = {"properties": {"spec": copy.deepcopy(POLICY_SCHEMA)}}
    for path, keywords in _additions().items():
        at(root, path).update(keywords)
    found: Schema = root["properties"]["spec"]
    _leave_defaults_to_core(found, in_list=False)
    return found


def _leave_defaults_to_core(schema: Schema, *, in_list: bool) -> None:
    """Takes the defaults out of entries of lists, and says them in the description.

    `kubectl apply` replaces lists whole: were they filled in, it would change the object each time, and what
    compares it with a repository (Argo CD, Flux) would find it changed for ever.
    """
    if in_list and "default" in schema:
        schema["description"] += f" Left out: {schema.pop('default')}."
    for inner in schema.get("properties", {}).values():
        _leave_defaults_to_core(inner, in_list=in_list)
    if schema["type"] == "array":
        _leave_defaults_to_core(schema["items"], in_list=True)


def _additions() -> dict[str, Schema]:
    """By path, what core's schema cannot or need not say."""
    found: dict[str, Schema] = {
        # Empty ones, so that the defaults inside them are filled in and seen in `kubectl get -o yaml`.
        "spec": {"default": {}},
        "spec.collection": {"default": {}},
        "spec.storage": {"default": {}},
        # Kept as it is when an upgrade changes the default: no data is lost to an upgrade.  It is one value,
        # not a list to merge: order counts, and server-side apply would merge tiers into the default's.
        "spec.storage.tiers": {"default": _tiers(), "x-kubernetes-list-type": "atomic"},
        "spec.nodeSelector": {"default": {}, "x-kubernetes-map-type": "atomic"},
        "spec.collection.groups": {"minProperties": 1},
        "spec.collection.nodeLabels": {"x-kubernetes-list-type": "set"},
        "spec.silences[].match": {"minProperties": 1},
        # Refuses days that no month has, which the pattern cannot. With a format, Kubernetes takes a list for a string,
        # too: so no number of items is right.
        "spec.silences[].until": {"format": "date-time", "minItems": 1, "maxItems": 0},
        "spec.alerts": _MAP_LIST,
        "spec.notify": _MAP_LIST,
    }
    # `cpu:` means "with its defaults" in a file.  A null is removed in silence where it may not stand, and
    # with it the group.
    nullable = [f"spec.collection.groups.{name}" for name in _properties("collection.groups")]
    nullable += [f"spec.alerts[].{severity}" for severity in SEVERITIES]
    return {**found, **{path: {"nullable": True} for path in nullable}}


def _properties(path: str) -> list[str]:
    return list(at(POLICY_SCHEMA, path)["properties"])


def _tiers() -> list[dict[str, str]]:
    return [
        {
            "name": tier.name,
            **({"window": format_duration(tier.window)} if tier.window else {}),
            "retention": format_duration(tier.retention),
        }
        for tier in DEFAULT_TIERS.tiers
    ]
