"""What counters of many series did in a short while.

InfluxQL puts the samples of all series in order one by one, which costs three times what Flux takes to give them series
by series; that begins to count with a few series, and Flux with some milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator

from nodetide_core.points import SeriesKey
from nodetide_core.store import RangeQuery
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.flux_asking import ask_flux
from nodetide_core.stores.influx.flux_samples import ANNOTATIONS, Found, Samples, last_text, read_samples, samples_text

__all__ = ["growing_samples", "is_short_and_wide", "with_before"]

#: Intervals before a range within which its counters mostly have the sample that they grow from.
_NEAR = 10


def is_short_and_wide(query: RangeQuery, gap: int) -> bool:
    """Whether it asks for samples of all hosts, and for no more than the longest gap."""
    return query.tier.window == 0 and "host" not in query.tags and query.stop - query.start <= gap


def growing_samples(
    caller: Caller, org: str, query: RangeQuery, *, interval: int, gap: int
) -> Iterator[tuple[SeriesKey, str, Samples]]:
    """The samples of the range by series and field, and before them the one that they grow from, if it is no further
    back than ``gap`` from the start.

    Raises:
        StoreUnavailable, StoreRejected
    """
    doing = f"reading {query.measurement} from {query.bucket}"

    def read(text: str) -> Found:
        answer = ask_flux(caller, org, text, annotations=ANNOTATIONS, doing=doing)
        return read_samples(answer, query.measurement, doing=doing)

    near = query.start - min(gap, _NEAR * interval)
    found = read(samples_text(query, near))
    before: Found = {}
    if near > query.start - gap and any(times[0] >= query.start for times, _ in found.values()):
        before = read(last_text(query, query.start - gap, near))
    for (key, field), samples in with_before(found, before, query.start).items():
        yield key, field, samples


def with_before(found: Found, before: Found, start: int) -> Found:
    """Samples with the one before ``start`` that some lack."""
    return {
        name: Samples([*before[name].times, *samples.times], [*before[name].values, *samples.values])
        if samples.times[0] >= start and name in before
        else samples
        for name, samples in found.items()
    }
