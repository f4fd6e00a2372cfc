"""InfluxDB under alerts: what they remember, when series were seen last, and Flux of users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nodetide_core.alerts.model import AlertKey, Reading
from nodetide_core.alerts.ports import AlertRecord, Remembered, Told, ToldKey
from nodetide_core.errors import StoreRejected, StoreUnavailable
from nodetide_core.lineprotocol import Encoder
from nodetide_core.points import Tags
from nodetide_core.stores.influx import alert_records, influxql
from nodetide_core.stores.influx.answers import Rows, ask
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.failures import TokenRefused
from nodetide_core.stores.influx.flux_answers import readings
from nodetide_core.stores.influx.flux_asking import ask_flux
from nodetide_core.stores.influx.flux_reads import FluxWrong, reads_of
from nodetide_core.stores.influx.query_tokens import QueryTokens
from nodetide_core.stores.influx.series_keys import hosts_among, series_key
from nodetide_core.stores.influx.writing import post

__all__ = [
    "FLUX_ROWS",
    "check_flux",
    "evaluated",
    "flux_readings",
    "flux_tree",
    "last_seen",
    "records",
    "remember",
    "remembered",
]

#: Rows of the largest answer to a user's query.
FLUX_ROWS = 100_000
#: Seconds within which nearly every series was heard of.
_NEAR = 300
#: Share of the series above which it is cheaper to ask for all than to name their hosts.
_FEW = 0.5
#: What InfluxDB says, too, where a token may not read a bucket.
_NO_BUCKET = "could not find bucket"


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


def flux_readings(caller: Caller, org: str, text: str, bucket: str, tokens: QueryTokens) -> Sequence[Reading]:
    """What a query gives that `check_flux` finds nothing wrong with.

    Args:
        bucket: the raw one of the policy that asks.

    Raises:
        StoreUnavailable
        StoreRejected: also where there is no token for it.
    """
    token = tokens.of(bucket)
    try:
        answer = ask_flux(caller, org, text, annotations=("datatype", "default"), doing="the query", token=token)
    except TokenRefused:
        # It is this policy's alone: InfluxDB is there.
        raise StoreRejected(f"the token of the query is refused: {tokens.refused(bucket, token)}") from None
    except StoreRejected as error:
        raise StoreRejected(f"{error}; {tokens.scope}" if _NO_BUCKET in str(error) else str(error)) from None
    return readings(answer, limit=FLUX_ROWS)


def check_flux(caller: Caller, text: str) -> str | None:
    """What is wrong with a query, with line and column: with its syntax, or because it may do something else than
    read and calculate; None where nothing is.

    Raises:
        StoreUnavailable, StoreRejected: it cannot be looked at.
    """
    try:
        reads_of(flux_tree(caller, text))
    except FluxWrong as wrong:
        return str(wrong)
    return None


def flux_tree(caller: Caller, text: str) -> Any:
    """The syntax tree of a query.

    Raises:
        FluxWrong: it has none; with line and column.
        StoreUnavailable, StoreRejected
    """
    doing = "check a query"
    answer: Any = caller.call("POST", "/api/v2/query/analyze", {"query": text, "type": "flux"}, doing=doing)
    try:
        errors = answer["errors"] or ()
        told = [f"line {error['line']}, column {error['column']}: {error['message']}" for error in errors]
    except (LookupError, TypeError):
        raise StoreUnavailable(f"{doing}: what answers is not InfluxDB") from None
    if told:
        raise FluxWrong("; ".join(dict.fromkeys(told)))
    try:
        return caller.call("POST", "/api/v2/query/ast", {"query": text}, doing=doing)
    except RecursionError:
        raise FluxWrong("the query is nested too deeply") from None
