"""The definition as data: it says all that core's schema says, describes and bounds everything, and stays small."""

from __future__ import annotations

import copy
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from nodetide.cli import main
from nodetide_core.policy import POLICY_SCHEMA
from nodetide_operator.crd import definition, render
from nodetide_operator.crd.rule import Rule, add, at

ROOT = Path(__file__).resolve().parents[4]
EXAMPLES = sorted((ROOT / "manifests" / "examples").glob("*.yaml"))

Schema = dict[str, Any]


def schema() -> Schema:
    found: Schema = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def parts(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every part of a schema, with its path."""
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from parts(inner, f"{path}.{name}")
    if "items" in schema:
        yield from parts(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from parts(schema["additionalProperties"], f"{path}{{}}")


def test_the_file_is_up_to_date():
    spec = importlib.util.spec_from_file_location("hack_crd", ROOT / "hack" / "crd.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "manifests" / "crd.yaml").read_text() == module.text(), "run `make docs`"


def test_what_is_written_is_the_definition():
    assert yaml.safe_load(render()) == definition()
    assert "&id" not in render()


def test_everything_is_described():
    assert not [path for path, part in parts(schema()) if path != ".metadata" and not part.get("description")]


def test_everything_is_bounded():
    """What has no bound cannot be afforded by rules, and lets one object fill the store."""
    for path, part in parts(schema()):
        if part["type"] == "string" and path not in (".apiVersion", ".kind"):
            assert {"maxLength", "enum", "format"} & part.keys(), path
        if part["type"] == "array":
            assert "maxItems" in part, path
        if "additionalProperties" in part:
            assert "maxProperties" in part, path


def test_the_spec_says_all_that_core_says():
    ours = dict(parts(schema()["properties"]["spec"]))
    for path, part in parts(POLICY_SCHEMA):
        for keyword in part.keys() - {"properties", "items", "additionalProperties"}:
            if keyword == "default" and "[]" in path:
                assert "default" not in ours[path], path
                assert ours[path]["description"].endswith(f" Left out: {part['default']}."), path
            elif keyword == "description":
                assert ours[path]["description"].startswith(part["description"]), path
            else:
                assert ours[path][keyword] == part[keyword], path
    assert ours.keys() == dict(parts(POLICY_SCHEMA)).keys()


def test_to_make_it_leaves_core_as_it_was():
    before = copy.deepcopy(POLICY_SCHEMA)
    definition()
    assert before == POLICY_SCHEMA


def test_it_fits_into_the_annotation_of_kubectl_apply():
    assert len(json.dumps(definition())) < 200_000  # the limit is 262,144 bytes, of all annotations


def test_a_rule_stands_where_it_says():
    root = copy.deepcopy({"type": "object", "properties": {"list": {"items": {"properties": {"a": {}, "b": {}}}}}})
    add(root, Rule("list[]", "self.a", "one"))
    add(root, Rule("list[]", "self.b", "two", "b", "'b'"))
    assert at(root, "list[]")["x-kubernetes-validations"] == [
        {"rule": "self.a", "message": "one"},
        {"rule": "self.b", "message": "two", "messageExpression": "'b'", "fieldPath": ".b"},
    ]


@pytest.mark.parametrize("rule", [Rule("nothing", "true", "x"), Rule("list[]", "true", "x", "nothing")])
def test_a_rule_on_what_is_not_there_is_an_error(rule: Rule):
    with pytest.raises(KeyError, match="nothing"):
        add({"properties": {"list": {"items": {"properties": {}}}}}, rule)


def test_examples_are_valid_each_alone_and_all_together(capsys: pytest.CaptureFixture[str]):
    assert len(EXAMPLES) >= 5
    for path in (*EXAMPLES, EXAMPLES[0].parent):
        assert main(["policy", "validate", str(path)]) == 0
    assert capsys.readouterr().out.count("is valid") == 2 * len(EXAMPLES)
