"""What alerts ask of a store at one time. Pure.

Alerts that look at the same measurement in the same way ask together; each then takes its field.
"""

from __future__ import annotations

from math import gcd
from typing import NamedTuple, TypeAlias

from nodetide_core.catalogue import CATALOGUE, Kind
from nodetide_core.policy.spec import Alert
from nodetide_core.store import Aggregate, RangeQuery, Stream
from nodetide_core.tiers import Tier, Tiers

__all__ = ["FluxText", "Look", "Question", "Silence", "field_of", "question_of"]

#: Seconds that deadman alerts look back, and how many times their window, if that is more.
_LOOK_BACK, _WINDOWS_BACK = 86_400, 2
#: Steps that a line is laid through, at least, where the samples allow it.
_LINE = 30


class Look(NamedTuple):
    """The values of a window.

    Attributes:
        tags: that a series must have, sorted.
    """

    bucket: str
    tier: Tier
    measurement: str
    start: int
    stop: int
    step: int
    aggregate: Aggregate
    tags: tuple[tuple[str, str], ...]

    def query(self, fields: frozenset[str]) -> RangeQuery:
        return RangeQuery(
            self.bucket, self.tier, self.measurement, tuple(sorted(fields)), self.start, self.stop, self.step,
            self.aggregate, {name: frozenset({value}) for name, value in self.tags},
            # A step that stands alone is not weighed against others.
            weights=self.stop - self.start != self.step,
        )  # fmt: skip


class Silence(NamedTuple):
    """When series were last heard of.

    Attributes:
        field: None for any.
        at: seconds of silence are counted up to here.
    """

    bucket: str
    measurement: str
    field: str | None
    since: int
    at: int
    tags: tuple[tuple[str, str], ...]


class FluxText(NamedTuple):
    """
    Attributes:
        bucket: the raw one of the policy that asks.
    """

    bucket: str
    text: str


Question: TypeAlias = Look | Silence | FluxText


def field_of(alert: Alert) -> tuple[str, str]:
    """Measurement and field of an alert's metric; the field is empty where it names none."""
    measurement, _, field = (alert.metric or "").partition(".")
    return measurement, field


def question_of(stream: Stream, alert: Alert, at: int) -> Question:
    """What an alert asks at a time, of the window that ends there.

    A counter is asked for its rate over the window, whatever the aggregate.  Raw points answer, if they are kept
    for the length of the window; else the finest tier that is, as far as it is rolled up.  A line through hours
    is laid through a tier's windows: to read every sample would cost ten times as much and bend it no better.
    """
    if alert.type == "flux":
        return FluxText(stream.bucket, alert.flux or "")
    measurement, field = field_of(alert)
    tags = tuple(sorted(alert.filter.items()))
    if alert.type == "deadman":
        back = max(_LOOK_BACK, _WINDOWS_BACK * alert.window)
        since = at - min(back, stream.tiers.raw.retention or back)
        return Silence(stream.bucket, measurement, field or None, since, at, tags)
    known = CATALOGUE.field(measurement, field)
    counter = known is not None and known.kind is Kind.COUNTER
    aggregate = Aggregate.RATE if counter else Aggregate(alert.aggregate)
    tier = (_line_tier if alert.predict_after else _tier)(stream.tiers, alert.window)
    step = _line_step(alert, at) if alert.predict_after else gcd(alert.window, at)
    if tier.window:
        step = step if step % tier.window == 0 else tier.window
    return Look(stream.bucket, tier, measurement, at - alert.window, at, step, aggregate, tags)


def _tier(tiers: Tiers, window: int) -> Tier:
    covering = (tier for tier in tiers.tiers if tier.retention == 0 or tier.retention >= window)
    return next(covering, tiers.tiers[-1])


def _line_tier(tiers: Tiers, window: int) -> Tier:
    """The widest tier with enough windows for a line, of those that reach back."""
    fitting = (
        tier
        for tier in reversed(tiers.rollups)
        if _LINE * tier.window <= window and (tier.retention == 0 or tier.retention >= window)
    )
    return next(fitting, _tier(tiers, window))


def _line_step(alert: Alert, at: int) -> int:
    """The widest step that gives a line enough of them, and lies alike at every evaluation."""
    common = gcd(alert.window, alert.every, at)
    widest = max(1, alert.window // _LINE)
    return next(step for step in range(min(common, widest), 0, -1) if common % step == 0)
