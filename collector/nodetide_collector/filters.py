"""Which of a group's series a policy wants, and what several policies want together."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from nodetide_collector.probe import Request
from nodetide_core.catalogue import CATALOGUE
from nodetide_core.points import Tags, tag
from nodetide_core.policy import GroupSpec

__all__ = ["Filter", "union"]

#: Mount points and interfaces come and go with containers, so what is remembered of them is bounded.
_REMEMBERED = 4096
_TOTAL = "cpu-total"


class Filter:
    """One policy's choice within one group, from the globs and options of its `GroupSpec`.

    Where the group's measurement has no filter tag, everything is wanted.
    """

    def __init__(self, group: str, spec: GroupSpec) -> None:
        measurement = CATALOGUE.get(group)
        self._tag = None if measurement is None else measurement.filter_tag
        self._has_cpus = measurement is not None and any(t.name == "cpu" for t in measurement.tags)
        self.wants = _chooser(spec.include, spec.exclude)
        self.wants_fs_type = _chooser((), spec.exclude_fs_types)
        self.per_cpu = spec.per_cpu

    @property
    def request(self) -> Request:
        return Request(self.wants, self.wants_fs_type, self.per_cpu)

    def accepts(self, tags: Tags) -> bool:
        """Whether a series of the group with these tags is wanted."""
        if self._tag is not None and not self.wants(tag(tags, self._tag) or ""):
            return False
        if self._has_cpus and not self.per_cpu and tag(tags, "cpu") != _TOTAL:
            return False
        return self.wants_fs_type(tag(tags, "fstype") or "")


def union(requests: Sequence[Request]) -> Request:
    """What at least one of them wants; at least one is given."""
    if len(requests) == 1:
        return requests[0]
    return Request(
        wants=lambda value: any(request.wants(value) for request in requests),
        wants_fs_type=lambda value: any(request.wants_fs_type(value) for request in requests),
        per_cpu=any(request.per_cpu for request in requests),
    )


def _chooser(include: Sequence[str], exclude: Sequence[str]) -> Callable[[str], bool]:
    wanted, unwanted = _matcher(include), _matcher(exclude)

    def choose(value: str) -> bool:
        return (wanted is None or wanted(value)) and not (unwanted is not None and unwanted(value))

    return choose if wanted is None and unwanted is None else lru_cache(_REMEMBERED)(choose)


def _matcher(globs: Sequence[str]) -> Callable[[str], bool] | None:
    if not globs:
        return None
    match = re.compile("|".join(f"(?:{fnmatch.translate(glob)})" for glob in globs)).match
    return lambda value: match(value) is not None
