"""Renders the chart with the real Helm."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hack.chart.keys import Key, keys_of

import realparts

CHART = Path(__file__).resolve().parents[3] / "charts" / "nodetide"


class Refused(Exception):
    """Helm did not render; the message is Helm's."""


@pytest.fixture(scope="session")
def chart() -> Path:
    return CHART


@pytest.fixture(scope="session")
def refused() -> type[Exception]:
    return Refused


@pytest.fixture(scope="session")
def helm_template(needs_parts: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """What ``helm template`` prints for a scenario of ``ci/`` and values on top of it. Raises `Refused`."""
    needs_parts("helm")
    helm = realparts.path("helm")
    folder = tmp_path_factory.mktemp("values")

    def template(scenario: str = "", values: Mapping[str, Any] | None = None) -> str:
        argv = [str(helm), "template", "nodetide", str(CHART), "--namespace=nodetide"]
        if scenario:
            argv.append(f"--values={CHART / 'ci' / f'{scenario}-values.yaml'}")
        if values is not None:
            file = folder / "values.yaml"
            file.write_text(yaml.safe_dump(values))
            argv.append(f"--values={file}")
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 0:
            raise Refused(done.stderr)
        return done.stdout

    return template


@pytest.fixture(scope="session")
def render(helm_template: Callable[..., str]) -> Callable[..., list[dict[str, Any]]]:
    """The objects of ``helm_template``."""

    def objects(scenario: str = "", values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        return [found for found in yaml.safe_load_all(helm_template(scenario, values)) if found is not None]

    return objects


@pytest.fixture(scope="session")
def keys() -> list[Key]:
    return keys_of((CHART / "values.yaml").read_text())
