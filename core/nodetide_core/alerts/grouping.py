"""Values of series as the readings of an alert: told apart by the tags that it is grouped by. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Set
from typing import TypeAlias, TypeVar

from nodetide_core.alerts.levels import worst
from nodetide_core.points import Tags, tag
from nodetide_core.policy.spec import Level

__all__ = ["Readings", "expected", "grouped", "matching", "silences", "together"]

_T = TypeVar("_T")

#: One value for each group, as a level sees it.
Readings: TypeAlias = Callable[[Level], Mapping[Tags, float]]

#: What tells one deadman alert from another where the policy does not say.
_SPEAKERS = ("host",)


def grouped(values: Mapping[Tags, float], group_by: Collection[str]) -> Readings:
    """
    Args:
        group_by: tags; none: each series speaks for itself.
    """
    return together(values.items(), group_by) if group_by else lambda level: values


def together(values: Iterable[tuple[Tags, float]], group_by: Collection[str]) -> Readings:
    """As `grouped`, of series that may come more than once."""
    groups: dict[Tags, list[float]] = {}
    for tags, value in values:
        groups.setdefault(_group(tags, group_by) if group_by else tags, []).append(value)
    return lambda level: {tags: worst(level, members) for tags, members in groups.items()}


def silences(newest: Mapping[Tags, int], group_by: Collection[str], at: int) -> Readings:
    """Seconds since anything of a group was heard of; by default, of a host."""
    last: dict[Tags, int] = {}
    for tags, time in newest.items():
        group = _group(tags, group_by or _SPEAKERS)
        last[group] = max(time, last.get(group, time))
    found = {tags: float(at - time) for tags, time in last.items()}
    return lambda level: found


def _group(tags: Tags, names: Collection[str]) -> Tags:
    return tuple(pair for pair in tags if pair[0] in names)


def matching(values: Mapping[Tags, _T], filter: Iterable[tuple[str, str]]) -> Mapping[Tags, _T]:
    """Those of series that have every tag of the filter."""
    wanted = frozenset(filter)
    return {tags: value for tags, value in values.items() if wanted.issubset(tags)} if wanted else values


def expected(tags: Tags, hosts: Set[str] | None) -> bool:
    """Whether a series is of one of these hosts, or of none; with None, whoever comes is expected."""
    return hosts is None or (host := tag(tags, "host")) is None or host in hosts
