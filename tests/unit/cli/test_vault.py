"""Tokens in files: whole, for few eyes, and told where they cannot be read or written."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from nodetide.vault import FileVault

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another group")


@pytest.fixture
def vault(tmp_path: Path) -> FileVault:
    return FileVault(tmp_path / "not" / "there" / "yet")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_kept_is_held_each_by_its_name(vault: FileVault, tmp_path: Path):
    assert vault.held("api") is None
    vault.keep("api", "one")
    vault.keep("collector", "two")
    vault.keep("api", "three")
    assert (vault.held("api"), vault.held("collector")) == ("three", "two")
    assert (tmp_path / "not/there/yet/api/token").read_text() == "three"


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_the_owner_and_the_group_may_read_and_nobody_else(vault: FileVault, tmp_path: Path, mask: int):
    before = os.umask(mask)
    try:
        vault.keep("api", "one")
    finally:
        os.umask(before)
    assert mode(tmp_path / "not/there/yet/api/token") == 0o640


@root_only
def test_a_directory_with_setgid_gives_its_group(tmp_path: Path):
    group = 54_321
    os.chown(tmp_path, -1, group)
    tmp_path.chmod(0o2750)
    FileVault(tmp_path).keep("api", "one")
    assert (tmp_path / "api" / "token").stat().st_gid == group


def test_what_people_write_by_hand_may_end_with_a_newline(vault: FileVault, tmp_path: Path):
    vault.keep("api", "one")
    file = tmp_path / "not/there/yet/api/token"
    for text, held in ((" two \n", "two"), ("", None), ("\n", None)):
        file.write_text(text)
        assert vault.held("api") == held
    file.write_bytes(b"\xff\xfe")  # no token of InfluxDB's, so it is replaced
    assert vault.held("api") is None
    vault.keep("api", "three")
    assert vault.held("api") == "three"


def test_readers_see_the_one_before_or_the_new_one_and_never_half(vault: FileVault, tmp_path: Path):
    tokens = {letter * 10_000 for letter in "abc"}
    vault.keep("api", "a" * 10_000)
    seen: set[str] = set()
    stopping = threading.Event()

    def read() -> None:
        while not stopping.is_set():
            seen.add((tmp_path / "not/there/yet/api/token").read_text())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    for _ in range(100):
        for token in tokens:
            vault.keep("api", token)
    stopping.set()
    reader.join(30)
    assert seen <= tokens


def test_a_file_that_cannot_be_written_leaves_the_one_before_and_nothing_else(vault: FileVault, tmp_path: Path):
    vault.keep("api", "one")
    folder = tmp_path / "not/there/yet/api"
    with pytest.raises(UnicodeEncodeError):
        vault.keep("api", "é")
    assert vault.held("api") == "one"
    (folder / "token").unlink()
    (folder / "token").mkdir()
    with pytest.raises(IsADirectoryError):
        vault.keep("api", "two")
    assert [path.name for path in folder.iterdir()] == ["token"]


def test_what_is_in_the_way_is_told_and_not_taken_for_nothing(tmp_path: Path):
    """Else a new token would be made again and again."""
    (tmp_path / "file").write_text("")
    for vault in (FileVault(tmp_path / "file"), FileVault(tmp_path / "directory")):
        (tmp_path / "directory" / "api" / "token").mkdir(parents=True, exist_ok=True)
        with pytest.raises(OSError, match="token"):
            vault.held("api")
        with pytest.raises(OSError, match=r"file|token"):
            vault.keep("api", "one")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_told(vault: FileVault, tmp_path: Path):
    vault.keep("api", "one")
    (tmp_path / "not/there/yet/api/token").chmod(0)
    with pytest.raises(PermissionError):
        vault.held("api")
