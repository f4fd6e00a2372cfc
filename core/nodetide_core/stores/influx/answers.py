"""InfluxDB's answers to InfluxQL, read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from nodetide_core.errors import StoreError, StoreUnavailable
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
    results = _Results(doing)
    found = [
        [Rows(_key(series), series["columns"], series.get("values", ())) for series in result.get("series", ())]
        for result in results.of(_document(reply.body, doing))
    ]
    results.end()
    return found


def ask_columns(caller: Caller, request: Request, *, doing: str, many: bool = True) -> list[Columns]:
    """The series of one statement.

    Args:
        many: whether series have many rows, which are then asked for in MessagePack, if InfluxDB knows it, and in
            parts, so that one is read while InfluxDB makes the next.

    Raises:
        StoreUnavailable, StoreRejected: as `ask` does.
    """
    gathered = _Gathered(doing)
    parts = Documents(gathered.add)
    reply = _send(caller, request, _MSGPACK, doing, parts) if many else _send(caller, request, _JSON, doing)
    if reply.headers.get("content-type") == _MSGPACK:
        try:
            parts.end()
        except ValueError as error:
            raise _broken(doing) from error
    else:
        gathered = _Gathered(doing)
        for line in reply.body.splitlines():
            gathered.add(_document(line, doing))
    return gathered.end()


class _Gathered:
    """The series of an answer, gathered from its documents as they come; what is wrong is told at the end."""

    def __init__(self, doing: str) -> None:
        self._results = _Results(doing)
        self._found: list[Columns] = []
        self._goes_on = False
        self._error: StoreError | None = None

    def add(self, document: Any) -> None:
        if self._error is None:
            try:
                for result in self._results.of(document):
                    for series in result.get("series", ()):
                        self._add(series)
            except StoreError as error:
                self._error = error

    def end(self) -> list[Columns]:
        if self._error is not None:
            raise self._error
        self._results.end()
        return self._found

    def _add(self, series: dict[str, Any]) -> None:
        columns = [*map(list, zip(*series.get("values", ()), strict=True))]
        if self._goes_on:
            for column, more in zip(self._found[-1].values, columns, strict=True):
                column.extend(more)
        elif columns:
            self._found.append(Columns(_key(series), columns))
        self._goes_on = series.get("partial", False)


def _send(caller: Caller, request: Request, accept: str, doing: str, parts: Documents | None = None) -> Reply:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": accept}
    path = request.path if parts is None else f"{request.path}&chunked=true&chunk_size={_ROWS}"
    heard = None if parts is None else parts.feed
    return caller.send("POST", path, request.body(), headers, doing=doing, heard=heard)


class _Results:
    """Those of all statements, one after the other.

    Errors come inside a 200, too: for the whole, for a statement, or late, as a series was read.
    """

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._some = False
        #: The statement of a result that is partial: it goes on in the next one.
        self._open: int | None = None

    def of(self, document: Any) -> Sequence[dict[str, Any]]:
        if not isinstance(document, dict):
            raise _broken(self._doing)
        results: Sequence[dict[str, Any]] = document.get("results", ())
        for part in (document, *results):
            if "error" in part:
                raise in_answer(str(part["error"]), self._doing)
        for result in results:
            if self._open not in (None, result.get("statement_id")):
                raise self._partial()
            self._open = result.get("statement_id", -1) if result.get("partial") else None
        self._some = True
        return results

    def end(self) -> None:
        if not self._some:
            raise _broken(self._doing)
        if self._open is not None:
            raise self._partial()

    def _partial(self) -> StoreUnavailable:
        return StoreUnavailable(f"{self._doing}: the answer is not whole")


def _document(body: bytes, doing: str) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise _broken(doing) from error


def _broken(doing: str) -> StoreUnavailable:
    return StoreUnavailable(f"{doing}: the answer broke off")


def _key(series: dict[str, Any]) -> SeriesKey:
    # A series without a tag that others have comes with an empty one.
    tags = tuple(sorted((name, value) for name, value in series.get("tags", {}).items() if value))
    return SeriesKey(series.get("name", ""), tags)
