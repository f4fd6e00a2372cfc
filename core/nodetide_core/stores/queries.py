"""What every store asks of a query before it reads anything."""

from __future__ import annotations

from nodetide_core.catalogue import Catalogue, Kind
from nodetide_core.errors import StoreRejected
from nodetide_core.store import Aggregate, RangeQuery, Stream

__all__ = ["check_query"]

_ALLOWED = {
    Kind.GAUGE: frozenset({Aggregate.MEAN, Aggregate.MIN, Aggregate.MAX, Aggregate.LAST, Aggregate.COUNT}),
    Kind.COUNTER: frozenset({Aggregate.RATE, Aggregate.INCREASE, Aggregate.LAST}),
    Kind.INFO: frozenset[Aggregate](),
}


def check_query(query: RangeQuery, stream: Stream, catalogue: Catalogue) -> None:
    """
    Raises:
        StoreRejected: the stream has no such tier, the catalogue no such field, the aggregate does
            not suit its kind, or the step is not a whole number of windows.
    """
    tier = stream.tiers.by_name(query.tier.name)
    if tier is None or tier.window != query.tier.window:
        raise StoreRejected(f"{query.bucket} has no tier {query.tier.name} of {query.tier.window} s")
    if query.step < 1 or query.step % max(1, tier.window):
        raise StoreRejected(f"step: {query.step} s is not a multiple of the window of {tier.name}")
    for name in query.fields:
        field = catalogue.field(query.measurement, name)
        if field is None:
            raise StoreRejected(f"the catalogue has no {query.measurement}.{name}")
        if query.aggregate not in _ALLOWED[field.kind]:
            raise StoreRejected(
                f"{query.aggregate.value} is not defined for {query.measurement}.{name}, a {field.kind.value}"
            )
