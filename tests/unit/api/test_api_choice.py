"""Which policy answers."""

from __future__ import annotations

import pytest

from nodetide_api.choice import pick_stream
from nodetide_core.store import Stream


@pytest.mark.parametrize(
    ("names", "asked", "default", "found"),
    [
        (["gold", "system-metrics"], "", None, "system-metrics"),
        (["gold", "silver"], "", None, "gold"),
        (["gold", "silver", "system-metrics"], "", "silver", "silver"),
        (["gold", "silver"], "", "system-metrics", "gold"),
        (["gold", "system-metrics"], "gold", None, "gold"),
    ],
)
def test_the_policy_that_answers(names: list[str], asked: str, default: str | None, found: str):
    assert pick_stream([Stream(name, name) for name in names], asked, default).name == found
