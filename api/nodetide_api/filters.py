"""Which series a request is about: hosts and tag values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nodetide_core.errors import QueryError
from nodetide_core.points import Tags

__all__ = ["HOST", "Filters", "parse_filters", "split_list"]

#: The tag that every point carries.
HOST = "host"


@dataclass(frozen=True, slots=True)
class Filters:
    """Tag values asked for, hosts among them; a series qualifies when each tag has one of its values.

    Attributes:
        tags: sorted by name, so that equal filters are equal objects.
    """

    tags: tuple[tuple[str, frozenset[str]], ...] = ()

    @property
    def hosts(self) -> frozenset[str]:
        """Hosts asked for; empty means all."""
        return next((values for name, values in self.tags if name == HOST), frozenset())

    def matches(self, tags: Tags) -> bool:
        """Whether a series with these tags qualifies."""
        if not self.tags:
            return True
        found = dict(tags)
        return all(found.get(name) in values for name, values in self.tags)

    def narrowed(self, tags: Iterable[tuple[str, str]]) -> Filters:
        """With an alias's own tags added, where the request does not choose those tags itself."""
        asked = {name for name, _ in self.tags}
        added = tuple((name, frozenset((value,))) for name, value in tags if name not in asked)
        return Filters(tuple(sorted((*self.tags, *added), key=lambda item: item[0])))

    def as_mapping(self) -> Mapping[str, frozenset[str]]:
        """The same, as a store wants it."""
        return dict(self.tags)


def split_list(values: Sequence[str]) -> tuple[str, ...]:
    """Values of a parameter that may be repeated or comma separated, without empty ones."""
    return tuple(part for value in values for part in value.split(",") if part)


def parse_filters(hosts: Sequence[str], tags: Sequence[str]) -> Filters:
    """Filters of ``host=a,b`` and ``tag=cpu:cpu0``, both repeatable.

    Raises:
        QueryError: a ``tag`` is not ``name:value``.
    """
    found: dict[str, set[str]] = {}
    for host in split_list(hosts):
        found.setdefault(HOST, set()).add(host)
    for text in tags:
        name, colon, value = text.partition(":")
        if not (name and colon and value):
            raise QueryError("tag", f"{text!r} is not name:value, such as cpu:cpu0; repeat the parameter for several")
        found.setdefault(name, set()).add(value)
    return Filters(tuple((name, frozenset(found[name])) for name in sorted(found)))
