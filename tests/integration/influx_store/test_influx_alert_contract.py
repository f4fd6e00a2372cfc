"""What alerts ask of a store, held by InfluxDB."""

from __future__ import annotations

from typing import Any

import pytest
from tests.contracts.alert_contract import AlertContract


@pytest.mark.peer
@pytest.mark.timeout(300)
class TestInfluxAlerts(AlertContract):
    @pytest.fixture(autouse=True)
    def _world(self, worlds: Any) -> None:
        self.world = worlds
