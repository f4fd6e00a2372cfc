"""Networks of machines within this one: each has another, connected or not."""

from __future__ import annotations

import shutil

import pytest
from servers.network import Network

pytestmark = pytest.mark.skipif(shutil.which("ip") is None, reason="networks are made with ip, of iproute2")


def test_one_that_is_chosen_is_nobody_elses_until_it_is_released() -> None:
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
