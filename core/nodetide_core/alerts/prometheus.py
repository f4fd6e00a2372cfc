"""The alerts of policies as rules of Prometheus, for those who let Prometheus evaluate them.  Pure.

One rule for each severity of an alert, as each is a machine of its own here.  Prometheus differs in two
things: without data an alert ends when its window has run empty, and it knows no silences and no nodes that
were removed on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nodetide_core.alerts.levels import levels_of
from nodetide_core.alerts.promql import HELD, held, reached, series_labels, silent
from nodetide_core.catalogue import label_name
from nodetide_core.durations import format_duration
from nodetide_core.policy.spec import Alert, Policy

__all__ = ["PolicyRules", "policy_rules", "prometheus_rule"]

Rule = Mapping[str, Any]

_NAMED = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_./-]*)\s*\}\}")
#: A brace that would open a template together with what follows it.
_OPENING = re.compile(r"\{(?=\{|\Z)")


@dataclass(frozen=True, slots=True)
class PolicyRules:
    """What Prometheus can be told of a policy.

    Attributes:
        groups: as ``groups`` of a rule file has them.
        missing: what is not among them or goes further than the policy does, a sentence for each.
        scrape_within: seconds between two scrapes at most; 0 where it makes no difference.
    """

    policy: str
    namespace: str
    groups: Sequence[Mapping[str, Any]]
    missing: Sequence[str]
    scrape_within: int


def policy_rules(policy: Policy) -> PolicyRules:
    """The rules of all alerts but those of type flux; of a policy that is suspended, none."""
    written = () if policy.suspend else tuple(alert for alert in policy.alerts if alert.type != "flux")
    windows = [alert.window for alert in written if alert.type == "threshold"]
    return PolicyRules(
        policy.name,
        policy.namespace,
        tuple(_group(policy, alert) for alert in written),
        tuple(_missing(policy)),
        max(min(windows) // 2, 1) if windows else 0,
    )


def prometheus_rule(rules: PolicyRules) -> Mapping[str, Any]:
    """The rules as an object of the Prometheus operator, named as the policy."""
    namespace = {} if rules.namespace == "default" else {"namespace": rules.namespace}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": rules.policy, **namespace, "labels": {"app.kubernetes.io/name": "nodetide"}},
        "spec": {"groups": list(rules.groups)},
    }


def _missing(policy: Policy) -> Iterable[str]:
    if policy.suspend:
        yield f"{policy.name} is suspended: none of its alerts is here"
        return
    for alert in policy.alerts:
        if alert.type == "flux":
            yield f"{policy.name}/{alert.name} is a query in Flux, which Prometheus does not know"
    selector = policy.node_selector
    if (selector.match_labels or selector.match_expressions) and not policy.collection.labels:
        yield (
            f"{policy.name} selects nodes, which /metrics does not tell: its rules look at all of them; "
            "with spec.collection.labels they look at this policy's alone"
        )
    if policy.silences:
        yield f"{policy.name} has silences, which are Alertmanager's to keep here"


def _group(policy: Policy, alert: Alert) -> Mapping[str, Any]:
    rules: list[Rule] = []
    for severity in levels_of(alert):
        rules += _rules(policy, alert, severity)
    return {
        "name": f"{policy.namespace}/{policy.name}/{alert.name}",
        "interval": format_duration(alert.every),
        "rules": rules,
    }


def _rules(policy: Policy, alert: Alert, severity: str) -> Iterable[Rule]:
    if alert.type == "deadman":
        expression = silent(policy, alert)
    elif alert.levels[severity].recover is None:
        expression = reached(policy, alert, alert.levels[severity])
    else:
        record, expression, labels = held(policy, alert, severity)
        yield {"record": HELD, "expr": record, "labels": labels}
    rule: dict[str, Any] = {"alert": alert.name, "expr": expression}
    if alert.for_:
        rule["for"] = format_duration(alert.for_)
    if alert.keep_firing_for:
        rule["keep_firing_for"] = format_duration(alert.keep_firing_for)
    # As the engine has it: what names the alert goes before labels of its own, and those before tags.
    own = {**alert.labels, "severity": severity, "policy": policy.name, "namespace": policy.namespace}
    own.pop("alertname", None)  # is the rule's name
    rule["labels"] = {label_name(key): _text(value) for key, value in sorted(own.items(), key=_exact_last)}
    if alert.annotations:
        places = {label_name(tag): f"{{{{ $labels.{label_name(tag)} }}}}" for tag in series_labels(policy, alert)}
        places |= {key: _text(value) for key, value in (*own.items(), ("alertname", alert.name))}
        places["value"] = '{{ printf "%.6g" $value }}'
        rule["annotations"] = {
            label_name(key): _template(text, places) for key, text in sorted(alert.annotations.items(), key=_exact_last)
        }
    yield rule


def _exact_last(item: tuple[str, str]) -> tuple[bool, str]:
    """So that of two names that come out alike the one that is so already counts."""
    return label_name(item[0]) == item[0], item[0]


def _template(text: str, places: Mapping[str, str]) -> str:
    """The text with what stands for each ``{{ place }}``; all else is data."""
    found, at = [], 0
    for match in _NAMED.finditer(text):
        place = places.get(match[1], places.get(label_name(match[1])))
        if place is not None:
            found += [_text(text[at : match.start()]), place]
            at = match.end()
    return "".join([*found, _text(text[at:])])


def _text(text: str) -> str:
    """Text that Prometheus, which expands templates in labels and annotations, leaves as it is."""
    return _OPENING.sub('{{"{"}}', text.encode(errors="replace").decode())  # half a character is none in YAML
