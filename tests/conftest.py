"""What tests of every kind share."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

import realparts


@pytest.fixture(scope="session")
def needs_parts() -> Callable[..., None]:
    """Call with the names of real parts: where one is missing, the test skips, or fails in CI (CI=true)."""

    def check(*names: str) -> None:
        missing = [name for name in names if realparts.path(name) is None]
        if not missing:
            return
        reason = f"real parts are missing ({', '.join(missing)}); get them with: {realparts.command(' '.join(missing))}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)

    return check
