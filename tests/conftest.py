"""What tests of every kind share."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

import realparts

_ON_A_NODE = "tests/cluster/"
#: Seconds that only what hangs takes.
_REAL = 600
_LOOKS = 20
#: Those of them that go to a second real node, so that neither has much more to do than the other.
_ON_ANOTHER = tuple(f"{_ON_A_NODE}test_chart_{what}.py" for what in ("fleet", "life"))


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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where real programs take part, a busy machine may be slow at everything: less than `_REAL` is no time for a test
    and for what others have it set up."""
    for item in items:
        if item.nodeid.startswith((_ON_A_NODE, "tests/integration/")):
            told = item.get_closest_marker("timeout")
            if told is None or told.args[0] < _REAL:
                item.add_marker(pytest.mark.timeout(_REAL), append=False)


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


@pytest.fixture
def lasting() -> Callable[[Callable[[], Mapping[str, str]]], Mapping[str, str]]:
    """``lasting(compare)``: of what is wrong, by its name, that which is so at every look. While one compares two
    readings of this machine, others mount, connect, fork and take memory; what is wrong is so whatever they do."""

    def look(compare: Callable[[], Mapping[str, str]]) -> Mapping[str, str]:
        wrong = compare()
        for _ in range(_LOOKS):
            if not wrong:
                break
            time.sleep(0.2)
            wrong = {name: said for name, said in compare().items() if name in wrong}
        return wrong

    return look
