"""The contract, held by InfluxDB."""

from __future__ import annotations

from typing import Any

import pytest
from tests.contracts.store_contract import StoreContract


@pytest.mark.peer
@pytest.mark.slow
@pytest.mark.timeout(600)
class TestInfluxStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _world(self, worlds: Any) -> None:
        self.world = worlds
