"""Flux that users write, taken apart so that a check can be made of it.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nodetide_core.errors import StoreRejected

__all__ = ["PREFIX", "Script", "read_script"]

#: Of the names that checks use for themselves.
PREFIX = "nodetide_"
#: What InfluxDB looks for in a custom check.
_TAKEN = frozenset({"check", "task"})


@dataclass(frozen=True, slots=True)
class Script:
    """
    Attributes:
        imports: import declarations.
        statements: all but the last.
        result: the last statement, an expression.
        reads: see `nodetide_core.stores.influx.flux_reads.reads_of`.
    """

    imports: tuple[str, ...]
    statements: tuple[str, ...]
    result: str
    reads: tuple[str | None, ...] = ()


def read_script(tree: Mapping[str, Any]) -> Script:
    """The parts of a script, from what InfluxDB's ``/api/v2/query/ast`` says of it.

    Raises:
        StoreRejected: it does not end in an expression, or has what a check cannot have; the message is for people.
    """
    try:
        (file,) = tree["ast"]["files"]
        body = file["body"] or []
        kinds = [statement["type"] for statement in body]
        sources = [_source(statement) for statement in body]
        imports = tuple(_source(item) for item in file.get("imports") or ())
        names = [name for statement in body for name in _assigned(statement)]
    except (LookupError, TypeError, ValueError):
        raise StoreRejected("the query cannot be taken apart: InfluxDB's answer is not understood") from None
    if not body or kinds[-1] != "ExpressionStatement":
        raise StoreRejected("the query must end in an expression that gives tables, such as from(…) |> …")
    if odd := sorted({kind for kind in kinds[:-1] if kind != "VariableAssignment"}):
        raise StoreRejected(f"the query can have definitions and, at its end, one expression; it has: {', '.join(odd)}")
    if taken := [name for name in names if name in _TAKEN or name.startswith(PREFIX)]:
        raise StoreRejected(f"the query cannot define {taken[0]!r}: the check does; choose another name")
    return Script(imports, tuple(sources[:-1]), sources[-1])


def _source(node: Mapping[str, Any]) -> str:
    return str(node["location"]["source"])


def _assigned(statement: Mapping[str, Any]) -> Iterator[str]:
    if statement["type"] == "VariableAssignment":
        yield str(statement["id"]["name"])
