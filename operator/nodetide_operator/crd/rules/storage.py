"""Rules of the tiers. CEL cannot name an entry of a list as wrong, so the messages name the tiers."""

from __future__ import annotations

from nodetide_core.policy import POLICY_SCHEMA
from nodetide_core.tiers import RAW
from nodetide_operator.crd.cel import let, seconds, text
from nodetide_operator.crd.rule import Rule

__all__ = ["STORAGE_RULES"]

_PATH = "spec.storage.tiers"
_MOST = POLICY_SCHEMA["properties"]["storage"]["properties"]["tiers"]["maxItems"]
#: Windows of all tiers in seconds, 0 where a tier has none.
_WINDOWS = f"self.map(t, has(t.window) ? {seconds('t.window')} : 0)"
_RETENTIONS = f"self.map(t, {seconds('t.retention')})"


def _each(bad: str, message: str, named: str, first: int = 1) -> Rule:
    """Refuses tiers of which ``bad`` holds, and names the first of them.

    Args:
        bad: CEL over ``i``, the tier's place, ``w``, all windows, and ``r``, all retentions.
        named: CEL over ``i``: how to name it.
        first: the first place that is looked at.
    """
    places = list(range(first, _MOST))
    wrong = f"i < size(self) && {bad}"
    one = f"[{places}.filter(i, {wrong})[0]].map(i, {text(message + ': ')} + {named})[0]"
    return Rule(
        _PATH,
        let("w", _WINDOWS, let("r", _RETENTIONS, f"{places}.all(i, !({wrong}))")),
        message,
        says=f"[{_WINDOWS}].map(w, [{_RETENTIONS}].map(r, {one})[0])[0]",
    )


STORAGE_RULES = (
    _each(
        "!self.exists_one(other, other.name == self[i].name)",
        "each tier must have a name of its own",
        "self[i].name + ' stands twice'",
        first=0,
    ),
    Rule(
        _PATH,
        f"size(self) == 0 || (self[0].name == {text(RAW)}"
        f" && (!has(self[0].window) || {seconds('self[0].window')} == 0))",
        f"the first tier must be named {RAW} and have no window",
    ),
    _each("w[i] == 0", "a window greater than 0 is required for every tier but raw", "self[i].name"),
    _each(
        "w[i] > 0 && w[i - 1] > 0 && (w[i] <= w[i - 1] || w[i] % w[i - 1] != 0)",
        "each window must be a multiple of the one of the tier before",
        "self[i].name + ' (' + self[i].window + ' after ' + self[i - 1].window + ')'",
    ),
    _each(
        "r[i - 1] > 0 && r[i - 1] < 2 * w[i]",
        "each tier must be kept for at least twice the window of the next",
        "self[i - 1].name + ' (' + self[i - 1].retention + ', next window ' + self[i].window + ')'",
    ),
)
