"""One child process: its log, its end, and nothing of it left when this process is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_LAUNCH = Path(__file__).with_name("launch.py")
_TAIL_LINES = 30
# A child dies with the thread that started it, and a worker thread may end long before the
# process does. So what a worker starts is started by this thread, which stays.
_STAYING = ThreadPoolExecutor(1, thread_name_prefix="realparts")


def bound(argv: Sequence[str | Path]) -> list[str]:
    """The command of a program that dies with this process, however that ends.

    To be started by a thread that stays, since it would die with that, too.

    Args:
        argv: the program's path first.
    """
    return [sys.executable, "-I", "-S", str(_LAUNCH), str(os.getpid()), *map(str, argv)]


class Process:
    """A program in a process group of its own, which the end of this process kills.

    What it prints is appended to `log`. Not for two threads at once.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        polite: signal.Signals = signal.SIGTERM,
    ) -> None:
        """`polite` is the signal upon which the program ends in order."""
        self.name = name
        self.log = log
        self._argv = [str(argument) for argument in argv]
        self._env = {**os.environ, **(env or {})}
        self._polite = polite
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The running program's; ProcessLookupError while none runs."""
        if self._child is None or not self.running:
            raise ProcessLookupError(f"{self.name} is not running")
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Of the last one that ran (minus the signal's number if one ended it); None while it runs."""
        return None if self._child is None else self._child.poll()

    def start(self) -> None:
        if self.running:
            raise RuntimeError(f"{self.name} already runs")
        if threading.current_thread() is threading.main_thread():
            self._child = self._spawn()
        else:
            self._child = _STAYING.submit(self._spawn).result()

    def stop(self, patience: float = 60) -> None:
        """Ask it to end in order, and kill it if it still runs after `patience` seconds."""
        if self._child is None or not self.running:
            return
        self._signal(self._polite, signal.SIGCONT)  # a paused one hears nothing before the second
        try:
            self._child.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it as a crash would (SIGKILL): it gets no chance to write anything."""
        if self._child is not None and self.running:
            self._signal(signal.SIGKILL)
            self._child.wait()

    def pause(self) -> None:
        """Make it hang (SIGSTOP): its port takes connections, and nobody answers."""
        self._signal(signal.SIGSTOP)
        # On a busy machine its threads go on for a moment.
        end = time.monotonic() + 60
        while self._child is not None and not _stopped(self._child.pid) and time.monotonic() < end:
            time.sleep(0.01)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def tail(self) -> str:
        """The last lines of its log, indented."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(f"    {line}" for line in lines[-_TAIL_LINES:])

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                bound(self._argv),
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _signal(self, *numbers: signal.Signals) -> None:
        group = self.pid
        for number in numbers:  # the group's number stays taken while the child isn't waited for
            os.killpg(group, number)


def _stopped(pid: int) -> bool:
    """Whether all threads of a process stand still."""
    states = [path.read_text().rpartition(")")[2].split()[0] for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(state in "TZX" for state in states)
