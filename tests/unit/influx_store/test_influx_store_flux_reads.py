"""What of a syntax tree is refused that is not understood; real ones are in the integration tests."""

from __future__ import annotations

from typing import Any

import pytest

from nodetide_core.errors import StoreRejected
from nodetide_core.stores.influx.flux_reads import reads_of

AT = {"location": {"start": {"line": 3, "column": 7}}}


def node(type: str, **fields: Any) -> dict[str, Any]:
    return {"type": type, **AT, **fields}


def name(text: str) -> dict[str, Any]:
    return node("Identifier", name=text)


def text(value: str) -> dict[str, Any]:
    return node("StringLiteral", value=value)


def call(function: str, **arguments: Any) -> dict[str, Any]:
    properties = [node("Property", key=name(key), value=value) for key, value in arguments.items()]
    return node("CallExpression", callee=name(function), arguments=[node("ObjectExpression", properties=properties)])


def tree(*expressions: dict[str, Any], **file: Any) -> dict[str, Any]:
    body = [node("ExpressionStatement", expression=expression) for expression in expressions]
    return {"ast": {"files": [{"body": body, **file}]}}


def test_buckets_are_named_as_far_as_they_stand_there() -> None:
    worked_out = node("BinaryExpression", left=text("a"), right=text("b"))
    assert reads_of(tree(call("from", bucket=text("a")), call("from", bucket=worked_out))) == ("a", None)
    assert reads_of(tree(call("union", tables=node("ArrayExpression", elements=[call("from", bucket=text("b"))])))) == (
        "b",
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (tree(node("NewExpression")), "line 3, column 7: it has a NewExpression, which is not understood"),
        ({"ast": {"files": [{"body": [node("NewStatement")]}]}}, "line 3, column 7: it has a NewStatement"),
        (tree(call("exfiltrate")), "line 3, column 7: 'exfiltrate' is nothing that the query of an alert may use"),
        (tree(call("from", bucket=text("a"), later=text("b"))), "line 3, column 7: from"),
        (tree(imports=[node("ImportDeclaration", path=text("new"))]), "line 3, column 7: it cannot import 'new'"),
        (tree(node("BinaryExpression", left=text("a"))), "InfluxDB's answer is not understood"),
        ({"ast": {"files": []}}, "InfluxDB's answer is not understood"),
        ({"ast": None}, "InfluxDB's answer is not understood"),
        (None, "InfluxDB's answer is not understood"),
    ],
    ids=range(9),
)
def test_what_is_not_known_to_be_harmless_is_refused(found: Any, said: str) -> None:
    with pytest.raises(StoreRejected) as told:
        reads_of(found)
    assert said in str(told.value)


def test_what_is_nested_for_ever_ends() -> None:
    inner = text("a")
    for _ in range(100_000):
        inner = node("UnaryExpression", argument=inner)
    with pytest.raises(StoreRejected, match="nested too deeply"):
        reads_of(tree(inner))
