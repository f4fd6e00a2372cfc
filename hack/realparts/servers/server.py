"""A program that answers on loopback: started until it does, stopped, crashed, hung, restarted."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from .process import Process

_PAUSE = 0.02


class StartFailed(Exception):
    """A server did not come up; the message has its log's tail and its path."""

    def __init__(self, process: Process, reason: str) -> None:
        super().__init__(f"{process.name} did not start: {reason}\n{process.tail()}\n  whole log: {process.log}")


class Server:
    """One server. A restart keeps its port and its data."""

    def __init__(self, process: Process, answers: Callable[[], object], *, patience: float = 180) -> None:
        """`answers` makes a real request and raises OSError until it succeeds; `patience` is in seconds."""
        self._process = process
        self._answers = answers
        self._patience = patience

    @property
    def name(self) -> str:
        return self._process.name

    @property
    def pid(self) -> int:
        """ProcessLookupError while it is down."""
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.running

    @property
    def log(self) -> Path:
        return self._process.log

    def start(self) -> None:
        """Start it and wait until it answers. Raises StartFailed, and leaves nothing running then."""
        self.launch()
        self.await_answer()

    def launch(self) -> None:
        """Start it, not waiting."""
        self._process.start()

    def await_answer(self) -> None:
        """Wait until it answers. Raises StartFailed, and ends it then."""
        deadline = time.monotonic() + self._patience
        try:
            while True:
                code = self._process.exit_code
                if code is not None:
                    raise StartFailed(self._process, f"it ended with code {code}")
                try:
                    self._answers()
                except OSError as error:
                    if time.monotonic() > deadline:
                        raise StartFailed(self._process, f"no answer in {self._patience:.0f} s ({error})") from error
                    time.sleep(_PAUSE)
                else:
                    return
        except BaseException:
            self._process.kill()
            raise

    def stop(self) -> None:
        """End it in order; nothing happens if it is down."""
        self._process.stop()

    def kill(self) -> None:
        """End it as a crash would (kill -9)."""
        self._process.kill()

    def restart(self) -> None:
        """Stop it if it runs, and start it on the same port and data."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Make it hang: connections are taken and not answered."""
        self._process.pause()

    def resume(self) -> None:
        self._process.resume()
