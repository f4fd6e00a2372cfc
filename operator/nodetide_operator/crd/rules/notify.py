"""Rules of receivers: what each type needs."""

from __future__ import annotations

from nodetide_operator.crd.rule import Rule

__all__ = ["NOTIFY_RULES"]

_PATH = "spec.notify[]"

NOTIFY_RULES = (
    Rule(
        _PATH,
        "!(self.type in ['alertmanager', 'http']) || has(self.url)",
        "is required for the types alertmanager and http",
        "url",
    ),
    Rule(
        _PATH,
        "!(self.type in ['slack', 'pagerduty']) || has(self.secretRef)",
        "is required for the types slack and pagerduty",
        "secretRef",
    ),
    Rule(
        _PATH,
        "self.type != 'slack' || !has(self.url)",
        "a Slack webhook address is a secret; put it in secretRef",
        "url",
    ),
)
