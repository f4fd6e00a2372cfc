"""What InfluxDB holds: checks, notification endpoints and rules, as far as planning looks at them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nodetide_core.stores.influx.checks.marking import Mark, read_mark

__all__ = ["Observed", "SeenCheck", "SeenEndpoint", "SeenRule"]


@dataclass(frozen=True, slots=True)
class SeenCheck:
    """
    Attributes:
        text: Flux, as InfluxDB keeps it.
        failure: why its last run failed; empty where it did not, or where the check is nobody's.
    """

    id: str
    name: str
    description: str
    text: str
    active: bool
    failure: str = ""


@dataclass(frozen=True, slots=True)
class SeenEndpoint:
    """
    Attributes:
        settings: its fields, of secrets their names only.
        updated: when it was changed last, as InfluxDB writes it.
    """

    id: str
    name: str
    description: str
    active: bool
    settings: Mapping[str, str]
    updated: str


@dataclass(frozen=True, slots=True)
class SeenRule:
    """
    Attributes:
        body: what `nodetide_core.stores.influx.checks.changes.rule_body` names.
    """

    id: str
    name: str
    description: str
    active: bool
    endpoint_id: str
    body: Mapping[str, object]
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """All of the organization that the token may read, each in the order of their ids."""

    checks: Sequence[SeenCheck] = ()
    endpoints: Sequence[SeenEndpoint] = ()
    rules: Sequence[SeenRule] = ()

    def marks(self) -> Iterator[Mark]:
        """Of everything here that is Nodetide's."""
        descriptions = [seen.description for seen in self.checks]
        descriptions += [seen.description for seen in self.endpoints]
        descriptions += [seen.description for seen in self.rules]
        yield from (mark for text in descriptions if (mark := read_mark(text)) is not None)
