"""From a document to a typed policy: envelope, structure, rules, then defaults filled in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from nodetide_core.catalogue import CATALOGUE
from nodetide_core.durations import parse_duration
from nodetide_core.errors import PolicyError, Problem
from nodetide_core.policy.defaults import EXCLUDED, EXCLUDED_FS_TYPES
from nodetide_core.policy.instants import parse_instant
from nodetide_core.policy.rules import check_rules
from nodetide_core.policy.schema import (
    API_VERSION,
    DEFAULT_INTERVAL,
    DEFAULT_MAX_SERIES,
    KIND,
    POLICY_SCHEMA,
    SEVERITIES,
)
from nodetide_core.policy.spec import (
    Alert,
    Collection,
    GroupSpec,
    Level,
    NodeSelector,
    Notify,
    Policy,
    Requirement,
    SecretRef,
    Silence,
    Storage,
)
from nodetide_core.policy.validate import check
from nodetide_core.tiers import DEFAULT_TIERS, Tier, Tiers

__all__ = ["DEFAULT_NAME", "default_policy", "parse_policy"]

Document = Mapping[str, Any]

#: Of the policy that applies where none is given.
DEFAULT_NAME = "system-metrics"
#: The group that tells what a collector runs and how it fares: never left out.
_SELF = "collector"


def default_policy(bucket: str | None = None) -> Policy:
    """The policy that applies where none is given.

    Raises:
        PolicyError: the bucket's name cannot be one.
    """
    spec = {} if bucket is None else {"storage": {"bucket": bucket}}
    return parse_policy({"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": DEFAULT_NAME}, "spec": spec})


def parse_policy(document: Any, source: str = "") -> Policy:
    """The policy of one document.

    Args:
        source: where it came from, for the message.

    Raises:
        PolicyError: with every problem found.
    """
    problems = list(_envelope(document))
    if problems:
        raise PolicyError(problems, source)
    spec = {} if document.get("spec") is None else document["spec"]
    metadata = document["metadata"]
    problems = list(check(spec, POLICY_SCHEMA, "spec"))
    if not problems:
        problems = [*check_rules(spec), *_default_bucket(spec, metadata["name"])]
    if problems:
        raise PolicyError(problems, source)
    collection = _collection(spec.get("collection") or {})
    return Policy(
        name=metadata["name"],
        namespace=metadata.get("namespace") or "default",
        suspend=spec.get("suspend", False),
        node_selector=_selector(spec.get("nodeSelector") or {}),
        collection=collection,
        storage=_storage(spec.get("storage") or {}, metadata["name"], collection.slowest),
        alerts=tuple(_alert(alert) for alert in spec.get("alerts") or ()),
        alert_engine=spec.get("alertEngine", "nodetide"),
        silences=tuple(_silence(silence) for silence in spec.get("silences") or ()),
        notify=tuple(_notify(receiver) for receiver in spec.get("notify") or ()),
        annotations=dict(metadata.get("annotations") or {}),
        hash=hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:16],
    )


def _envelope(document: Any) -> list[Problem]:
    if not isinstance(document, dict):
        return [Problem("", f"must be a {KIND}, a mapping with apiVersion, kind, metadata and spec")]
    found = []
    if document.get("apiVersion") != API_VERSION:
        found.append(Problem("apiVersion", f"must be {API_VERSION}, not {document.get('apiVersion')!r}"))
    if document.get("kind") != KIND:
        found.append(Problem("kind", f"must be {KIND}, not {document.get('kind')!r}"))
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        return [*found, Problem("metadata", "is required, with a name")]
    name = {"type": "string", "pattern": r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", "minLength": 1, "maxLength": 253}
    text = {"type": "string"}
    if metadata.get("name") is None:
        found.append(Problem("metadata.name", "is required"))
    else:
        found += check(metadata["name"], name, "metadata.name")
    if metadata.get("namespace") is not None:
        found += check(metadata["namespace"], text, "metadata.namespace")
    if metadata.get("annotations") is not None:
        found += check(
            metadata["annotations"], {"type": "object", "additionalProperties": text}, "metadata.annotations"
        )
    unknown = sorted(str(key) for key in document if key not in ("apiVersion", "kind", "metadata", "spec", "status"))
    found += [Problem(key, "is not a field (allowed: apiVersion, kind, metadata, spec)") for key in unknown]
    return found


def _default_bucket(spec: Document, name: str) -> list[Problem]:
    limit = POLICY_SCHEMA["properties"]["storage"]["properties"]["bucket"]["maxLength"]
    if "bucket" in (spec.get("storage") or {}) or len(name) <= limit:
        return []
    return [Problem("spec.storage.bucket", f"is required where metadata.name has more than {limit} characters")]


def _collection(collection: Document) -> Collection:
    interval = parse_duration(collection.get("interval", DEFAULT_INTERVAL))
    given = collection.get("groups")
    names = given if given is not None else [m.name for m in CATALOGUE if m.default]
    groups = {name: _group(name, (given or {}).get(name) or {}, interval) for name in CATALOGUE.names if name in names}
    if _SELF not in groups:
        # As often as anything, so that its reports neither lag behind nor make the stream a finer one.
        finest = min((group.interval for group in groups.values()), default=interval)
        groups[_SELF] = _group(_SELF, {}, finest)
    return Collection(
        interval=interval,
        groups=groups,
        labels=dict(collection.get("labels") or {}),
        node_labels=tuple(collection.get("nodeLabels") or ()),
        max_series_per_node=collection.get("maxSeriesPerNode", DEFAULT_MAX_SERIES),
    )


def _group(name: str, group: Document, interval: int) -> GroupSpec:
    include = tuple(group.get("include") or ())
    usual = () if include else EXCLUDED.get(name, ())
    own = parse_duration(group["interval"]) if "interval" in group else max(interval, CATALOGUE[name].interval or 0)
    types = group.get("excludeFsTypes")
    return GroupSpec(
        interval=own,
        include=include,
        exclude=(*usual, *(group.get("exclude") or ())),
        exclude_fs_types=() if name != "disk" else EXCLUDED_FS_TYPES if types is None else tuple(types),
        per_cpu=group.get("perCpu", True),
    )


def _storage(storage: Document, name: str, slowest: int) -> Storage:
    written = storage.get("tiers")
    tiers = (
        DEFAULT_TIERS.tiers
        if not written
        else tuple(
            Tier(
                tier["name"],
                parse_duration(tier["window"]) if "window" in tier else 0,
                parse_duration(tier["retention"]),
            )
            for tier in written
        )
    )
    first = tiers[1].window if len(tiers) > 1 else DEFAULT_TIERS.counter_gap
    return Storage(
        bucket=storage.get("bucket", name),
        # A hole of two samples is a hole; a slow policy's usual distance is not.
        tiers=Tiers(tiers, counter_gap=max(first, 2 * slowest)),
        deletion_policy=storage.get("deletionPolicy", "Retain"),
    )


def _selector(selector: Document) -> NodeSelector:
    return NodeSelector(
        dict(selector.get("matchLabels") or {}),
        tuple(
            Requirement(item["key"], item["operator"], tuple(item.get("values") or ()))
            for item in selector.get("matchExpressions") or ()
        ),
    )


def _alert(alert: Document) -> Alert:
    return Alert(
        name=alert["name"],
        type=alert["type"],
        metric=alert.get("metric"),
        filter=dict(alert.get("filter") or {}),
        group_by=tuple(alert.get("groupBy") or ()),
        every=parse_duration(alert.get("every", "30s")),
        window=parse_duration(alert.get("window", "1m")),
        aggregate=alert.get("aggregate", "mean"),
        predict_after=parse_duration(alert.get("predictAfter", "0s")),
        levels={severity: _level(alert[severity] or {}) for severity in SEVERITIES if severity in alert},
        for_=parse_duration(alert.get("for", "0s")),
        keep_firing_for=parse_duration(alert.get("keepFiringFor", "0s")),
        labels=dict(alert.get("labels") or {}),
        annotations=dict(alert.get("annotations") or {}),
        flux=alert.get("flux"),
    )


def _level(level: Document) -> Level:
    for relation in ("above", "below", "outside", "inside"):
        if relation in level:
            bounds = level[relation]
            recover = level.get("recover")
            return Level(
                relation,
                tuple(bounds) if isinstance(bounds, list) else (bounds,),
                None if recover is None else (recover,),
            )
    return Level("absent", ())


def _silence(silence: Document) -> Silence:
    return Silence(dict(silence["match"]), parse_instant(silence["until"]), silence.get("comment", ""))


def _notify(receiver: Document) -> Notify:
    secret = receiver.get("secretRef")
    return Notify(
        name=receiver["name"],
        type=receiver["type"],
        url=receiver.get("url"),
        secret_ref=SecretRef(secret["name"], secret["key"]) if secret else None,
        severities=tuple(receiver.get("severities") or SEVERITIES),
        match=dict(receiver.get("match") or {}),
    )
