"""Tokens from files."""

from __future__ import annotations

from pathlib import Path

import pytest

from nodetide_core.stores.influx.token import token_file


def test_a_rotated_token_is_read(tmp_path: Path) -> None:
    """As a mounted Secret does it: the name is a link through a directory that is swapped."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(f"{name}\n")
    link = tmp_path / "data"
    link.symlink_to("one")
    token = token_file(link / "token")
    assert token() == "one"
    swapped = tmp_path / "data_tmp"
    swapped.symlink_to("two")
    swapped.rename(link)
    assert token() == "two"


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe", b"one\ntwo", "schlüssel".encode()])
def test_while_a_file_holds_no_token_the_one_before_is_used(
    tmp_path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "token"
    file.write_text("good")
    token = token_file(file)
    assert token() == "good"
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    assert [token(), token()] == ["good", "good"]
    assert len(caplog.records) == 1 and f"using the one before file={file}" in caplog.text
    file.write_text("better")
    assert token() == "better"


def test_without_any_token_it_is_empty_and_none_before_is_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert token_file(tmp_path / "token")() == ""
    assert "cannot read the token, and there was none before" in caplog.text
