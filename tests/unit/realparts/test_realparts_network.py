"""Networks of machines within this one: each has another, connected or not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from servers import network
from servers.network import Network

pytestmark = pytest.mark.skipif(shutil.which("ip") is None, reason="networks are made with ip, of iproute2")


def test_one_that_is_chosen_is_nobody_elses_until_it_is_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What other tests choose, connect and release at the same time is none of this one's matter.
    monkeypatch.setenv("NODETIDE_CACHE", str(tmp_path))
    routes = list(network._routes())
    monkeypatch.setattr(network, "_routes", lambda: routes)
    first, second = Network.choose(), Network.choose()
    try:
        assert first.number != second.number
        first.release()
        third = Network.choose()
        try:
            assert third.number == first.number
        finally:
            third.release()
    finally:
        first.release()
        second.release()
