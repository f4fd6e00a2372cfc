"""Points that came late past every mark: collectors write straight to InfluxDB, after an outage hours later.

What every collector reports of itself at each pass says so: where a host has more of it in the raw
points than was rolled up, its window must be made again.  Only windows that were not full are looked
at in the raw points, so that a healthy fleet costs one read of a tier.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby

from nodetide_core.store import Stream
from nodetide_core.stores.influx.answers import Rows, ask
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.influxql import report_counts, rolled_report_counts
from nodetide_core.stores.influx.state import EVERYONE

__all__ = ["late_windows", "suspects"]

#: Counts by host and start of window.
_Counts = Mapping[tuple[str, int], int]


def late_windows(caller: Caller, stream: Stream, start: int, stop: int) -> set[tuple[int, str]]:
    """Windows of the first tier within ``[start, stop)``, with hosts, that hold less than the raw points.

    Raises:
        StoreUnavailable, StoreRejected
    """
    tier = stream.tiers.rollups[0]
    window = tier.window
    request = rolled_report_counts(tier.bucket(stream.bucket), start, stop)
    rolled = _counts(ask(caller, request, doing="looking for late points"))
    found: set[tuple[int, str]] = set()
    for begin, end in suspects(rolled, start, stop, window, window // stream.interval):
        request = report_counts(stream.bucket, begin, end, window)
        raw = _counts(ask(caller, request, doing="looking for late points"))
        for (host, at), count in raw.items():
            if count > rolled.get((host, at), 0):
                # The first sample after a window grows from the last one in it.
                found |= {(at, host)} | ({(at + window, host)} if at + window < stop else set())
    return found


def suspects(rolled: _Counts, start: int, stop: int, window: int, full: int) -> list[tuple[int, int]]:
    """Ranges of windows in which some host, of those that are known, has not all the samples it should.

    Args:
        full: samples of a window without a gap.
    """
    hosts = {host for host, _ in rolled}
    complete: dict[int, int] = {}
    for (_, at), count in rolled.items():
        if count >= full:
            complete[at] = complete.get(at, 0) + 1
    starts = range(start, stop, window)
    wanting = [at for at in starts if complete.get(at, 0) < len(hosts) or not hosts]
    runs: Iterable[list[int]] = (
        [at for _, at in group] for _, group in groupby(enumerate(wanting), key=lambda item: item[1] - item[0] * window)
    )
    return [(run[0], run[-1] + window) for run in runs]


def _counts(answers: list[list[Rows]]) -> dict[tuple[str, int], int]:
    return {
        (dict(rows.key.tags).get("host", EVERYONE), time): count
        for answer in answers
        for rows in answer
        for time, count in rows.values
        if count is not None
    }
