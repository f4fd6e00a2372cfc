"""`nodetide run` as a user starts it: a real process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.waiting import eventually


class Nodetide:
    """One process of the command line."""

    def __init__(self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.log = folder / "log.txt"
        self._out = self.log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "nodetide", *arguments],
            cwd=folder, stdout=self._out, stderr=self._out,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
        )  # fmt: skip
        self._seen = self.log.stat().st_size
        self.url = ""

    def wait_until_running(self, timeout: float = 180) -> Nodetide:
        self.url = until(self._address, timeout, lambda: f"no address in: {self.text()}").rstrip("/")
        return self

    def _address(self) -> str | None:
        assert self.process.poll() is None, self.text()
        found = re.findall(r"page\s+(http://\S+)", self.text())
        return found[-1] if found else None

    def text(self) -> str:
        return self.log.read_text()[self._seen :]

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return json.loads(answer.read())

    def newest(self) -> int:
        """The second of the newest sample the API shows, or 0."""
        series = [s for host in self.get("/api/v1/metrics/current?metric=mem")["hosts"] for s in host["series"]]
        return max((seconds(s["time"]) for s in series), default=0)

    def end(self, how: signal.Signals = signal.SIGTERM, timeout: float = 90) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(timeout)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self._out.close()


def seconds(text: str) -> int:
    from datetime import datetime

    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


def until(ask: Callable[[], Any], timeout: float, complaint: Callable[[], str]) -> Any:
    """What ``ask`` gives as soon as it is something."""
    return eventually(ask, complaint, patience=timeout, not_yet=(OSError,))
