"""The three Dockerfiles are one recipe: what differs is what the part needs. That they build is tested with Compose and
with the real node."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PARTS = ("collector", "operator", "api")


def dockerfile(part: str) -> str:
    return (ROOT / part / "Dockerfile").read_text()


def test_all_begin_from_the_same_image_and_build_alike():
    def build(part: str) -> str:
        stage = dockerfile(part).split("\nFROM ${PYTHON}\n")[0].split("\n", 2)[2]
        stage = re.sub(r" \\\n #[^\n]*\n && rm -r \S+/kubernetes/aio\n", "\n", stage)
        return stage.replace(part, "PART")

    assert len({build(part) for part in PARTS}) == 1


@pytest.mark.parametrize("part", PARTS)
def test_an_image_runs_its_part_as_nobody_and_says_what_it_is(part: str):
    text = dockerfile(part)
    assert "\nUSER 65532:65532\n" in text
    assert '\nENTRYPOINT ["nodetide"]\n' in text
    assert f'org.opencontainers.image.title="nodetide-{part}"' in text
    assert {"title", "description", "licenses"} == set(re.findall(r"org\.opencontainers\.image\.(\w+)=", text))
    assert re.search(r"^FROM .* AS build$", text, re.M)
    assert "TOKEN" not in text


@pytest.mark.parametrize("part", PARTS)
def test_an_image_installs_what_is_locked_and_nothing_to_build_with(part: str):
    locks = re.findall(r"--require-hashes -r (requirements/\S+)", dockerfile(part))
    assert locks == ["requirements/build.txt", f"requirements/{part}.txt"]
    assert len(re.findall(r"\binstall --no-deps", dockerfile(part))) == len(locks) + 1  # and the wheel
    assert "hatchling==" not in (ROOT / locks[1]).read_text()


def test_the_operators_lock_is_a_part_of_the_one_for_development():
    def blocks(lock: str) -> set[str]:
        text = re.sub(r"^ +#.*\n", "", (ROOT / f"requirements/{lock}.txt").read_text(), flags=re.M)
        return {block.strip() for block in re.split(r"^(?=[a-z0-9])", text, flags=re.M)[1:]}

    assert blocks("operator") <= blocks("dev"), "run `make lock`"
