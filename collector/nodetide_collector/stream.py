"""One policy's stream: from readings of the host to the points that the policy wants."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from nodetide_collector.conformance import conform
from nodetide_collector.filters import Filter
from nodetide_collector.passes import Outcome
from nodetide_collector.probe import Derive, Registration, Sample
from nodetide_collector.schedule import is_due
from nodetide_core.points import Point, SeriesKey, Tags, Value, make_tags
from nodetide_core.policy import GroupSpec, Policy

__all__ = ["SELF", "Stream"]

log = logging.getLogger(__name__)

#: The group that is no probe: the collector about itself.
SELF = "collector"

#: A series not seen for so long, in seconds or in intervals, gives its place in the budget back.
_FORGET_AFTER = 300.0
_FORGET_INTERVALS = 3


class Stream:
    """Belongs to one thread.

    Attributes:
        policy: the policy as applied.
        over_budget: series left out, summed over passes, because of ``maxSeriesPerNode``.
    """

    def __init__(self, policy: Policy, constant: Mapping[str, str], registrations: Mapping[str, Registration]) -> None:
        """
        Args:
            constant: tags of every point; a series' own tags win over them.
        """
        self.policy = policy
        self.over_budget = 0
        self._constant = dict(constant)
        self._groups = {
            name: _Group(name, spec, registrations[name].derive if name in registrations else None)
            for name, spec in policy.collection.groups.items()
        }
        self._accepted = 0
        # Tags of the series about the collector itself: one per group, so bounded.
        self._of_self: dict[Tags, Tags] = {}

    def inherit(self, before: Stream) -> None:
        """Go on where the stream of the policy's former version stands: nothing that both sample
        loses its previous sample, its place in the schedule or, while it fits, in the budget."""
        self.over_budget = before.over_budget
        same_tags = self._constant == before._constant
        for name, group in self._groups.items():
            old = before._groups.get(name)
            if old is None:
                continue
            group.asked = old.asked
            for key, series in old.series.items():
                if self._accepted < self.policy.collection.max_series_per_node and group.filter.accepts(key.tags):
                    if not same_tags:
                        series.tags = self._tags(key.tags)
                    group.series[key] = series
                    self._accepted += 1

    @property
    def intervals(self) -> Iterable[int]:
        return (group.spec.interval for group in self._groups.values())

    @property
    def is_new(self) -> bool:
        """Whether a group has never been asked for, and should be as soon as possible."""
        return any(group.asked is None for group in self._groups.values())

    @property
    def groups(self) -> Collection[str]:
        return self._groups.keys()

    @property
    def probed(self) -> Iterable[str]:
        """The groups that are read by a probe."""
        return (name for name in self._groups if name != SELF)

    def due(self, second: int) -> Collection[str]:
        return [name for name, group in self._groups.items() if is_due(second, group.asked, group.spec.interval)]

    def filter(self, group: str) -> Filter:
        return self._groups[group].filter

    def interval(self, group: str) -> int:
        return self._groups[group].spec.interval

    def ask(self, group: str, second: int) -> None:
        """Note that the group is sampled for this second."""
        self._groups[group].asked = second

    def asked(self, group: str, second: int) -> bool:
        """Whether this stream last asked for the group at this second."""
        found = self._groups.get(group)
        return found is not None and found.asked == second

    def points(self, outcome: Outcome, problems: Counter[str]) -> list[Point]:
        """Points of an outcome that this stream `asked` for; its fields conform to the catalogue.

        Args:
            problems: takes what is left out of the derived fields, by reason.
        """
        if outcome.reading is None:
            return []
        group = self._groups[outcome.group]
        found: list[Point] = []
        for sample in outcome.reading.samples:
            key = SeriesKey(sample.measurement, sample.tags)
            series = group.series.get(key) or self._admit(group, key, problems)
            if series is None:
                continue
            fields = sample.fields
            if group.derive is not None:
                if series.fields is not None and outcome.at > series.at:
                    extra = _derived(group.derive, sample, series.fields, outcome.at - series.at, problems)
                    fields = {**fields, **extra}
                series.fields = sample.fields
            series.at = outcome.at
            found.append(Point(sample.measurement, series.tags, fields, outcome.tick))
        return found

    def own(self, samples: Iterable[Sample], second: int) -> list[Point]:
        """Points of the collector about itself: always written, and outside the budget."""
        return [Point(sample.measurement, self._own_tags(sample.tags), sample.fields, second) for sample in samples]

    def forget(self, now: float) -> None:
        """Drop series that have not been seen for long.

        Args:
            now: monotonic seconds.
        """
        for group in self._groups.values():
            oldest = now - max(_FORGET_AFTER, _FORGET_INTERVALS * group.spec.interval)
            for key in [key for key, series in group.series.items() if series.at < oldest]:
                del group.series[key]
                self._accepted -= 1

    def _admit(self, group: _Group, key: SeriesKey, problems: Counter[str]) -> _Series | None:
        try:
            if not group.filter.accepts(key.tags):
                return None
            tags = self._tags(key.tags)
        except (TypeError, ValueError):
            problems["malformed tags"] += 1
            return None
        limit = self.policy.collection.max_series_per_node
        if self._accepted >= limit:
            if not self.over_budget:
                log.warning("series left out, over maxSeriesPerNode policy=%s limit=%d", self.policy.name, limit)
            self.over_budget += 1
            return None
        self._accepted += 1
        series = group.series[key] = _Series(tags)
        return series

    def _own_tags(self, own: Tags) -> Tags:
        found = self._of_self.get(own)
        if found is None:
            found = self._of_self[own] = self._tags(own)
        return found

    def _tags(self, own: Tags) -> Tags:
        return make_tags({**self._constant, **dict(own)})


class _Series:
    """What is kept of a series: its full tags, when it was last seen and what its derived fields need."""

    __slots__ = ("at", "fields", "tags")

    def __init__(self, tags: Tags) -> None:
        self.tags = tags
        self.at = 0.0
        self.fields: Mapping[str, Value] | None = None


class _Group:
    __slots__ = ("asked", "derive", "filter", "series", "spec")

    def __init__(self, name: str, spec: GroupSpec, derive: Derive | None) -> None:
        self.spec = spec
        self.filter = Filter(name, spec)
        self.derive = derive
        self.asked: int | None = None
        self.series: dict[SeriesKey, _Series] = {}


def _derived(
    derive: Derive, sample: Sample, before: Mapping[str, Value], seconds: float, problems: Counter[str]
) -> dict[str, Value]:
    try:
        extra = derive(sample.fields, before, seconds)
    except Exception as error:  # noqa: BLE001 - as isolated as the probe itself
        problems[f"derived fields: {type(error).__name__}"] += 1
        return {}
    return conform(sample.measurement, extra, problems)
