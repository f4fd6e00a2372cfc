"""The commands of docs/troubleshooting.md work as they stand there, on a release that works."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import RealNode, program
from tests.cluster.release import Release, condition, eventually
from tests.integration.troubleshooting.page import PAGE, rows

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1200)]

#: What only looks, and is there in this release: Grafana is not.
LOOKS = re.compile(r"kubectl (-n nodetide )?(get|describe|logs) (?!.*grafana)")
RECIPE = re.compile(r"^(kubectl -n nodetide exec nodetide-influxdb-0 -- sh -c 'cp .*?;.*?')", re.M | re.S)


@pytest.fixture(scope="module")
def release(stocked: RealNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    made = Release(stocked, tmp_path_factory.mktemp("helm"))
    try:
        made.install("--set=api.auth.enabled=true")
        eventually(lambda: condition(made.one("metricpolicy", "system-metrics"), "Ready") == "True")
        for part in ("daemonset/nodetide-collector", "deployment/nodetide-api", "deployment/nodetide-operator"):
            made.kubectl("rollout", "status", part, "--timeout=300s")
        yield made
    finally:
        made.remove()


def commands() -> list[str]:
    """Those that look, of tables and of blocks."""
    spans = [span for row in rows() for cell in (row.cause, row.remedy) for span in re.findall(r"`([^`]+)`", cell)]
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    lines = [line.partition("  #")[0] for block in blocks for line in block.splitlines()]
    found = [text.replace("\\|", "|").strip() for text in (*spans, *lines)]
    return sorted({text for text in found if LOOKS.match(text)})


def shell(release: Release, folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """As typed, with our kubectl."""
    folder.mkdir(exist_ok=True)
    if not (folder / "kubectl").exists():
        (folder / "kubectl").symlink_to(program("kubectl"))
    env = {**os.environ, "KUBECONFIG": str(release.node.plane.kubeconfig), "PATH": f"{folder}:{os.environ['PATH']}"}
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, env=env, timeout=300)


def test_commands_are_found() -> None:
    assert len(commands()) >= 15


@pytest.mark.parametrize("command", commands())
def test_a_command_shows_something(command: str, release: Release, tmp_path: Path) -> None:
    # What it looks for may not be there while all is well.
    told, _, looked_for = command.partition(" | grep ")
    done = shell(release, tmp_path / "bin", told)
    assert done.returncode == 0, done.stderr
    assert done.stdout, f"{command}: {done.stderr}"
    if looked_for and "ERROR" not in looked_for:
        assert shell(release, tmp_path / "bin", command).stdout, command


def test_the_token_that_influxdb_knows_is_told(release: Release, tmp_path: Path) -> None:
    (command,) = RECIPE.findall(PAGE.read_text())
    done = shell(release, tmp_path / "bin", command)
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if "admin's Token" in line)
    assert release.secret("nodetide-influxdb", "token") in line.split()
