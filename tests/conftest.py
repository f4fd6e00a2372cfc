"""What tests of every kind share."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

import realparts

_ON_A_NODE = "tests/cluster/"
#: Those of them that go to a second real node, so that neither has much more to do than the other.
_ON_ANOTHER = tuple(f"{_ON_A_NODE}test_chart_{what}.py" for what in ("fleet", "life", "moved"))


class _ByFile(LoadFileScheduling):
    """A file's tests run in one worker, and all of those that share a real node do."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(_ON_ANOTHER):
            return f"{_ON_A_NODE} (another)"
        return _ON_A_NODE if nodeid.startswith(_ON_A_NODE) else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _ByFile | None:
    """As xdist asks whoever knows better: with `--dist loadfile`, we do."""
    return _ByFile(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def needs_parts() -> Callable[..., None]:
    """Call with the names of real parts: where one is missing, the test skips; in CI (CI=true) it fails, but for
    optional ones."""

    def check(*names: str) -> None:
        missing = [name for name in names if realparts.path(name) is None]
        if not missing:
            return
        reason = f"real parts are missing ({', '.join(missing)}); get them with: {realparts.command(' '.join(missing))}"
        if os.environ.get("CI") == "true" and not all(map(realparts.optional, missing)):
            pytest.fail(reason)
        pytest.skip(reason)

    return check
