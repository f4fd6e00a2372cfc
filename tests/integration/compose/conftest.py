"""docker-compose.yml, read by Docker Compose itself and run as processes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.compose.resolved import configuration
from tests.integration.compose.stack import Stack, stack

#: As in the first guide of the project: accounts that are known, instead of made.
GIVEN = {
    "INFLUXDB_TOKEN": "my-super-secret-auth-token",
    "INFLUXDB_PASSWORD": "admin12345",
    "GRAFANA_PASSWORD": "admin",
    "NODETIDE_CLUSTER": "home",
}
#: A host that had been sampled once a minute before any of our services was started.
EARLIER = "earlier"


def pass_of_earlier(folder: Path) -> str:
    """What the collector reads here, as if it had come from `EARLIER` every minute for 20 minutes."""
    argv = [sys.executable, "-m", "nodetide", "collect", "--once", "--format", "line", "--host-name", EARLIER]
    lines = subprocess.run(argv, cwd=folder, env={}, capture_output=True, text=True, check=True, timeout=120).stdout
    now = int(time.time())
    bare = [line.rpartition(" ")[0] for line in lines.splitlines()]
    return "\n".join(f"{line} {second}" for second in range(now - 1200, now - 60, 60) for line in bare)


@pytest.fixture(scope="session")
def resolved(needs_parts: Callable[..., None]) -> dict[str, Any]:
    """The file with nothing set."""
    needs_parts("docker-compose")
    return configuration()


@pytest.fixture(scope="module")
def running(needs_parts: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All of our services over the real influxd, with the accounts of `GIVEN`."""
    needs_parts("docker-compose", "influxd")
    folder = tmp_path_factory.mktemp("compose")
    with stack(configuration(GIVEN), folder, earlier=pass_of_earlier(folder)) as services:
        yield services
