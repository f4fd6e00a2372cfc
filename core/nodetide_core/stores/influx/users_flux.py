"""Flux of users: looked at before it is asked, and asked with the rights of the policy that asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nodetide_core.alerts.model import Reading
from nodetide_core.errors import StoreRejected, StoreUnavailable
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.failures import TokenRefused
from nodetide_core.stores.influx.flux_answers import readings
from nodetide_core.stores.influx.flux_asking import ask_flux
from nodetide_core.stores.influx.flux_reads import FluxWrong, reads_of
from nodetide_core.stores.influx.pool import CallerPool
from nodetide_core.stores.influx.query_tokens import QueryTokens

__all__ = ["UsersFlux", "flux_tree"]

#: Rows of the largest answer.
_ROWS = 100_000
#: So many are asked at once.
_AT_ONCE = 2
#: So many texts are remembered to be right or wrong.
_TEXTS = 4_096
#: What InfluxDB says, too, where a token may not read a bucket.
_NO_BUCKET = "could not find bucket"


class UsersFlux:
    """Has threads of its own: whatever users ask, those of other reads are left.

    Args:
        connect: makes a caller for a thread.
        tokens: that queries run with; None runs none.
    """

    def __init__(self, connect: Callable[[], Caller], org: str, tokens: QueryTokens | None) -> None:
        self._pool = CallerPool(connect, _AT_ONCE)
        self._org = org
        self._tokens = tokens
        #: What is wrong with texts that were looked at; None where nothing is.
        self._verdicts: dict[str, str | None] = {}

    def close(self) -> None:
        self._pool.close()

    async def ask(self, bucket: str, text: str) -> Sequence[Reading]:
        """What a query gives; see `nodetide_core.alerts.ports.AlertSource.flux`.

        Raises:
            StoreRejected: besides what the port says, the query may do something else than read and calculate, there
                is no token for it, or the answer has too many rows or bytes.
            StoreUnavailable
        """
        tokens = self._tokens
        if tokens is None:
            raise StoreRejected("queries of alerts are not evaluated here")

        def work(caller: Caller) -> Sequence[Reading]:
            wrong = self._wrong(caller, text)
            if wrong is not None:
                raise StoreRejected(f"flux: {wrong}")
            return _readings(caller, self._org, text, bucket, tokens)

        return await self._pool.run(work)

    async def check(self, text: str) -> str | None:
        """What is wrong with a query, with line and column: with its syntax, or because it may do something else than
        read and calculate; None where nothing is.

        Raises:
            StoreUnavailable, StoreRejected: it cannot be looked at.
        """
        return await self._pool.run(lambda caller: self._wrong(caller, text))

    def _wrong(self, caller: Caller, text: str) -> str | None:
        """`check`, once for each text."""
        try:
            return self._verdicts[text]
        except KeyError:
            found = _problem(caller, text)
        if len(self._verdicts) >= _TEXTS:
            self._verdicts.clear()
        self._verdicts[text] = found
        return found


def _problem(caller: Caller, text: str) -> str | None:
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


def _readings(caller: Caller, org: str, text: str, bucket: str, tokens: QueryTokens) -> Sequence[Reading]:
    token = tokens.of(bucket)
    try:
        answer = ask_flux(caller, org, text, annotations=("datatype", "default"), doing="the query", token=token)
    except TokenRefused:
        # It is this policy's alone: InfluxDB is there.
        raise StoreRejected(f"the token of the query is refused: {tokens.refused(bucket, token)}") from None
    except StoreRejected as error:
        raise StoreRejected(f"{error}; {tokens.scope}" if _NO_BUCKET in str(error) else str(error)) from None
    return readings(answer, limit=_ROWS)
