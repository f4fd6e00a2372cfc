"""Rules of what is sampled: intervals of groups, and the tags that points get."""

from __future__ import annotations

from nodetide_core.catalogue import CATALOGUE
from nodetide_core.policy.rules import RESERVED_TAGS
from nodetide_core.policy.schema import LABEL_KEY
from nodetide_operator.crd.cel import given, seconds, strings, text
from nodetide_operator.crd.rule import Rule

__all__ = ["COLLECTION_RULES"]

_PATH = "spec.collection"
_LABELS = f"{_PATH}.labels"
_TAGS = sorted(RESERVED_TAGS)
_TAKEN = "is a tag that points carry already"


def _taken_labels() -> str:
    """CEL of the message; the names one by one, because the cost of a joined list counts as unbounded."""
    found = " + ".join(f"({text(tag)} in self ? {text(f'{tag}: ')} : '')" for tag in _TAGS)
    return f"{found} + {text(f'{_TAKEN}; choose another name')}"


def _slower(group: str) -> Rule:
    """A group's interval against the policy's; each has its own rule, and so its own field in the message."""
    field = f"groups.{group}.interval"
    return Rule(
        _PATH,
        f"!({given(field)}) || {seconds(f'self.{field}')} >= {seconds('self.interval')}",
        "must be at least spec.collection.interval",
        field,
        f"'must be at least spec.collection.interval (' + self.interval + '), not ' + self.{field}",
    )


COLLECTION_RULES = (
    *(_slower(group) for group in CATALOGUE.names),
    Rule(
        _LABELS,
        f"!self.exists(k, k in {strings(_TAGS)})",
        f"{_TAKEN}; choose another name",
        says=_taken_labels(),
    ),
    Rule(_LABELS, f"self.all(k, k.matches({text(LABEL_KEY)}))", f"each name must match {LABEL_KEY}"),
    Rule(_LABELS, "self.all(k, self[k] != '')", "values must not be empty: a tag without a value cannot be stored"),
    Rule(f"{_PATH}.nodeLabels[]", f"!(self in {strings(_TAGS)})", _TAKEN),
    Rule(
        _PATH,
        "!has(self.labels) || !has(self.nodeLabels) || !self.nodeLabels.exists(n, n in self.labels)",
        "a name stands twice among labels and nodeLabels",
        "nodeLabels",
    ),
)
