"""InfluxDB's answers to InfluxQL, read."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from nodetide_core.errors import StoreUnavailable
from nodetide_core.points import SeriesKey
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.documents import Documents
from nodetide_core.stores.influx.failures import in_answer
from nodetide_core.stores.influx.http import Reply
from nodetide_core.stores.influx.influxql import Request

__all__ = ["Columns", "Rows", "ask", "ask_columns"]

_JSON, _MSGPACK = "application/json", "application/x-msgpack"
#: Of a part of an answer that is read while InfluxDB makes the next.
_ROWS = 1_000


class Rows(NamedTuple):
    """One series of an answer.

    Attributes:
        columns: ``time`` first.
        values: a list for each time; None where a column has no value.
    """

    key: SeriesKey
    columns: Sequence[str]
    values: Sequence[Sequence[Any]]


class Columns(NamedTuple):
    """The same by columns.

    Attributes:
        values: a list for each column, the times first; all are equally long, and None stands where there is no value.
    """

    key: SeriesKey
    values: list[list[Any]]


def ask(caller: Caller, request: Request, *, doing: str) -> list[list[Rows]]:
    """The series of each statement.

    Raises:
        StoreUnavailable: InfluxDB does not answer, is busy or broke off.
        StoreRejected: it refuses the query, or has no such bucket.
    """
    if not request.text:
        return []
    reply = _send(caller, request, _JSON, doing)
    return [
        [Rows(_key(series), series["columns"], series.get("values", ())) for series in result.get("series", ())]
        for result in _results(_documents(lambda: [json.loads(reply.body)], doing), doing)
    ]


def ask_columns(caller: Caller, request: Request, *, doing: str, many: bool = True) -> list[Columns]:
    """The series of one statement.

    Args:
        many: whether series have many rows, which are then asked for in MessagePack, if InfluxDB knows it, and in
            parts, so that one is read while InfluxDB makes the next.

    Raises:
        StoreUnavailable, StoreRejected: as `ask` does.
    """
    parts = Documents()
    reply = _send(caller, request, _MSGPACK, doing, parts) if many else _send(caller, request, _JSON, doing)
    packed = reply.headers.get("content-type") == _MSGPACK
    documents = _documents(parts.whole if packed else lambda: [*map(json.loads, reply.body.splitlines())], doing)
    found: list[Columns] = []
    goes_on = False
    for result in _results(documents, doing):
        for series in result.get("series", ()):
            columns = [*map(list, zip(*series.get("values", ()), strict=True))]
            if goes_on:
                for column, more in zip(found[-1].values, columns, strict=True):
                    column.extend(more)
            elif columns:
                found.append(Columns(_key(series), columns))
            goes_on = series.get("partial", False)
    return found


def _send(caller: Caller, request: Request, accept: str, doing: str, parts: Documents | None = None) -> Reply:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": accept}
    path = request.path if parts is None else f"{request.path}&chunked=true&chunk_size={_ROWS}"
    heard = None if parts is None else parts.feed
    return caller.send("POST", path, request.body(), headers, doing=doing, heard=heard)


def _documents(read: Callable[[], list[Any]], doing: str) -> list[dict[str, Any]]:
    try:
        found = read()
        if not found or not all(isinstance(document, dict) for document in found):
            raise ValueError("it is none of InfluxDB's")
    except ValueError as error:
        raise StoreUnavailable(f"{doing}: the answer broke off") from error
    return found


def _results(documents: list[dict[str, Any]], doing: str) -> list[dict[str, Any]]:
    """Those of all statements, one after the other.

    Errors come inside a 200, too: for the whole, for a statement, or late, as a series was read.
    """
    found: list[dict[str, Any]] = []
    for document in documents:
        results = document.get("results", ())
        for part in (document, *results):
            if "error" in part:
                raise in_answer(str(part["error"]), doing)
        found += results
    # What is partial goes on in the next one of the same statement.
    for result, following in zip(found, [*found[1:], {}], strict=False):
        if result.get("partial") and result.get("statement_id") != following.get("statement_id", -1):
            raise StoreUnavailable(f"{doing}: the answer is not whole")
    return found


def _key(series: dict[str, Any]) -> SeriesKey:
    # A series without a tag that others have comes with an empty one.
    tags = tuple(sorted((name, value) for name, value in series.get("tags", {}).items() if value))
    return SeriesKey(series.get("name", ""), tags)
