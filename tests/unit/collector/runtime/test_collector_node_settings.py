"""A mounted ConfigMap as it lives: absent, written, swapped, broken, gone."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from nodetide_collector.node_settings import NodeSettings


def document(*names: str) -> dict[str, Any]:
    policies = {name: {"collection": {}, "bucket": name} for name in names}
    return {"version": 1, "policies": policies, "everyone": list(names), "groups": []}


def write(folder: Path, content: bytes, name: str = "settings.json") -> None:
    """As the kubelet does: a new directory, and a link swapped."""
    versions = [int(p.name[2:]) for p in folder.glob("..[0-9]*")]
    target = folder / f"..{max(versions, default=0) + 1}"
    target.mkdir()
    (target / name).write_bytes(content)
    draft = folder / "..tmp"
    draft.symlink_to(target.name)
    draft.rename(folder / "..data")
    for old in folder.glob("settings.json*"):
        old.unlink()
    (folder / name).symlink_to(f"..data/{name}")


def names(found: Any) -> list[str] | None:
    return None if found is None else [policy.name for policy in found]


def test_settings_come_and_change(tmp_path: Path):
    source = NodeSettings(tmp_path, "n")
    assert names(source.load()) == []
    assert not source.ok
    assert names(source.poll()) is None
    write(tmp_path, json.dumps(document("a")).encode())
    assert names(source.poll()) == ["a"]
    assert source.ok
    assert names(source.poll()) is None
    write(tmp_path, gzip.compress(json.dumps(document("a", "b")).encode()), "settings.json.gz")
    assert names(source.poll()) == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("settings.json", b"{"),
        ("settings.json", b'{"version": 9}'),
        ("settings.json.gz", b"not packed"),
        ("settings.json.gz", gzip.compress(b'{"version": 1}' * 99, mtime=0)[:-9]),
    ],
)
def test_what_runs_goes_on_when_settings_break_or_vanish(tmp_path: Path, name: str, content: bytes):
    source = NodeSettings(tmp_path, "n")
    write(tmp_path, json.dumps(document("a")).encode())
    assert names(source.load()) == ["a"]
    write(tmp_path, content, name)
    assert source.poll() is None
    assert (source.ok, source.errors) == (False, 1)
    write(tmp_path, json.dumps(document("b")).encode())
    assert names(source.poll()) == ["b"]
    (tmp_path / "settings.json").unlink()
    assert source.poll() is None
    assert (source.ok, source.errors) == (False, 2)


def test_a_collector_starts_with_broken_settings(tmp_path: Path):
    write(tmp_path, b"[]")
    source = NodeSettings(tmp_path, "n")
    assert names(source.load()) == []
    assert source.errors == 1
