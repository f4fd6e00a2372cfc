"""Which buckets hold anything at all.

In InfluxQL that would be `SHOW MEASUREMENTS` of each, and for each statement of InfluxQL influxd reads all buckets of
the organization (`dbrp.Service.FindMany`): 17 ms with four thousand of them. In Flux many are asked for together, for
0.2 ms each, however many there are and whatever they hold: the index alone answers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from nodetide_core.errors import StoreRejected, StoreUnavailable
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.failures import in_answer
from nodetide_core.stores.influx.flux_asking import ask_flux
from nodetide_core.stores.influx.quoting import flux_string

__all__ = ["filled", "filled_in", "filled_text"]

#: Buckets of one question.
_AT_ONCE = 50
_DOING = "looking into buckets"
#: Of all times, for a point may lie in the future.
_ONE = """\
one = (of) => from(bucket: of) |> range(start: 0, stop: 2200-01-01T00:00:00Z)
  |> keep(columns: ["_measurement"]) |> group() |> distinct(column: "_measurement") |> limit(n: 1)
"""


def filled(caller: Caller, org: str, buckets: Sequence[str]) -> Iterator[str]:
    """Those that hold a point, and those into which nobody lets us look.

    Raises:
        StoreUnavailable
    """
    for begin in range(0, len(buckets), _AT_ONCE):
        yield from _among(caller, org, buckets[begin : begin + _AT_ONCE])


def _among(caller: Caller, org: str, buckets: Sequence[str]) -> Iterator[str]:
    try:
        answer = ask_flux(caller, org, filled_text(buckets), annotations=(), doing=_DOING)
        yield from list(filled_in(answer, buckets))
    except StoreRejected:
        # One that is refused fails all: whichever it is.
        if len(buckets) == 1:
            yield buckets[0]
            return
        half = len(buckets) // 2
        yield from _among(caller, org, buckets[:half])
        yield from _among(caller, org, buckets[half:])


def filled_text(buckets: Sequence[str]) -> str:
    """A query with a result for each bucket that holds something, which is called by its place among them."""
    asked = (f'one(of: {flux_string(bucket)}) |> yield(name: "{at}")\n' for at, bucket in enumerate(buckets))
    return _ONE + "".join(asked)


def filled_in(answer: bytes, buckets: Sequence[str]) -> Iterator[str]:
    """
    Args:
        answer: to `filled_text`, in CSV without annotations.

    Raises:
        StoreUnavailable, StoreRejected: the query failed as it ran.
    """
    failed = False
    try:
        for row in csv.reader(io.StringIO(answer.decode(), newline="")):
            if row[:2] == ["", "result"] or row[:1] == ["error"]:  # the head of what follows
                failed = row[0] == "error"
            elif row and failed:
                raise in_answer(row[0], _DOING)
            elif row:
                yield buckets[int(row[1])]
    except (csv.Error, ValueError, IndexError) as error:
        raise StoreUnavailable(f"{_DOING}: the answer broke off") from error
