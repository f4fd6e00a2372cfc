"""What core takes the apiserver takes, with the same defaults: examples, documentation, and odd shapes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from nodetide_core.policy import KIND, Policy, parse_policy

pytestmark = pytest.mark.peer

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = sorted((ROOT / "manifests" / "examples").glob("*.yaml"))
SHAPES = yaml.safe_load((ROOT / "tests/fixtures/policies/valid.yaml").read_text())


def documented() -> list[Any]:
    """Every policy in a page of the documentation."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    blocks = [block for page in pages for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)]
    documents = [document for block in blocks if KIND in block for document in yaml.safe_load_all(block)]
    return [document for document in documents if document.get("kind") == KIND]


def meaning(document: Any) -> Policy:
    """The policy, without what tells how it was written."""
    return dataclasses.replace(parse_policy(document), hash="", annotations={})


def same_after_the_apiserver(api: Any, document: Any) -> None:
    answer = api.try_out(document)
    assert answer.accepted, answer.causes
    assert not answer.warnings
    assert meaning(answer.body) == meaning(document)


@pytest.mark.parametrize("number", range(len(SHAPES)))
def test_shapes(api: Any, document: Callable[..., Any], number: int):
    same_after_the_apiserver(api, document(SHAPES[number]))


def test_documentation(api: Any):
    policies = documented()
    assert policies
    for policy in policies:
        same_after_the_apiserver(api, policy)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_is_applied_as_it_is(api: Any, file: Path):
    (written,) = yaml.safe_load_all(file.read_text())
    same_after_the_apiserver(api, written)
    try:
        api.plane.kubectl("apply", f"--filename={file}")
        applied = yaml.safe_load(api.plane.kubectl("get", f"--filename={file}", "--output=yaml"))
        assert meaning(applied) == meaning(written)
        assert "unchanged" in api.plane.kubectl("apply", f"--filename={file}")
    finally:
        api.plane.kubectl("delete", f"--filename={file}", "--ignore-not-found")


def test_defaults_are_seen_in_the_object(api: Any, document: Callable[..., Any]):
    spec = api.try_out(document({})).body["spec"]
    assert spec == {
        "suspend": False,
        "nodeSelector": {},
        "collection": {"interval": "1s", "maxSeriesPerNode": 2000},
        "storage": {
            "tiers": [
                {"name": "raw", "retention": "1d"},
                {"name": "5m", "window": "5m", "retention": "7d"},
                {"name": "1h", "window": "1h", "retention": "30d"},
                {"name": "1d", "window": "1d", "retention": "365d"},
            ],
            "deletionPolicy": "Retain",
        },
        "alertEngine": "nodetide",
    }
