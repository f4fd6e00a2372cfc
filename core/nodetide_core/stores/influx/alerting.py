"""InfluxDB under alerts: what they remember, and when series were seen last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nodetide_core.alerts.model import AlertKey
from nodetide_core.alerts.ports import AlertRecord, Remembered, Told, ToldKey
from nodetide_core.errors import StoreRejected
from nodetide_core.lineprotocol import Encoder
from nodetide_core.points import Tags
from nodetide_core.stores.influx import alert_records, influxql
from nodetide_core.stores.influx.answers import Rows, ask
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.series_keys import hosts_among, series_key
from nodetide_core.stores.influx.writing import post

__all__ = ["evaluated", "last_seen", "records", "remember", "remembered"]

#: Seconds within which nearly every series was heard of.
_NEAR = 300
#: Share of the series above which it is cheaper to ask for all than to name their hosts.
_FEW = 0.5


def remembered(caller: Caller, bucket: str) -> Remembered:
    """
    Raises:
        StoreUnavailable, StoreRejected
    """
    answers = ask(caller, alert_records.remembered_request(bucket), doing=f"reading the alerts of {bucket}")
    return alert_records.remembered_in(bucket, answers)


def records(caller: Caller, bucket: str) -> dict[AlertKey, AlertRecord]:
    """
    Raises:
        StoreUnavailable, StoreRejected
    """
    (answer,) = ask(caller, alert_records.records_request(bucket), doing=f"reading the alerts of {bucket}")
    return alert_records.records_in(bucket, answer)


def evaluated(caller: Caller, bucket: str) -> int:
    """When it was last remembered that alerts of a bucket are evaluated; Unix seconds, 0 where it never was.

    Raises:
        StoreUnavailable, StoreRejected
    """
    (answer,) = ask(caller, alert_records.evaluated_request(bucket), doing=f"reading the alerts of {bucket}")
    return alert_records.evaluated_in(answer)


def remember(
    caller: Caller,
    bucket: str,
    states: Mapping[AlertKey, AlertRecord | None],
    told: Mapping[ToldKey, Told | None],
    at: int,
    *,
    org: str,
    now: float,
) -> None:
    """Written in one request, and durable when this returns.

    Args:
        at: when it was so; Unix seconds, as is ``now``.

    Raises:
        StoreUnavailable, StoreRejected
    """
    points = list(alert_records.points(states, told, at))
    # Another one each time: series of alerts come and go, and nothing is gained by keeping what is known of them.
    refused = post(caller, points, Encoder(), org=org, bucket=bucket, now=now)
    if refused:
        raise StoreRejected(f"{bucket}: the state of alerts was refused: {', '.join(refused)}")


def last_seen(
    caller: Caller, bucket: str, measurement: str, field: str | None, since: int, *, now: int
) -> Mapping[Tags, int]:
    """When each series had its newest point, of those that had one since ``since``.

    Nearly all were heard a moment ago, and to look for that in a day of shards costs ten times as much as in the
    newest; so the others alone, which the index knows, are looked for there.

    Raises:
        StoreUnavailable, StoreRejected
    """
    doing = f"reading {measurement} from {bucket}"
    near = max(since, now - _NEAR)
    newest, known = ask(caller, influxql.newest_times_and_series(bucket, measurement, field, near), doing=doing)
    found = _times(newest)
    keys = {str(key) for rows in known for (key,) in rows.values}
    unheard = keys - {series_key(measurement, tags) for tags in found}
    if unheard and near > since:
        hosts = hosts_among(unheard)
        few = frozenset() if hosts is None or len(hosts) > _FEW * len(keys) else hosts
        earlier = influxql.newest_times(bucket, measurement, field, since, stop=near, hosts=few)
        found = {**_times(ask(caller, earlier, doing=doing)[0]), **found}
    return found


def _times(answer: Iterable[Rows]) -> dict[Tags, int]:
    return {rows.key.tags: int(rows.values[0][0]) for rows in answer}
