"""Images for the real node: when one is built anew, and how several become one archive."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from servers import archive, recipes, scratch
from servers.recipes import Recipe

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    context = tmp_path / "context"
    for file in ("in/code.py", "in/__pycache__/code.pyc", "out/notes.md", "Dockerfile"):
        (context / file).parent.mkdir(parents=True, exist_ok=True)
        (context / file).write_text(f"of {file}")
    (context / ".dockerignore").write_text("# a comment\n*\n!in\n**/__pycache__\n")
    return Recipe("it:1", context / "Dockerfile", context)


def digest(recipe: Recipe) -> str:
    """Whatever real parts there are here."""
    return recipe.digest(lambda name: Path("/parts", name))


def test_a_build_sees_what_the_dockerignore_lets_in(recipe: Recipe) -> None:
    assert [str(file.relative_to(recipe.context)) for file in recipes.files(recipe.context)] == ["in/code.py"]
    (recipe.context / ".dockerignore").unlink()
    assert len(list(recipes.files(recipe.context))) == 4


def test_what_is_not_understood_of_a_dockerignore_is_refused(recipe: Recipe) -> None:
    (recipe.context / ".dockerignore").write_text("*\n!in\nin/*.tmp\n")
    with pytest.raises(ValueError, match="only"):
        list(recipes.files(recipe.context))


def test_ours_is_understood() -> None:
    seen = {str(file.relative_to(REPOSITORY)) for file in recipes.files(REPOSITORY)}
    assert {"pyproject.toml", "core/nodetide_core/__init__.py", "requirements/api.txt"} <= seen
    assert not [file for file in seen if "__pycache__" in file or file.startswith(("tests/", "docs/", ".git"))]


@pytest.mark.parametrize("file", ["in/code.py", "in/new.py", "Dockerfile"])
def test_another_file_is_another_image(recipe: Recipe, file: str) -> None:
    before = digest(recipe)
    (recipe.context / file).write_text("changed")
    assert digest(recipe) != before


@pytest.mark.parametrize("file", ["in/__pycache__/code.pyc", "out/notes.md", "out/new.md"])
def test_what_a_build_does_not_see_changes_nothing(recipe: Recipe, file: str) -> None:
    before = digest(recipe)
    (recipe.context / file).write_text("changed")
    assert digest(recipe) == before


def test_a_copy_is_the_same_image(recipe: Recipe, tmp_path: Path) -> None:
    copy = recipe.copied(tmp_path / "copy")
    assert copy.context != recipe.context
    assert digest(copy) == digest(recipe)


def test_another_part_is_another_image(recipe: Recipe) -> None:
    assert recipe.digest(lambda name: Path("/newer", name)) != digest(recipe)


def test_joined_archives_hold_each_layer_once(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"code" * 10_000)
    one = scratch.image(program, "one:1", tmp_path / "one.tar", links=["alias"])
    same = scratch.image(program, "two:1", tmp_path / "two.tar", links=["alias"])
    program.write_bytes(b"other" * 10_000)
    other = scratch.image(program, "three:1", tmp_path / "three.tar")
    joined = archive.joined([one, same, other], tmp_path / "joined.tar")
    with tarfile.open(joined) as opened:
        names = opened.getnames()
        layers = [name for name in names if name.endswith(".tar")]
        with opened.extractfile(layers[0]) as packed, tarfile.open(fileobj=packed) as layer:
            assert layer.getmember("bin/program").mode == 0o755
            assert layer.extractfile("bin/alias").read() == b"code" * 10_000
    assert len(names) == len(set(names))
    assert len(layers) == 2
    assert archive.layers(one) == archive.layers(same) != archive.layers(other)
