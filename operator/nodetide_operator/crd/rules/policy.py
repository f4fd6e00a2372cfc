"""Rules of the object as a whole; of its metadata CEL sees the name alone."""

from __future__ import annotations

from nodetide_core.policy import POLICY_SCHEMA
from nodetide_operator.crd.rule import Rule

__all__ = ["POLICY_RULES"]

_LONGEST = POLICY_SCHEMA["properties"]["storage"]["properties"]["bucket"]["maxLength"]


def _bucket(policy: str) -> str:
    return f"(has({policy}.spec.storage.bucket) ? {policy}.spec.storage.bucket : {policy}.metadata.name)"


POLICY_RULES = (
    Rule(
        "",
        f"has(self.spec.storage.bucket) || size(self.metadata.name) <= {_LONGEST}",
        f"is required where metadata.name has more than {_LONGEST} characters",
        "spec.storage.bucket",
    ),
    Rule(
        "",
        f"{_bucket('self')} == {_bucket('oldSelf')}",
        "cannot change: the data would be left behind; make another policy with the new bucket instead",
        "spec.storage.bucket",
    ),
)
