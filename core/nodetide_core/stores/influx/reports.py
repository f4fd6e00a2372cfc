"""What collectors report of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nodetide_core.store import Stream
from nodetide_core.stores.influx.answers import ask
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.influxql import policy_reports

__all__ = ["CollectorReport", "collector_reports"]


@dataclass(frozen=True, slots=True)
class CollectorReport:
    """
    Attributes:
        time: Unix seconds.
        hash: of the policy that the collector runs.
        over_budget: series that it leaves out.
    """

    time: int
    hash: str
    over_budget: int


def collector_reports(caller: Caller, stream: Stream, since: int) -> Mapping[str, CollectorReport]:
    """The newest report of each host.

    Raises:
        StoreUnavailable, StoreRejected
    """
    answers = ask(caller, policy_reports(stream.bucket, since), doing=f"reading the collectors of {stream.bucket}")
    found = {}
    for rows in answers[0]:
        time, told, over = rows.values[-1]
        host = dict(rows.key.tags).get("host")
        if host is not None:  # else it is no collector's
            found[host] = CollectorReport(int(time), str(told), int(over or 0))
    return found
