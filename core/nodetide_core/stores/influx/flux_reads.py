"""What Flux of users does, from its syntax tree: it may read buckets by their names and calculate, and nothing else.

InfluxDB's rights alone do not see to that.  A token that may do nothing but read one bucket reads any bucket of any
organization by ``from(bucketID: …)``; and whatever a token may do, ``http.post``, ``to(host: …)`` and ``from(host: …)``
carry what was read to where they are told.  So everything is refused that is not known to be harmless.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from nodetide_core.errors import StoreRejected

__all__ = ["PACKAGES", "FluxForbidden", "FluxWrong", "reads_of"]

Node = Mapping[str, Any]
Names = frozenset[str]

#: Packages that calculate, and reach nothing.
PACKAGES = frozenset(
    {
        "array", "bitwise", "date", "date/boundaries", "dict", "generate", "interpolate", "join", "json", "math",
        "regexp", "strings", "timezone", "types",
    }
)  # fmt: skip
#: What is there without an import, of Flux 0.196, but for what reads or writes.
_FUNCTIONS = frozenset(
    {
        "aggregateWindow", "bool", "bottom", "bytes", "chandeMomentumOscillator", "columns", "contains", "count",
        "cov", "covariance", "cumulativeSum", "derivative", "die", "difference", "display", "distinct", "doubleEMA",
        "drop", "duplicate", "duration", "elapsed", "exponentialMovingAverage", "fill", "filter", "findColumn",
        "findRecord", "first", "float", "getColumn", "getRecord", "group", "highestAverage", "highestCurrent",
        "highestMax", "histogram", "histogramQuantile", "holtWinters", "hourSelection", "increase", "int", "integral",
        "join", "kaufmansAMA", "kaufmansER", "keep", "keyValues", "keys", "last", "length", "limit", "linearBins",
        "logarithmicBins", "lowestAverage", "lowestCurrent", "lowestMin", "map", "max", "mean", "median", "min",
        "mode", "movingAverage", "now", "pearsonr", "pivot", "quantile", "range", "reduce", "relativeStrengthIndex",
        "rename", "sample", "set", "skew", "sort", "spread", "stateCount", "stateDuration", "stateTracking", "stddev",
        "string", "sum", "tableFind", "tail", "time", "timeShift", "timeWeightedAvg", "timedMovingAverage", "toBool",
        "toFloat", "toInt", "toString", "toTime", "toUInt", "today", "top", "tripleEMA",
        "tripleExponentialDerivative", "truncateTimeColumn", "uint", "union", "unique", "window", "yield",
    }
)  # fmt: skip
_OPTIONS = frozenset({"location", "now"})
_KNOWN = _FUNCTIONS | _OPTIONS | {"false", "inf", "true"}
#: The one function that reads, and all that read or write: nobody else may have their names.
_FROM = "from"
_TAKEN = frozenset({_FROM, "buckets", "cardinality", "to", "wideTo"})
_LITERALS = frozenset(
    f"{kind}Literal"
    for kind in ("Boolean", "DateTime", "Duration", "Float", "Integer", "Pipe", "Regexp", "String", "UnsignedInteger")
)
#: By the kind of an expression, its parts, which are expressions or lists of them.
_PARTS = {
    "ArrayExpression": ("elements",),
    "BinaryExpression": ("left", "right"),
    "ConditionalExpression": ("test", "consequent", "alternate"),
    "DictExpression": ("elements",),
    "DictItem": ("key", "val"),
    "IndexExpression": ("array", "index"),
    "InterpolatedPart": ("expression",),
    "LogicalExpression": ("left", "right"),
    "ParenExpression": ("expression",),
    "PipeExpression": ("argument", "call"),
    "StringExpression": ("parts",),
    "TextPart": (),
    "UnaryExpression": ("argument",),
    **dict.fromkeys(_LITERALS, ()),
}


class FluxWrong(StoreRejected):
    """A query cannot be evaluated; the message is for people."""


class FluxForbidden(FluxWrong):
    """It may do something else than read and calculate, or what it does is not understood."""


def reads_of(tree: Node) -> tuple[str | None, ...]:
    """The names of the buckets that a query reads; None for one whose name it works out.

    Args:
        tree: what InfluxDB's ``/api/v2/query/ast`` says of it.

    Raises:
        FluxForbidden
    """
    try:
        (file,) = tree["ast"]["files"]
        return tuple(_of_file(file))
    except RecursionError:
        raise FluxForbidden("the query is nested too deeply") from None
    except (LookupError, TypeError, ValueError, AttributeError):
        raise FluxForbidden("the query cannot be taken apart: InfluxDB's answer is not understood") from None


def _of_file(file: Node) -> Iterator[str | None]:
    if (clause := file.get("package")) is not None and clause["name"]["name"] != "main":
        _refuse(clause, "it cannot be a package of its own; leave the package clause out")
    names: Names = frozenset()
    for item in file.get("imports") or ():
        path = item["path"]["value"]
        if path not in PACKAGES:
            _refuse(item, f"it cannot import {path!r}: the query of an alert reads and calculates; it may import "
                    f"{', '.join(sorted(PACKAGES))}")  # fmt: skip
        names |= _defined(item["as"] if item.get("as") else {**item, "name": path.rpartition("/")[2]})
    yield from _of_statements(file.get("body") or (), names)


def _of_statements(body: Any, names: Names) -> Iterator[str | None]:
    for statement in body:
        kind = statement["type"]
        if kind == "OptionStatement":
            assignment = statement["assignment"]
            if assignment["type"] != "VariableAssignment" or assignment["id"]["name"] not in _OPTIONS:
                _refuse(statement, f"it may set the options {' and '.join(sorted(_OPTIONS))}, and no others")
            yield from _of(assignment["init"], names)
        elif kind == "VariableAssignment":
            yield from _of(statement["init"], names)
            # Only from here on: what comes before means InfluxDB's own of that name.
            names |= _defined(statement["id"])
        elif kind == "ExpressionStatement":
            yield from _of(statement["expression"], names)
        elif kind == "ReturnStatement":
            yield from _of(statement["argument"], names)
        else:
            _refuse(statement, f"it has a {kind}, which the query of an alert cannot have")


def _of(node: Node, names: Names) -> Iterator[str | None]:
    kind = node["type"]
    if kind == "Identifier":
        _look_up(node, names)
    elif kind == "CallExpression":
        yield from _of_call(node, names)
    elif kind == "MemberExpression":
        # The property is a name in a record, or the like in quotes.
        yield from _of(node["object"], names)
    elif kind == "ObjectExpression":
        if node.get("with"):
            yield from _of(node["with"], names)
        for item in node.get("properties") or ():
            yield from _of(item["value"] if item.get("value") else item["key"], names)
    elif kind == "FunctionExpression":
        yield from _of_function(node, names)
    elif kind in _PARTS:
        for part in _PARTS[kind]:
            found = node[part]
            for one in found if isinstance(found, list) else (found,):
                # Items of a dict alone come without a type.
                yield from _of(one if "type" in one else {**one, "type": "DictItem"}, names)
    else:
        _refuse(node, f"it has a {kind}, which is not understood")


def _of_function(node: Node, names: Names) -> Iterator[str | None]:
    inner = names
    for parameter in node.get("params") or ():
        if parameter.get("value"):
            yield from _of(parameter["value"], names)
        inner |= _defined(parameter["key"])
    body = node["body"]
    yield from _of_statements(body["body"] or (), inner) if body["type"] == "Block" else _of(body, inner)


def _of_call(node: Node, names: Names) -> Iterator[str | None]:
    callee, arguments = node["callee"], node.get("arguments") or ()
    if callee["type"] == "Identifier" and callee["name"] == _FROM:
        yield _bucket(node, arguments)
    else:
        yield from _of(callee, names)
    for argument in arguments:
        yield from _of(argument, names)


def _bucket(node: Node, arguments: Any) -> str | None:
    """What a call of ``from`` reads."""
    given = [item for found in arguments for item in found.get("properties") or ()]
    if [item["key"].get("name") for item in given] != ["bucket"] or any(found.get("with") for found in arguments):
        _refuse(node, 'from() must be given the bucket by its name, from(bucket: "…"), and nothing else')
    value = given[0].get("value")
    return str(value["value"]) if value and value["type"] == "StringLiteral" else None


def _look_up(node: Node, names: Names) -> None:
    name = node["name"]
    if name == _FROM:
        _refuse(node, 'from must be called where it stands, as in from(bucket: "…")')
    if name not in names and name not in _KNOWN:
        _refuse(node, f"{name!r} is nothing that the query of an alert may use: it may read and calculate")


def _defined(node: Node) -> Names:
    if node["name"] in _TAKEN:
        _refuse(node, f"it cannot define {node['name']!r}; choose another name")
    return frozenset({node["name"]})


def _refuse(node: Node, why: str) -> NoReturn:
    start = node["location"]["start"]
    raise FluxForbidden(f"line {start['line']}, column {start['column']}: {why}")
