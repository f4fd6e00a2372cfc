"""What must be there, worked out from the policies alone: an oracle that shares no code with the operator.

Each check gives True, or an AssertionError that tells what differs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.integration.operator.site import Site

__all__ = ["BY_HAND", "OTHERS", "Tier", "Wanted", "check_influx", "check_kubernetes", "check_tokens", "mine"]

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_OURS = "Nodetide "
#: In what other installations have, and in what people write into ours.
OTHERS, BY_HAND = "others", "// by hand"


def mine(name: str) -> bool:
    return OTHERS not in name


def seconds(text: str) -> int:
    return 0 if text == "0" else int(text[:-1]) * _UNITS[text[-1]]


@dataclass(frozen=True)
class Tier:
    """
    Attributes:
        window: such as ``5m``; empty for raw.
    """

    bucket: str
    window: str
    retention: str


@dataclass(frozen=True)
class Wanted:
    """One policy that should be in effect, as ``{"raw": "24h", "5m": "7d"}``."""

    name: str
    bucket: str
    tiers: tuple[tuple[str, str], ...]
    collection: Mapping[str, Any]

    @classmethod
    def of(cls, name: str, spec: Mapping[str, Any]) -> Wanted:
        storage = spec.get("storage", {})
        listed = storage.get("tiers") or [
            {"name": "raw", "retention": "24h"}, {"name": "5m", "retention": "7d"}, {"name": "1h", "retention": "30d"},
            {"name": "1d", "retention": "365d"},
        ]  # fmt: skip
        tiers = tuple((tier["name"], tier["retention"]) for tier in listed)
        return cls(name, storage.get("bucket", name), tiers, spec.get("collection", {}))

    def all(self) -> list[Tier]:
        return [
            Tier(self.bucket if name == "raw" else f"{self.bucket}-{name}", "" if name == "raw" else name, retention)
            for name, retention in self.tiers
        ]


def check_influx(site: Site, wanted: Iterable[Wanted], *, left: Iterable[str] = ()) -> bool:
    """Every bucket and every task once, as wanted, and nothing more of Nodetide's.

    Args:
        left: buckets of policies that are gone, which may be there still.
    """
    tiers = [tier for policy in wanted for tier in policy.all()]
    buckets = site.org.buckets()
    for tier in tiers:
        assert tier.bucket in buckets, f"{tier.bucket} of {sorted(buckets)}"
        rules = buckets[tier.bucket]["retentionRules"]
        kept = seconds(tier.retention)
        assert (rules[0]["everySeconds"] if rules else 0) == kept, (tier, rules)
        shard = 3_600 if 0 < kept < 2 * 86_400 else 86_400 if 0 < kept < 180 * 86_400 else 7 * 86_400
        assert (buckets[tier.bucket].get("retentionRules") or [{}])[0].get("shardGroupDurationSeconds", shard) == shard
        assert buckets[tier.bucket]["description"].startswith(_OURS)
    ours = {name for name, bucket in buckets.items() if bucket["description"].startswith(_OURS) and mine(name)}
    assert ours - {tier.bucket for tier in tiers} <= set(left)
    tasks = [task for task in site.org.tasks() if task["description"].startswith(_OURS) and mine(task["name"])]
    told = sorted((task["name"], seconds(task["every"]), task["status"]) for task in tasks)
    assert told == sorted((f"nodetide {tier.bucket}", seconds(tier.window), "active") for tier in tiers if tier.window)
    for task in tasks:
        assert f'"{task["name"].removeprefix("nodetide ")}"' in task["flux"]
        assert BY_HAND not in task["flux"]
    return True


def check_tokens(site: Site, wanted: Iterable[Wanted], *, settled: bool = True) -> bool:
    """The Secrets hold tokens that may do what is wanted and nothing else.

    Args:
        settled: whether the grace of what was replaced is over, so that nothing else is left.
    """
    policies = list(wanted)
    ids = {name: bucket["id"] for name, bucket in site.org.buckets().items()}
    raw = {("write", ids[policy.bucket]) for policy in policies}
    every = {("read", ids[tier.bucket]) for policy in policies for tier in policy.all()}
    made = [
        token
        for token in site.org.tokens()
        if token["description"].startswith(f"{_OURS}makes this token: {site.namespace}/")
    ]
    used = set()
    for name, rights in (("collector", raw), ("api", every)):
        if not rights:
            continue
        held = site.kube.token(site.namespace, name)
        assert held is not None
        known = hashlib.sha256(held.encode()).hexdigest()[:16]
        found = [item for item in made if item["description"].endswith(f"/{name} {known}")]
        assert [item["status"] for item in found] == ["active"], f"what is kept for {name} is no token of ours"
        (token,) = found
        assert {(item["action"], item["resource"]["id"]) for item in token["permissions"]} == rights
        used.add(token["id"])
    if settled or not policies:
        assert {token["id"] for token in made} == used
    return True


def check_kubernetes(site: Site, wanted: Iterable[Wanted]) -> bool:
    """The document for collectors, of policies that select every node."""
    policies = {policy.name: policy for policy in wanted}
    document = site.kube.settings(site.namespace)
    assert document is not None
    assert set(document["policies"]) == set(document["everyone"]) == set(policies)
    for name, policy in policies.items():
        told = document["policies"][name]
        assert told["bucket"] == policy.bucket
        assert {key: told["collection"][key] for key in policy.collection} == dict(policy.collection)
    return True
