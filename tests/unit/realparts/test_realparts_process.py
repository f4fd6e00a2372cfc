"""Child processes of the real servers: their end, whatever ends this process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from servers import StartFailed, ports
from servers.process import Process
from servers.server import Server

SHELL = "/bin/sh"
REALPARTS = Path(__file__).resolve().parents[3] / "hack" / "realparts"

Make = Callable[..., Process]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Process] = []

    def process(script: str, **options: object) -> Process:
        made.append(Process("child", [SHELL, "-c", script], log=tmp_path / "child.log", **options))  # type: ignore[arg-type]
        return made[-1]

    yield process
    for one in made:
        one.kill()


def await_text(file: Path, text: str) -> None:
    """Within the test's own time limit."""
    while not (file.exists() and text in file.read_text()):
        time.sleep(0.005)


def await_end(pid: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.005)


def test_it_ends_upon_the_polite_signal(make: Make) -> None:
    process = make("trap 'echo bye; exit 7' INT; echo up; while :; do sleep 0.01; done", polite=signal.SIGINT)
    process.start()
    await_text(process.log, "up")
    process.stop(patience=60)
    assert process.exit_code == 7
    assert "bye" in process.log.read_text()


def test_one_that_does_not_listen_is_killed(make: Make) -> None:
    process = make("trap '' TERM; echo up; while :; do sleep 0.01; done")
    process.start()
    await_text(process.log, "up")
    process.stop(patience=0.1)
    assert process.exit_code == -signal.SIGKILL


def test_its_children_end_with_it(make: Make) -> None:
    process = make("sleep 1000 & echo child=$!=; wait")
    process.start()
    await_text(process.log, "=\n")
    child = int(process.log.read_text().split("=")[1])
    process.kill()
    await_end(child)


def test_a_paused_one_can_be_stopped(make: Make) -> None:
    # Stopped while it makes a child, a shell would count as busy until that goes on.
    process = make("trap 'exit 7' TERM; sleep 1000 & echo up; wait")
    process.start()
    await_text(process.log, "up")
    process.pause()
    process.stop(patience=60)
    assert process.exit_code == 7


def test_a_second_start_while_it_runs_is_refused(make: Make) -> None:
    process = make("sleep 1000")
    process.start()
    with pytest.raises(RuntimeError, match="already runs"):
        process.start()


def test_one_that_is_down_has_no_pid_and_can_be_stopped_again(make: Make) -> None:
    process = make("sleep 1000")
    process.stop()
    process.start()
    process.stop()
    process.stop()
    process.kill()
    assert not process.running
    with pytest.raises(ProcessLookupError, match="child is not running"):
        _ = process.pid


def test_the_log_of_the_one_before_is_kept(make: Make) -> None:
    process = make("echo run; sleep 1000")
    for runs in (1, 2):
        process.start()
        await_text(process.log, "run\n" * runs)
        process.kill()


def test_it_outlives_the_thread_that_started_it(make: Make) -> None:
    process = make("echo up; exec sleep 1000")

    def start() -> None:
        process.start()
        await_text(process.log, "up")

    starter = threading.Thread(target=start)
    starter.start()
    starter.join()
    with pytest.raises(psutil.TimeoutExpired):  # still there
        psutil.Process(process.pid).wait(0.3)


def test_it_dies_with_a_killed_parent(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    script = f"""
import sys, time
sys.path.insert(0, {str(REALPARTS)!r})
from pathlib import Path
from servers.process import Process
process = Process("child", ["/bin/sh", "-c", "echo up; exec sleep 1000"], log=Path({str(log)!r}))
process.start()
print(process.pid, flush=True)
time.sleep(1000)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        await_text(log, "up")
        parent.kill()
    await_end(child)


def test_one_whose_parent_is_gone_before_it_looks_never_runs(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    launch = [sys.executable, str(REALPARTS / "servers" / "launch.py"), "1", "/bin/touch", str(mark)]
    assert os.getpid() != 1
    assert subprocess.run(launch, check=False).returncode == 1
    assert not mark.exists()


def test_a_server_that_ends_early_is_reported_with_its_last_words(make: Make) -> None:
    server = Server(make("echo no such option; exit 3"), refused)
    with pytest.raises(StartFailed, match=r"(?s)child did not start: it ended with code 3.*no such option.*child\.log"):
        server.start()


def test_a_server_that_never_answers_is_reported_and_ended(make: Make) -> None:
    process = make("sleep 1000")
    with pytest.raises(StartFailed, match=r"no answer in 0 s \(nobody there\)"):
        Server(process, refused, patience=0).start()
    assert not process.running


def refused() -> None:
    raise OSError("nobody there")


def test_free_ports_differ_and_are_not_lent_to_outgoing_connections() -> None:
    lowest_lent = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    found = ports.free(50)
    assert len(set(found)) == 50
    assert all(1024 < port < lowest_lent for port in found)
