"""Run a part's steps one by one, into one log, and say which one failed."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import cache

_TAIL_LINES = 20


class StepFailed(Exception):
    """A step of getting a part failed; the message has the log's tail and its path."""

    def __init__(self, part: str, step: str, reason: str, log: Path) -> None:
        self.step = step
        self.log = log
        lines = log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
        tail = "".join(f"\n    {line}" for line in lines)
        super().__init__(f"{part}: failed at: {step} ({reason}){tail}\n  whole log: {log}")


@dataclass(frozen=True)
class Steps:
    part: str
    log: Path

    @classmethod
    def begin(cls, part: str) -> Steps:
        """Start the part's log afresh; its lock must be held."""
        log = cache.root() / "logs" / f"{part}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")
        return cls(part, log)

    def run(
        self,
        step: str,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 1800,
    ) -> None:
        """Run argv, with env on top of this process's own."""
        print(f"{self.part}: {step} ... (log: {self.log})", file=sys.stderr, flush=True)
        started = time.monotonic()
        with self.log.open("a") as out:
            out.write(f"$ {shlex.join(argv)}\n")
            out.flush()
            try:
                code = subprocess.run(
                    argv,
                    check=False,
                    cwd=cwd,
                    env={**os.environ, **(env or {})},
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    timeout=timeout,
                ).returncode
            except OSError as error:
                raise self.failed(step, str(error)) from error
            except subprocess.TimeoutExpired as error:
                raise self.failed(step, f"not done after {timeout:.0f} s") from error
        if code != 0:
            raise self.failed(step, f"exit code {code}")
        took = time.monotonic() - started
        print(f"{self.part}: {step}: {took:.1f} s", file=sys.stderr, flush=True)

    def ask(self, argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
        """Run a short command for what it prints."""
        try:
            asked = subprocess.run(
                argv, check=False, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True
            )
        except OSError as error:
            raise self.failed(shlex.join(argv), str(error)) from error
        if asked.returncode != 0:
            raise self.failed(shlex.join(argv), asked.stderr.strip())
        return asked.stdout

    def failed(self, step: str, reason: str) -> StepFailed:
        return StepFailed(self.part, step, reason, self.log)
