"""Runs probes so that none can stop the others.

A pass is handed to one persistent thread as a whole.  A probe that takes longer than `Passes`'
patience is set aside with its thread, and a fresh thread goes on with the rest; when it comes back
within its time-out its outcome is delivered late, with the tick it was started for, and after that
it has failed.  It is not started again before its thread returns, so there are never more threads
set aside than there are probes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from nodetide_collector.conformance import conforming
from nodetide_collector.host import Host
from nodetide_collector.probe import Probe, Reading, Registration, Request

__all__ = ["Outcome", "Passes"]


class Outcome(NamedTuple):
    """What became of one pass of one group.

    Attributes:
        tick: the second it was started for.
        at: monotonic seconds at its start.
        duration: seconds it took, or had taken when it was given up.
        reading: None where it failed.
        error: what failed, a name that is the same for the same cause, such as ``PermissionError``.
        detail: the message of the error.
    """

    group: str
    tick: int
    at: float
    duration: float
    reading: Reading | None
    error: str = ""
    detail: str = ""


class Passes:
    """Owns the probes and the thread they run in. `run`, `late` and `close` belong to one thread.

    Args:
        patience: seconds that a pass waits for one probe before it goes on without it.
    """

    def __init__(
        self,
        registrations: Mapping[str, Registration],
        host: Host,
        monotonic: Callable[[], float] = time.monotonic,
        patience: float = 0.25,
    ) -> None:
        self._registrations = registrations
        self._host = host
        self._monotonic = monotonic
        self._patience = patience
        self._probes: dict[str, Probe] = {}
        self._worker: _Worker | None = None
        self._aside: dict[str, _Job] = {}
        self._slow: set[str] = set()

    @property
    def busy(self) -> Mapping[str, object]:
        """The groups whose probe has not come back yet."""
        return self._aside

    def run(self, tick: int, requests: Mapping[str, Request]) -> list[Outcome]:
        """Outcomes of the groups asked for, less those set aside and those still `busy`."""
        found: list[Outcome] = []
        # What was slow last time goes last, so that it does not delay the others again.
        names = sorted((name for name in requests if name not in self._aside), key=self._slow.__contains__)
        jobs: Sequence[_Job] = [_Job(name, tick, self._reader(name, requests[name])) for name in names]
        while jobs:
            if self._worker is None:
                self._worker = _Worker(self._monotonic)
            self._worker.start(jobs)
            jobs = self._follow(self._worker, jobs, found)
        return found

    def late(self) -> list[Outcome]:
        """Outcomes of probes set aside by earlier passes: those that came back, and those now given up."""
        found: list[Outcome] = []
        for job in list(self._aside.values()):
            outcome, limit = job.outcome, self._timeout(job.group)
            if outcome is not None:
                del self._aside[job.group]
                if outcome.duration <= limit and not job.given_up:
                    found.append(outcome)
                    continue
            if not job.given_up and self._monotonic() - job.started >= limit:
                job.given_up = True
                elapsed = self._monotonic() - job.started
                detail = f"no answer within {limit:g} s"
                found.append(Outcome(job.group, job.tick, job.started, elapsed, None, "timed out", detail))
        return found

    def close(self) -> None:
        """Let the thread end; threads set aside are daemons and end with the process."""
        if self._worker is not None:
            self._worker.start(())
            self._worker = None

    def _follow(self, worker: _Worker, jobs: Sequence[_Job], found: list[Outcome]) -> Sequence[_Job]:
        """Wait for the worker; returns the jobs that are left when one of them is set aside."""
        patience = self._patience
        while not worker.wait(patience):
            job, elapsed = worker.abandon_after(self._patience)
            if job is None:
                patience = max(self._patience - elapsed, 0.001)
                continue
            self._worker = None
            self._aside[job.group] = job
            self._slow.add(job.group)
            found += worker.outcomes
            return jobs[jobs.index(job) + 1 :]
        found += worker.outcomes
        self._slow.difference_update(job.group for job in jobs)
        return ()

    def _timeout(self, group: str) -> float:
        registration = self._registrations.get(group)
        return self._patience if registration is None else registration.timeout

    def _reader(self, group: str, request: Request) -> Callable[[], Reading]:
        def read() -> Reading:
            probe = self._probes.get(group)
            if probe is None:
                registration = self._registrations.get(group)
                if registration is None:
                    raise LookupError("there is no probe of this name")
                probe = self._probes[group] = registration.make(self._host)
            reading = probe.read(request)
            if not isinstance(reading, Reading):
                raise TypeError(f"read() gave {type(reading).__name__}, not a Reading")
            return conforming(reading)

        return read


class _Job:
    """One probe of one pass. `outcome` is set only by a thread that was set aside."""

    __slots__ = ("given_up", "group", "outcome", "read", "started", "tick")

    def __init__(self, group: str, tick: int, read: Callable[[], Reading]) -> None:
        self.group = group
        self.tick = tick
        self.read = read
        self.started = 0.0
        self.outcome: Outcome | None = None
        self.given_up = False


class _Worker:
    """A thread that runs lists of jobs until it is abandoned or given an empty list."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.outcomes: list[Outcome] = []
        self._monotonic = monotonic
        self._jobs: Sequence[_Job] = ()
        self._current: _Job | None = None
        self._abandoned = False
        self._guard = threading.Lock()
        self._go = threading.Lock()
        self._done = threading.Lock()
        self._go.acquire()
        self._done.acquire()
        threading.Thread(target=self._serve, name="nodetide-probes", daemon=True).start()

    def start(self, jobs: Sequence[_Job]) -> None:
        self._jobs = jobs
        self.outcomes = []
        self._go.release()

    def wait(self, seconds: float) -> bool:
        """Whether all jobs are done."""
        return self._done.acquire(timeout=seconds)

    def abandon_after(self, seconds: float) -> tuple[_Job | None, float]:
        """The job that has been running for as long as that, if one has, and seconds it has been.

        The thread then ends after that job and starts no other.
        """
        with self._guard:
            job = self._current
            elapsed = 0.0 if job is None else self._monotonic() - job.started
            if job is None or elapsed < seconds:
                return None, elapsed
            self._abandoned = True
            return job, elapsed

    def _serve(self) -> None:
        while True:
            self._go.acquire()
            if not self._jobs:
                return
            for job in self._jobs:
                with self._guard:
                    job.started = self._monotonic()
                    self._current = job
                outcome = self._attempt(job)
                with self._guard:
                    self._current = None
                    if self._abandoned:
                        job.outcome = outcome
                        return
                self.outcomes.append(outcome)
            self._done.release()

    def _attempt(self, job: _Job) -> Outcome:
        started = job.started
        try:
            reading = job.read()
        except Exception as error:  # noqa: BLE001 - whatever one probe does, the others go on
            took = self._monotonic() - started
            return Outcome(job.group, job.tick, started, took, None, type(error).__name__, " ".join(str(error).split()))
        return Outcome(job.group, job.tick, started, self._monotonic() - started, reading)
