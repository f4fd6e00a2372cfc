"""What a bench starts ends with it, also where somebody kills it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from tests.bench.processes import rss_mib, running

ROOT = Path(__file__).resolve().parents[3]
SLEEP = [sys.executable, "-c", "import time; time.sleep(1000)"]


def test_it_ends_with_the_block() -> None:
    with running(SLEEP) as process:
        assert rss_mib(process.pid) > 0
        child = psutil.Process(process.pid)
    assert not child.is_running()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
def test_it_ends_with_a_bench_that_is_killed(how: signal.Signals) -> None:
    script = f"""
import time
from tests.bench.processes import running
with running({SLEEP!r}) as process:
    print(process.pid, flush=True)
    time.sleep(1000)
"""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'hack' / 'realparts'}"}
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment) as bench:
        try:
            assert bench.stdout is not None
            child = psutil.Process(int(bench.stdout.readline()))
        finally:
            bench.send_signal(how)
    _, alive = psutil.wait_procs([child], timeout=60)
    for left in alive:
        left.kill()
    assert not alive
