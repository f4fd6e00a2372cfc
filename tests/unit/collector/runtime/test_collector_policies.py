from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from nodetide_collector.policies import PolicySource
from nodetide_core.errors import PolicyError


def document(name: str = "p", interval: str = "1s") -> str:
    return json.dumps(
        {
            "apiVersion": "nodetide.io/v1alpha1",
            "kind": "MetricPolicy",
            "metadata": {"name": name},
            "spec": {"collection": {"interval": interval}},
        }
    )


def names(policies: Any) -> list[str]:
    return [policy.name for policy in policies]


def test_without_a_path_there_is_the_default_policy_for_good() -> None:
    source = PolicySource(None)
    assert names(source.load()) == ["system-metrics"]
    assert source.poll() is None


def test_a_change_is_taken_once(tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    file.write_text(document())
    source = PolicySource(file)
    assert source.load()[0].collection.interval == 1
    assert source.poll() is None
    file.write_text(document(interval="5s"))
    assert [p.collection.interval for p in source.poll() or ()] == [5]
    assert source.poll() is None


def test_files_of_a_directory_come_and_go(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(document("a"))
    source = PolicySource(tmp_path)
    assert names(source.load()) == ["a"]
    (tmp_path / "b.json").write_text(document("b"))
    assert names(source.poll()) == ["a", "b"]
    (tmp_path / "a.json").unlink()
    assert names(source.poll()) == ["b"]


def config_map(volume: Path, revision: str, files: dict[str, str]) -> None:
    """As the kubelet's atomic writer does it: a new directory, and one rename of the link to it."""
    data = volume / f"..{revision}"
    data.mkdir()
    for name, text in files.items():
        (data / name).write_text(text)
        # The times of a restored file may be equal, so they alone must not decide.
        os.utime(data / name, ns=(0, 0))
        if not (volume / name).is_symlink():
            (volume / name).symlink_to(Path("..data") / name)
    link = volume / "..data_tmp"
    link.symlink_to(data.name)
    link.rename(volume / "..data")


def test_a_config_map_volume_is_followed_through_its_links(tmp_path: Path) -> None:
    config_map(tmp_path, "1", {"p.json": document(interval="1s")})
    source = PolicySource(tmp_path)
    assert names(source.load()) == ["p"]
    assert source.poll() is None
    config_map(tmp_path, "2", {"p.json": document(interval="2s")})
    assert [p.collection.interval for p in source.poll() or ()] == [2]
    assert source.poll() is None


@pytest.mark.parametrize("broken", ["{", "{}", document(interval="5 years"), ""])
def test_a_broken_version_is_said_once_and_changes_nothing(
    tmp_path: Path, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    file = tmp_path / "p.json"
    file.write_text(document())
    source = PolicySource(file)
    source.load()
    file.write_text(broken)
    for _ in range(5):
        assert source.poll() is None
    assert (source.errors, source.ok) == (1, False)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    file.write_text(document(interval="3s"))
    assert [p.collection.interval for p in source.poll() or ()] == [3]
    assert (source.errors, source.ok) == (1, True)


def test_files_that_vanish_are_a_broken_version(tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    file.write_text(document())
    source = PolicySource(file)
    source.load()
    file.unlink()
    assert source.poll() is None
    assert source.poll() is None
    assert (source.errors, source.ok) == (1, False)


def test_the_first_load_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"no \.yaml"):
        PolicySource(tmp_path).load()
