"""Points to InfluxDB in one request, all of them or none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from nodetide_core.catalogue import Catalogue
from nodetide_core.errors import StoreRejected, StoreUnavailable
from nodetide_core.lineprotocol import Encoder
from nodetide_core.points import Point
from nodetide_core.store import Stream
from nodetide_core.stores.admission import Refused, admit, refuse_time
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.packed import compress
from nodetide_core.stores.influx.verdict import Kind, judge, write_path
from nodetide_core.stores.retention import oldest_accepted

__all__ = ["admitted", "post"]


def admitted(
    stream: Stream, points: Iterable[Point], catalogue: Catalogue, now: int, refused: Counter[str]
) -> list[Point]:
    """The points that the store takes, with fields of the catalogue's types.

    InfluxDB keeps whatever is younger than the retention, so that, at the latest, is where a tier's
    data may be gone.

    Args:
        refused: counts the others by reason.
    """
    tiers = stream.tiers
    edges = {tier.name: now - tier.retention for tier in tiers.tiers if tier.retention}
    oldest = oldest_accepted(tiers, now, edges)
    found = []
    for point in points:
        reason = refuse_time(point.time, now, oldest)
        if reason is None:
            try:
                found.append(point._replace(fields=admit(point, catalogue)))
                continue
            except Refused as refusal:
                reason = str(refusal)
        refused[reason] += 1
    return found


def post(
    caller: Caller, points: Sequence[Point], encoder: Encoder, *, org: str, bucket: str, now: float
) -> Counter[str]:
    """Send points; gives how many InfluxDB refused, by reason.

    Raises:
        StoreUnavailable: nothing was taken, now.
        StoreRejected: nothing was taken, for good.
    """
    refused: Counter[str] = Counter()
    if not points:
        return refused
    reply = caller.exchange(
        "POST", write_path(org, bucket), compress(encoder.encode(points)), {"Content-Encoding": "gzip"}
    )
    verdict = judge(reply, org=org, bucket=bucket, now=now)
    if verdict.kind is Kind.SENT:
        return refused
    if verdict.kind is Kind.PARTIAL:
        refused[verdict.reason] = min(verdict.dropped, len(points))
        return refused
    if verdict.kind in (Kind.REJECTED, Kind.TOO_LARGE):
        raise StoreRejected(f"{bucket}: {verdict.reason}")
    if verdict.retry_after is not None:
        raise StoreUnavailable(verdict.reason, verdict.retry_after)
    raise StoreUnavailable(verdict.reason)
