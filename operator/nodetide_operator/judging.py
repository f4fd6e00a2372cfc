"""Which policies can be carried out, and why the others cannot.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from nodetide_core.catalogue import CATALOGUE
from nodetide_core.errors import PolicyError, Problem, StoreRejected
from nodetide_core.policy import API_VERSION, KIND, Policy, parse_policy
from nodetide_core.policy.nodes import collected_hash
from nodetide_core.store import Stream
from nodetide_core.stores.influx.desired import Part, desired
from nodetide_operator.config import OperatorConfig
from nodetide_operator.world import Key, PolicyObject

__all__ = ["Conflict", "Judge", "Judged"]


@dataclass(frozen=True, slots=True)
class Conflict:
    """A bucket that an older policy has."""

    bucket: str
    holder: Key


@dataclass(frozen=True, slots=True)
class Judged:
    """A policy and what is wrong with it, if something is.

    Attributes:
        stream_name: what its stream is called, also where it has none as it is.
        policy: as parsed, under that name; None where it cannot be.
        hash: that its collectors report once they run it as it is.
    """

    object: PolicyObject
    stream_name: str
    policy: Policy | None
    stream: Stream | None = None
    parts: tuple[Part, ...] = ()
    hash: str = ""
    problems: tuple[Problem, ...] = ()
    conflict: Conflict | None = None

    @property
    def good(self) -> bool:
        return self.policy is not None and self.conflict is None


class Judge:
    """Remembers what it has judged, for policies seldom change."""

    def __init__(self, config: OperatorConfig) -> None:
        self._config = config
        self._known: dict[Key, Judged] = {}

    def judge(self, policies: Iterable[PolicyObject]) -> Mapping[Key, Judged]:
        """Every policy judged, the older ones first: what they hold, younger ones cannot have."""
        known, self._known = self._known, {}
        found: dict[Key, Judged] = {}
        holders: dict[str, Key] = {}
        for policy in sorted(policies, key=_age):
            before = known.get(policy.key)
            alone = replace(before, object=policy) if before and _same(before.object, policy) else self._alone(policy)
            self._known[policy.key] = alone
            conflict = next(
                (Conflict(name, holders[name]) for part in alone.parts if (name := part.bucket.name) in holders), None
            )
            if conflict is None:
                holders.update((part.bucket.name, policy.key) for part in alone.parts)
            found[policy.key] = replace(alone, conflict=conflict) if conflict else alone
        return found

    def _alone(self, policy: PolicyObject) -> Judged:
        metadata = {"name": policy.name, "namespace": policy.namespace, "annotations": dict(policy.annotations)}
        name = self._config.stream_name(policy.namespace, policy.name)
        try:
            document = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": dict(policy.spec)}
            parsed = replace(parse_policy(document), name=name)
            stream = replace(parsed.stream, owner=self._config.owner, kept=parsed.storage.deletion_policy == "Retain")
            parts = desired([stream], CATALOGUE)
            return Judged(policy, name, parsed, stream, parts, collected_hash(parsed, policy.spec))
        except PolicyError as error:
            return Judged(policy, name, None, problems=error.problems)
        except StoreRejected as error:
            return Judged(policy, name, None, problems=(Problem("spec.storage", str(error)),))
        except Exception as error:  # noqa: BLE001 - what nobody foresaw in one policy must not stop the others
            return Judged(policy, name, None, problems=(Problem("spec", f"cannot be read ({error!r})"),))


def _age(policy: PolicyObject) -> tuple[str, bool, Key]:
    """In whole seconds; of two from the same one, whoever has buckets by then keeps them."""
    return policy.created, not policy.status.get("buckets"), policy.key


def _same(before: PolicyObject, now: PolicyObject) -> bool:
    return (before.uid, before.generation, before.annotations) == (now.uid, now.generation, now.annotations)
