"""The repository keeps its own promises."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = None

ROOT = Path(__file__).resolve().parents[3]


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def pages() -> list[Path]:
    return tracked("*.md")


def test_operator_never_shadows_the_standard_library():
    assert not [path for path in (ROOT / "operator").rglob("__init__.py") if path.parent == ROOT / "operator"]
    done = subprocess.run(
        [sys.executable, "-c", "import operator; print(operator.itemgetter)"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_of_the_docs_lead_somewhere(page: Path):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+://|#|mailto:", target):
            continue
        if not (page.parent / target.split("#")[0]).exists():
            broken.append(target)
    assert not broken


def test_every_make_target_that_the_docs_name_exists():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    named = {name for page in pages() for name in re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.M)}
    assert named
    assert named <= targets


def test_the_readme_starts_with_run_and_test():
    commands = re.findall(r"^make [a-z]+", (ROOT / "README.md").read_text(), re.M)
    assert commands[:2] == ["make run", "make test"]


def test_no_machine_paths_and_no_registry_hosts():
    # Spelt in pieces, so that this file does not find itself.
    words = [
        "/wo" + "rk/",
        "/root/" + ".",
        "pyp" + "i.org",
        "pythonho" + "sted",
        "npm" + "js.org",
        "proxy.go" + "lang",
        "crates" + ".io",
    ]
    found = []
    for path in tracked():
        if path.suffix in (".png", ".ico"):
            continue
        text = path.read_text(errors="replace")
        found += [f"{path.relative_to(ROOT)}: {word}" for word in words if word in text]
    assert not found


@pytest.mark.skipif(tomllib is None, reason="tomllib is in the standard library from Python 3.11")
def test_locks_hold_every_dependency_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    wanted = {
        "run": [*project["project"]["dependencies"], *extras["collector"], *extras["api"], *extras["standalone"]],
        "dev": project["dependency-groups"]["dev"],
        "bench": project["dependency-groups"]["bench"],
    }
    for name, requirements in wanted.items():
        lock = (ROOT / "requirements" / f"{name}.txt").read_text()
        locked = set(re.findall(r"^([a-z0-9.-]+)==", lock, re.M))
        names = {re.split(r"[<>=\[]", r)[0].lower() for r in requirements if not r.startswith("nodetide")}
        assert names <= locked, f"requirements/{name}.txt is out of date: run `make lock`"


def test_every_package_of_a_lock_has_hashes():
    for lock in (ROOT / "requirements").glob("*.txt"):
        for block in re.split(r"^(?=[a-z0-9])", lock.read_text(), flags=re.M)[1:]:
            assert "--hash=sha256:" in block, f"{lock.name}: {block.splitlines()[0]}"
