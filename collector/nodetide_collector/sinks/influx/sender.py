"""From the spools to InfluxDB: one connection, one request at a time, oldest first, one bucket after the other."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from nodetide_collector.sinks.influx.complaints import Complaints
from nodetide_collector.sinks.influx.pacing import next_flush, phase
from nodetide_collector.sinks.influx.reading import Limits
from nodetide_collector.sinks.influx.spool import Load, Spool
from nodetide_core.backoff import Backoff
from nodetide_core.errors import StoreUnavailable
from nodetide_core.stores.influx.http import Reply
from nodetide_core.stores.influx.settling import Settling
from nodetide_core.stores.influx.token import TokenSource
from nodetide_core.stores.influx.verdict import Kind, Verdict, judge, write_path

__all__ = ["Post", "Sender", "Target", "Times"]

#: How soon, in seconds, a new token is noticed while the old one is refused, and a failure tried again while
#: someone waits for a flush or a bad line is looked for.
_SOON = 1.0
_LEAST_BYTES = 4096


class Post(Protocol):
    """Sends a request; raises StoreUnavailable where there is no answer."""

    def __call__(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply: ...


@dataclass(frozen=True, slots=True)
class Times:
    """The clocks and the chance that the sender goes by."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    chance: Callable[[], float] = random.random


class Target:
    """A bucket, its spool and what is on its way; but for the spool, the sender's own."""

    def __init__(self, bucket: str, path: str, spool: Spool) -> None:
        self.bucket = bucket
        self.path = path
        self.spool = spool
        self.load: Load | None = None
        self.settling: Settling | None = None
        self.due = True
        self.failures = 0
        self.retry_at = 0.0


class Sender:
    """Its thread calls `step`; others call `add`, `hurry` and read the counters.

    Attributes:
        written: lines that InfluxDB has taken.
        refused: lines that it never will.
        where: what the log calls the server.
    """

    def __init__(
        self,
        post: Post,
        token: TokenSource,
        *,
        org: str,
        where: str,
        host: str,
        flush_interval: float,
        limits: Limits,
        times: Times | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self.written = 0
        self.refused = 0
        self.where = where
        self._post = post
        self._token = token
        self._org = org
        self._interval = flush_interval
        self._phase = phase(host, flush_interval)
        self._limits = limits
        self._times = times or Times()
        self._backoff = backoff or Backoff()
        self._complaints = Complaints(monotonic=self._times.monotonic)
        self._targets: tuple[Target, ...] = ()
        self._turn = 0
        self._failures = 0
        self._resume_at = 0.0
        self._refused_token: str | None = None
        self._flush_at = self._times.monotonic()
        self._hurried = False

    @property
    def lines_per_request(self) -> int:
        return self._limits.lines

    def add(self, bucket: str, spool: Spool) -> None:
        self._targets = (*self._targets, Target(bucket, write_path(self._org, bucket), spool))

    def hurry(self, on: bool) -> None:
        """Send everything now, without regard to the interval, and don't wait long after failures."""
        self._hurried = on
        if on:
            self._resume_at = 0.0
            for target in self._targets:
                target.retry_at = 0.0

    def step(self) -> float:
        """Do what is to be done next, at most one request; returns the seconds until there is more."""
        now = self._times.monotonic()
        if now >= self._flush_at:
            self._flush_at = now + next_flush(self._times.wall(), self._interval, self._phase)
            for each in self._targets:
                each.due = True
        if self._refused_token is not None and self._token() != self._refused_token:
            self._refused_token = None
            self._resume_at = now
        if self._hurried:
            self._resume_at = min(self._resume_at, now + _SOON)
        wait = self._resume_at - now
        if wait <= 0:
            target = self._next_target(now)
            if target is not None:
                self._attempt(target)
                return 0.0
            later = [each.retry_at - now for each in self._targets if each.due and each.retry_at > now]
            wait = min([self._flush_at - now, *later])
        for each in self._targets:
            each.spool.sync()
        return max(0.0, min(wait, _SOON) if self._refused_token is not None or self._hurried else wait)

    def _next_target(self, now: float) -> Target | None:
        """The next in turn that has something to send now."""
        for _ in self._targets:
            self._turn = (self._turn + 1) % len(self._targets)
            target = self._targets[self._turn]
            enough = 1 if self._hurried else self._limits.lines
            if target.retry_at <= now and (target.due or target.spool.lines >= enough):
                return target
        return None

    def _attempt(self, target: Target) -> None:
        settling = self._prepare(target)
        if settling is None:
            return
        body = settling.body()
        token = self._token()
        try:
            reply = self._post(
                "POST",
                target.path,
                body,
                {
                    "Authorization": f"Token {token}",
                    "Content-Encoding": "gzip",
                    "Content-Type": "text/plain; charset=utf-8",
                },
            )
        except StoreUnavailable as error:
            verdict = Verdict(Kind.BUSY, str(error))
        else:
            verdict = judge(reply, org=self._org, bucket=target.bucket, now=self._times.wall())
            if reply.status == 401:
                self._refused_token = token
        if verdict.kind is Kind.TOO_LARGE:
            self._limits = Limits(self._limits.lines, max(_LEAST_BYTES, len(body) // 2))
        self._book(target, settling, verdict)
        self._pace(target, settling, verdict)

    def _prepare(self, target: Target) -> Settling | None:
        """What is on its way, or the next load; with more in it where that has grown meanwhile."""
        if target.settling is not None and not target.settling.untouched:
            return target.settling
        load = target.spool.take(self._limits)
        if load is None:
            target.due = False
            target.load = target.settling = None
        elif not load.batches:  # nothing but damage, or what was acknowledged before a restart
            target.spool.settle(load)
            target.load = target.settling = None
        elif target.settling is None or load != target.load:
            target.load = load
            target.settling = Settling([batch.packed for batch in load.batches])
        return target.settling

    def _book(self, target: Target, settling: Settling, verdict: Verdict) -> None:
        """Count what came of a request."""
        before = settling.written
        settling.settle(verdict)
        self.written += settling.written - before
        for rejected in settling.take_rejected():
            self.refused += rejected.count
            self._complaints.lost(f"bucket {target.bucket}", rejected.reason, rejected.count)
        if settling.done and target.load is not None:
            target.spool.settle(target.load)
            target.load = target.settling = None

    def _pace(self, target: Target, settling: Settling, verdict: Verdict) -> None:
        """Decide when to go on."""
        kind = verdict.kind
        bucket = f"bucket {target.bucket}"
        if kind in (Kind.BUSY, Kind.DENIED):
            self._failures += 1
            self._resume_at = self._later(self._failures, verdict)
            self._complain(self.where, verdict)
            return
        if kind is not Kind.FAILED:
            self._complaints.clear(self.where, "takes points again")
        self._failures = 0
        self._refused_token = None
        if kind in (Kind.FAILED, Kind.REFUSED):
            target.failures += 1
            target.retry_at = self._later(1 if settling.narrowing else target.failures, verdict)
            self._complain(bucket, verdict)
        else:
            target.failures = 0
            self._complaints.clear(bucket, "is written again")

    def _complain(self, topic: str, verdict: Verdict) -> None:
        # What a person has to fix is told as often as it changes; of the rest, that there is trouble.
        fixable = verdict.kind in (Kind.DENIED, Kind.REFUSED)
        key = verdict.reason if fixable else verdict.kind.value
        self._complaints.state(topic, key, f"{verdict.reason}; points are kept in the spool")

    def _later(self, failures: int, verdict: Verdict) -> float:
        delay = self._backoff.delay(failures, self._times.chance(), verdict.retry_after)
        return self._times.monotonic() + (min(delay, _SOON) if self._hurried else delay)
