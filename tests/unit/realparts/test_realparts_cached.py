"""Parts in the cache: got once, whole or not at all."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from parts import GROUPS, PARTS
from parts.cached import CachedPart
from parts.companion import CompanionPart
from parts.steps import StepFailed, Steps
from servers import PartMissing, program

import realparts

SCRIPT = Path(realparts.__file__)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NODETIDE_CACHE", str(tmp_path))
    return tmp_path


def part(builds: list[Path], recipe: bytes = b"") -> CachedPart:
    def build(steps: Steps, folder: Path) -> None:
        builds.append(folder)
        for name in ("tool", "helper"):
            steps.run(f"make {name}", ["cp", "/bin/true", str(folder / name)])

    return CachedPart("tool", "1.0", "tool", build, lambda: recipe)


def test_it_is_built_once() -> None:
    builds: list[Path] = []
    tool = part(builds)
    assert tool.path() is None
    assert tool.get() == tool.get() == tool.path() == tool.expected()
    assert len(builds) == 1
    subprocess.run([tool.get()], check=True)


def test_another_recipe_is_built_beside_it() -> None:
    builds: list[Path] = []
    assert part(builds, b"one").get() != part(builds, b"two").get()
    assert len(builds) == 2
    assert part(builds, b"one").path() is not None


def test_a_companion_comes_with_its_part() -> None:
    builds: list[Path] = []
    helper = CompanionPart("helper", part(builds), "helper")
    assert helper.path() is None
    assert helper.get() == helper.path()
    assert helper.version() == "1.0"
    part(builds).get()
    assert len(builds) == 1


def test_a_failed_step_leaves_nothing_and_says_where_to_look(cache: Path) -> None:
    def build(steps: Steps, folder: Path) -> None:
        (folder / "tool").write_text("half")
        steps.run("compile", ["/bin/sh", "-c", "echo no such header; exit 2"])

    broken = CachedPart("tool", "1.0", "tool", build)
    with pytest.raises(StepFailed, match=r"(?s)tool: failed at: compile \(exit code 2\).*no such header.*tool\.log"):
        broken.get()
    assert broken.path() is None
    assert list((cache / "tool").iterdir()) == []


def test_a_missing_part_names_the_command_that_gets_it() -> None:
    with pytest.raises(
        PartMissing, match=r"influxd is missing; get it with: python hack/realparts/realparts\.py influxd$"
    ):
        program("influxd")


def test_every_part_is_in_one_group_and_names_are_unique() -> None:
    names = [one.name for one in PARTS]
    assert sorted(names) == sorted(set(names))
    assert {one.name for group in GROUPS.values() for one in group} == set(names)


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_can_be_asked_for(group: str) -> None:
    argv = [sys.executable, str(SCRIPT), "--list", "--group", group]
    printed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in printed.splitlines()[1:]] == [one.name for one in GROUPS[group]]


@pytest.mark.parametrize(
    ("wrapper", "name"),
    [
        ("alertmanager", "alertmanager"),
        ("helm", "helm"),
        ("influxd", "influxd"),
        ("kubernetes", "kube-apiserver"),
        ("kwok", "kwok"),
        ("telegraf", "telegraf"),
    ],
)
def test_the_version_told_is_the_one_the_wrapper_pins(wrapper: str, name: str) -> None:
    direct = re.findall(r"^require \S+ v(\S+)$", (SCRIPT.parent / wrapper / "go.mod").read_text(), re.MULTILINE)
    assert direct == [next(one.version() for one in PARTS if one.name == name)]
