"""Rules of Prometheus as YAML that Prometheus, Kubernetes and people read alike."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from nodetide_core.alerts.prometheus import PolicyRules, prometheus_rule
from nodetide_core.durations import format_duration

__all__ = ["rule_file", "rule_objects"]

#: What no version of YAML takes for a number begins so; words such as `null` and `off` PyYAML quotes by itself.
_A_WORD = re.compile(r"[A-Za-z_]{2}")


class _Dumper(yaml.SafeDumper):
    """Writes what is used twice out twice: people read this."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, _style(text))


def _style(text: str) -> str | None:
    if not text.replace("\n", "").isprintable():
        return '"'  # with escapes: what ends a line differs, too
    if "\n" in text:
        return "|"
    return None if _A_WORD.match(text) else "'"


_Dumper.add_representer(str, _represent)


def rule_file(rules: Sequence[PolicyRules]) -> str:
    """One file for ``rule_files`` of Prometheus, with what is not in it said at its head."""
    groups = [group for one in rules for group in one.groups]
    return "".join(f"{line}\n" for line in _head(rules)) + _yaml({"groups": groups})


def rule_objects(rules: Sequence[PolicyRules]) -> str:
    """One PrometheusRule for each policy that has rules."""
    documents = [_yaml(prometheus_rule(one)) for one in rules if one.groups]
    return "".join(f"{line}\n" for line in _head(rules)) + "---\n".join(documents)


def _head(rules: Sequence[PolicyRules]) -> list[str]:
    lines = [
        "# Rendered by `nodetide policy render`: change the policies, not this.",
        "# Needs Prometheus 2.42 or newer.",
    ]
    within = [one.scrape_within for one in rules if one.scrape_within]
    if within:
        lines.append(f"# Nodetide's /metrics must be scraped at least every {format_duration(min(within))}.")
    # Names in it are of policies and alerts, which hold no line breaks.
    return lines + [f"# Not as in the policy: {text}" for one in rules for text in one.missing]


def _yaml(document: Mapping[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1 << 30)
