"""What tests of every kind share."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

import realparts


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
