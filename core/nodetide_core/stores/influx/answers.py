"""InfluxDB's answers to InfluxQL, read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from nodetide_core.errors import StoreUnavailable
from nodetide_core.points import SeriesKey
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.failures import in_answer
from nodetide_core.stores.influx.influxql import Request

__all__ = ["Rows", "ask"]


class Rows(NamedTuple):
    """One series of an answer.

    Attributes:
        columns: ``time`` first.
        values: a list for each time; None where a column has no value.
    """

    key: SeriesKey
    columns: Sequence[str]
    values: Sequence[Sequence[Any]]


def ask(caller: Caller, request: Request, *, doing: str) -> list[list[Rows]]:
    """The series of each statement.

    Raises:
        StoreUnavailable: InfluxDB does not answer, is busy or broke off.
        StoreRejected: it refuses the query, or has no such bucket.
    """
    if not request.text:
        return []
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    reply = caller.send("POST", request.path, request.body(), headers, doing=doing)
    try:
        document = json.loads(reply.body)
    except ValueError as error:
        raise StoreUnavailable(f"{doing}: the answer broke off") from error
    # Errors come inside a 200, too: for the whole, for a statement, or late, as a series was read.
    _check(document, doing)
    found = []
    for result in document.get("results", ()):
        _check(result, doing)
        found.append([_rows(series) for series in result.get("series", ())])
    return found


def _check(part: dict[str, Any], doing: str) -> None:
    if "error" in part:
        raise in_answer(str(part["error"]), doing)
    if part.get("partial"):
        raise StoreUnavailable(f"{doing}: the answer is not whole")


def _rows(series: dict[str, Any]) -> Rows:
    # A series without a tag that others have comes with an empty one.
    tags = tuple(sorted((name, value) for name, value in series.get("tags", {}).items() if value))
    return Rows(SeriesKey(series.get("name", ""), tags), series["columns"], series.get("values", ()))
