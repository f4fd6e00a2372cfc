"""Of a node nothing stays, however it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from servers import real_node
from servers.cgroups import ControlGroup

pytestmark = [
    pytest.mark.peer,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("needs_node"),
]
REALPARTS = Path(__file__).resolve().parents[2] / "hack" / "realparts"
ELSEWHERE = """\
import sys, time
from pathlib import Path
from servers import real_node

with real_node(Path(sys.argv[1])) as node:
    print(node.machine.init, node.machine.network.interface, flush=True)
    time.sleep(600)
"""


def traces(folder: Path, owner: int) -> set[str]:
    """What there is of a node below `folder` that the process `owner` has started."""
    groups = Path("/sys/fs/cgroup").glob(f"**/nodetide-node-{owner}-*")
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if str(folder) in line]
    running = [str(p.pid) for p in psutil.process_iter() if any(str(folder) in part for part in _command(p))]
    return {*map(str, groups), *mounts, *running}


def connected(interface: str) -> bool:
    return Path("/sys/class/net", interface).exists()


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def test_it_ends_with_its_block(tmp_path: Path) -> None:
    before = traces(tmp_path, os.getpid())
    with real_node(tmp_path) as node:
        assert traces(tmp_path, os.getpid()) > before
        network = node.machine.network
        assert connected(network.interface)
    assert traces(tmp_path, os.getpid()) == before
    assert not connected(network.interface)
    assert str(network.pods) not in subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout


def test_killed_it_leaves_a_control_group_that_the_next_one_takes_away(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", ELSEWHERE, str(tmp_path)]
    env = {**os.environ, "PYTHONPATH": str(REALPARTS)}
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        init, interface = process.stdout.readline().split()
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 180
    while psutil.pid_exists(int(init)) or connected(interface):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    left = traces(tmp_path, process.pid)
    assert left
    assert all("/cgroup/" in trace for trace in left)
    next_one = ControlGroup("nodetide-node")
    next_one.make()
    next_one.remove()
    assert not traces(tmp_path, process.pid)
