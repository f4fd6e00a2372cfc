"""Rules of the node selector."""

from __future__ import annotations

from nodetide_operator.crd.rule import Rule

__all__ = ["SELECTOR_RULES"]

_PATH = "spec.nodeSelector.matchExpressions[]"
_HAS_VALUES = "(has(self.values) && size(self.values) > 0)"

SELECTOR_RULES = (
    Rule(
        _PATH,
        f"!(self.operator in ['In', 'NotIn']) || {_HAS_VALUES}",
        "is required for the operators In and NotIn",
        "values",
    ),
    Rule(
        _PATH,
        f"!(self.operator in ['Exists', 'DoesNotExist']) || !{_HAS_VALUES}",
        "must be left out for the operators Exists and DoesNotExist",
        "values",
    ),
)
