"""Starting `nodetide` as a user does."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.integration.standalone.process import Nodetide


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Nodetide]]:
    """Starts commands in a folder of the test's own, and ends them all."""
    started: list[Nodetide] = []

    def begin(*arguments: str) -> Nodetide:
        (tmp_path / "log.txt").touch()
        started.append(Nodetide(arguments, tmp_path))
        return started[-1]

    yield begin
    for one in started:
        one.end(signal.SIGKILL)


@pytest.fixture
def run(start: Callable[..., Nodetide], tmp_path: Path) -> Callable[..., Nodetide]:
    """`nodetide run` on a free port, with its data in the test's folder."""

    def begin(*arguments: str) -> Nodetide:
        return start("run", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"), *arguments)

    return begin
