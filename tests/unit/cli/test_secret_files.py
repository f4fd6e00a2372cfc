"""Secrets of receivers in files: read anew, none elsewhere, and never quoted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nodetide.secret_files import secret_files
from nodetide_core.policy import SecretRef, default_policy

POLICY = default_policy()


def put(tmp_path: Path, content: bytes, name: str = "slack", key: str = "webhook") -> Path:
    (tmp_path / name).mkdir(exist_ok=True)
    (tmp_path / name / key).write_bytes(content)
    return tmp_path / name / key


def test_a_secret_is_read_anew_each_time(tmp_path: Path):
    read = secret_files(tmp_path)
    for content in (b"one", b" two\n", "ü\r\n".encode()):
        put(tmp_path, content)
        assert read(POLICY, SecretRef("slack", "webhook")) == content.decode().strip()


def test_as_kubernetes_mounts_it(tmp_path: Path):
    """A symlink to a directory that is swapped."""
    (tmp_path / "slack").mkdir()
    (tmp_path / "slack" / "..2026").mkdir()
    (tmp_path / "slack" / "..2026" / "webhook").write_text("x")
    (tmp_path / "slack" / "webhook").symlink_to("..2026/webhook")
    assert secret_files(tmp_path)(POLICY, SecretRef("slack", "webhook")) == "x"


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="slack/webhook"):
        secret_files(tmp_path)(POLICY, SecretRef("slack", "webhook"))
    (tmp_path / "slack").mkdir()
    with pytest.raises(FileNotFoundError, match="slack/webhook"):
        secret_files(tmp_path)(POLICY, SecretRef("slack", "webhook"))


def test_without_a_directory_the_setting_is_named():
    with pytest.raises(LookupError, match="NODETIDE_SECRETS_DIR"):
        secret_files(None)(POLICY, SecretRef("slack", "webhook"))


@pytest.mark.parametrize(("name", "key"), [("..", "x"), (".", "x"), ("a/b", "x"), ("x", ".."), ("x", "/etc/passwd"),
                                           ("x", "a\0b"), ("../x", "y"), ("x", "../../y")])  # fmt: skip
def test_a_policy_cannot_name_files_elsewhere(tmp_path: Path, name: str, key: str):
    (tmp_path / "inner").mkdir()
    (tmp_path / "x").write_text("outside")
    (tmp_path / "y").write_text("outside")
    with pytest.raises(LookupError, match="must be names"):
        secret_files(tmp_path / "inner")(POLICY, SecretRef(name, key))


def test_what_is_no_text_is_told_without_a_word_of_it(tmp_path: Path):
    put(tmp_path, b"s3cret\xff")
    with pytest.raises(LookupError) as caught:
        secret_files(tmp_path)(POLICY, SecretRef("slack", "webhook"))
    assert "s3cret" not in str(caught.value) and "xff" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_told(tmp_path: Path):
    put(tmp_path, b"x").chmod(0)
    with pytest.raises(PermissionError):
        secret_files(tmp_path)(POLICY, SecretRef("slack", "webhook"))
