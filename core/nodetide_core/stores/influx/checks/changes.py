"""What can be done about InfluxDB's checks, endpoints and rules, as data; no text of a change holds a secret."""

from __future__ import annotations

from dataclasses import dataclass, field

from nodetide_core.stores.influx.checks.marking import Mark, fingerprint
from nodetide_core.stores.influx.checks.texts import ESCAPED
from nodetide_core.stores.influx.checks.wanted import Check, Endpoint, Rule

__all__ = [
    "Change",
    "Delete",
    "DeleteEndpoint",
    "PutCheck",
    "PutEndpoint",
    "PutRule",
    "notes_of_check",
    "rule_body",
]

#: The message as Slack wants text; statuses of an earlier version have it as it is only.
_FOR_SLACK = f"${{r.alertname}} is ${{r._level}}${{if exists r.{ESCAPED} then r.{ESCAPED} else r._message}}"


@dataclass(frozen=True, slots=True)
class PutCheck:
    """Create it, or, with an id, make that one so."""

    mark: Mark
    check: Check
    id: str = ""

    def __str__(self) -> str:
        return f"{_verb(self.id)} check {self.check.name}"


@dataclass(frozen=True, slots=True)
class PutEndpoint:
    """Create it, or, with an id, make that one so; its secret is written in any case."""

    mark: Mark
    endpoint: Endpoint
    id: str = ""

    def __str__(self) -> str:
        return f"{_verb(self.id)} notification endpoint {self.endpoint.name}"


@dataclass(frozen=True, slots=True)
class PutRule:
    """Create it, or, with an id, make that one so; its endpoint is there by then."""

    mark: Mark
    rule: Rule
    id: str = ""

    def __str__(self) -> str:
        return f"{_verb(self.id)} notification rule {self.rule.name}"


@dataclass(frozen=True, slots=True)
class Delete:
    """
    Attributes:
        kind: ``check`` or ``notification rule``.
    """

    kind: str
    id: str
    name: str

    def __str__(self) -> str:
        return f"delete {self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class DeleteEndpoint:
    """
    Attributes:
        secrets: names of its secrets, which InfluxDB leaves behind.
    """

    id: str
    name: str
    secrets: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        return f"delete notification endpoint {self.name}"


Change = PutCheck | PutEndpoint | PutRule | Delete | DeleteEndpoint


def notes_of_check(check: Check, stored: str) -> dict[str, str]:
    """What its description tells: of which text it was made, and what InfluxDB, which lays Flux out anew, keeps."""
    return {"made": fingerprint(check.text), "stored": fingerprint(stored)}


def rule_body(rule: Rule) -> dict[str, object]:
    """The fields of InfluxDB's object, but for names and ids."""
    levels = [{"currentLevel": level.upper(), "previousLevel": "ANY"} for level in (*rule.levels, "ok")]
    body: dict[str, object] = {
        "type": rule.type,
        "every": f"{rule.every}s",
        "offset": "0s",
        "statusRules": levels,
        "tagRules": [{"key": key, "value": value, "operator": "equal"} for key, value in rule.tags],
    }
    if rule.type in ("slack", "pagerduty"):
        # Of a message of users InfluxDB would take ${ for Flux; this one is Flux.
        body["messageTemplate"] = _FOR_SLACK if rule.type == "slack" else "${r._message}"
    return body | ({"channel": ""} if rule.type == "slack" else {})


def _verb(id: str) -> str:
    return "change" if id else "create"
