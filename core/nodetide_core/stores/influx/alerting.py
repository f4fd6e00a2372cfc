"""InfluxDB under alerts: what they remember, when series were seen last, and Flux of users."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from nodetide_core.alerts.model import AlertKey, Reading
from nodetide_core.alerts.ports import AlertRecord, Remembered, Told, ToldKey
from nodetide_core.errors import StoreRejected, StoreUnavailable
from nodetide_core.lineprotocol import Encoder
from nodetide_core.points import Tags
from nodetide_core.stores.influx import alert_records, influxql
from nodetide_core.stores.influx.answers import ask
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.flux_answers import readings
from nodetide_core.stores.influx.writing import post

__all__ = ["FLUX_ROWS", "check_flux", "flux_readings", "last_seen", "records", "remember", "remembered"]

#: Rows of the largest answer to a user's query.
FLUX_ROWS = 100_000


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
        raise StoreRejected(f"{bucket}: the state of {refused.total()} alerts was refused: {', '.join(refused)}")


def last_seen(caller: Caller, bucket: str, measurement: str, field: str | None, since: int) -> Mapping[Tags, int]:
    """
    Raises:
        StoreUnavailable, StoreRejected
    """
    request = influxql.newest_times(bucket, measurement, field, since)
    found: dict[Tags, int] = {}
    for rows in ask(caller, request, doing=f"reading {measurement} from {bucket}")[0]:
        found[rows.key.tags] = int(rows.values[0][0])
    return found


def flux_readings(caller: Caller, org: str, text: str) -> Sequence[Reading]:
    """
    Raises:
        StoreUnavailable, StoreRejected
    """
    body = {"query": text, "type": "flux", "dialect": {"annotations": ["datatype", "default"], "header": True}}
    headers = {"Content-Type": "application/json", "Accept": "application/csv"}
    reply = caller.send("POST", _query_path(org), json.dumps(body).encode(), headers, doing="the query")
    return readings(reply.body, limit=FLUX_ROWS)


def check_flux(caller: Caller, text: str) -> str | None:
    """What is wrong with the syntax of a query, with line and column; None where nothing is.

    Raises:
        StoreUnavailable, StoreRejected
    """
    answer: Any = caller.call("POST", "/api/v2/query/analyze", {"query": text, "type": "flux"}, doing="check a query")
    try:
        errors = answer["errors"] or ()
        told = [f"line {error['line']}, column {error['column']}: {error['message']}" for error in errors]
    except (LookupError, TypeError):
        raise StoreUnavailable("check a query: what answers is not InfluxDB") from None
    return "; ".join(dict.fromkeys(told)) or None


def _query_path(org: str) -> str:
    return f"/api/v2/query?org={quote(org, safe='')}"
