"""Evaluating the alerts of policies, from what a store holds, and remembering in it where they stand."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence, Set
from operator import is_
from types import MappingProxyType

from nodetide_core.alerts.asking import Outcome, Patience, answers
from nodetide_core.alerts.book import Book
from nodetide_core.alerts.machine import Absence
from nodetide_core.alerts.machines import SAVE_AGAIN, Changes, Evaluation, evaluated, next_step, swept
from nodetide_core.alerts.model import Transition
from nodetide_core.alerts.ports import AlertMemory, AlertSource
from nodetide_core.alerts.report import AlertHealth, Report
from nodetide_core.alerts.rules import AlertName, Rule, rules_of
from nodetide_core.alerts.schedule import RETRY, Course, due_at, failed, next_look, succeeded
from nodetide_core.errors import NodetideError, StoreRejected, StoreUnavailable
from nodetide_core.policy.spec import Policy

__all__ = ["Evaluator"]

#: Buckets that are asked at the same time.
_AT_ONCE = 4


class Evaluator:
    """For one thread, which may be blocked; close it at the end.

    Every transition is saved before it is told, so that a restart neither repeats nor forgets one.  What cannot be
    read or saved is told in the alert's health, leaves its states as they are, and is tried again soon; of what was
    missed meanwhile, only the newest evaluation is made.

    Args:
        cluster: label of every alert; empty: none.
    """

    def __init__(self, source: AlertSource, memory: AlertMemory, *, cluster: str = "") -> None:
        self._source = source
        self._memory = memory
        self._cluster = cluster
        self._loop = asyncio.new_event_loop()
        self._books: dict[str, Book] = {}
        self._policies: tuple[Policy, ...] = ()
        self._rules: dict[AlertName, Rule] = {}
        self._courses: dict[AlertName, Course] = {}
        self._errors: dict[AlertName, str] = {}
        #: Buckets whose memory failed: how, and when it is tried again.
        self._failures: dict[str, tuple[str, float]] = {}
        #: When it was last remembered that the alerts of a bucket are evaluated.
        self._noted: dict[str, float] = {}

    def close(self) -> None:
        self._loop.close()

    def turn(
        self, policies: Sequence[Policy], now: float, expected_hosts: Mapping[str, Set[str]] | None = None
    ) -> Report:
        """Evaluate what is due.

        Args:
            policies: all there are; whose policy is no longer among them ends.
            now: Unix seconds.
            expected_hosts: that a policy selects, by raw bucket, where that is known: what others have written
                counts for nothing, and their alerts end.
        """
        hosts = expected_hosts or {}
        self._follow(policies, now)
        transitions: list[Transition] = []
        suspended = {policy.storage.bucket for policy in policies if policy.suspend}
        for bucket in list(self._books):
            transitions += self._sweep(bucket, bucket in suspended, hosts.get(bucket), now)
        due = self._due(now)
        if due:
            transitions += self._loop.run_until_complete(self._evaluate(due, hosts, now))
        return Report(
            tuple(transitions),
            MappingProxyType({bucket: tuple(book.active(now)) for bucket, book in self._books.items()}),
            MappingProxyType({name: self._health(name) for name in self._rules}),
        )

    def next_due(self, now: float) -> float:
        """Unix seconds at which `turn` will find an evaluation to make, if policies stay as they are; infinite
        without alerts. Silences, expected hosts and what failed to be saved are looked at in each turn."""
        looks = (
            max(next_look(self._course(name), rule.alert.every, self._step(rule)), self._retry_at(name.bucket))
            for name, rule in self._rules.items()
        )
        return max(now, min(looks, default=math.inf))

    # Knowing

    def _follow(self, policies: Sequence[Policy], now: float) -> None:
        """Know the rules of the moment, and remember what was before this process."""
        if len(policies) != len(self._policies) or not all(map(is_, policies, self._policies)):
            self._policies, self._rules = tuple(policies), rules_of(policies)
            for known in (self._courses, self._errors):
                for name in known.keys() - self._rules.keys():
                    del known[name]
        buckets = {policy.storage.bucket for policy in policies}
        self._recall(sorted(buckets - self._books.keys()), now)
        for bucket in self._books.keys() - buckets:
            if not self._books[bucket].alerts:
                del self._books[bucket]
                self._noted.pop(bucket, None)

    def _recall(self, buckets: Sequence[str], now: float) -> None:
        away = ""
        for bucket in buckets:
            if now < self._retry_at(bucket):
                continue
            why = away
            if not why:
                try:
                    self._books[bucket] = Book.of(self._memory.remembered(bucket).records, int(now))
                    self._failures.pop(bucket, None)
                    continue
                except NodetideError as error:
                    why = f"what is remembered of alerts cannot be read: {error}"
                    # Time-outs of one bucket after the other would hold up those that are known.
                    away = why if isinstance(error, StoreUnavailable) else ""
            self._failures[bucket] = why, now + RETRY

    def _course(self, name: AlertName) -> Course:
        return self._courses.get(name, Course())

    def _step(self, rule: Rule) -> int | None:
        book = self._books.get(rule.name.bucket)
        machines = book.of_alert(rule.name.alert) if book is not None else {}
        return next_step(rule, machines, self._course(rule.name).last) if machines else None

    def _retry_at(self, bucket: str) -> float:
        return self._failures.get(bucket, ("", 0.0))[1]

    def _health(self, name: AlertName) -> AlertHealth:
        why = self._failures.get(name.bucket, ("", 0.0))[0] or self._errors.get(name, "")
        metric = self._rules[name].alert.metric
        error = f"alert {name.alert}{f' of {metric}' if metric else ''} in bucket {name.bucket}: {why}" if why else ""
        book = self._books.get(name.bucket, Book())
        return book.health(name.alert, error, self._course(name).last)

    # Doing

    def _sweep(self, bucket: str, suspended: bool, hosts: Set[str] | None, now: float) -> list[Transition]:
        book = self._books[bucket]
        if now < self._retry_at(bucket):
            return []
        absence = Absence.SUSPENDED if suspended else Absence.REMOVED
        found = [
            swept(self._rules.get(AlertName(bucket, alert)), book.of_alert(alert), absence, hosts, int(now))
            for alert in book.alerts
        ]
        return self._keep(bucket, found, now)

    def _keep(self, bucket: str, changes: Sequence[Changes], now: float, *, any_was: bool = False) -> list[Transition]:
        """The transitions, once they are saved.

        Args:
            any_was: whether any alert was evaluated; this is saved, too, if it was not lately.
        """
        records = {key: record for change in changes for key, record in change.records.items()}
        lately = 0 <= now - self._noted.get(bucket, -math.inf) < SAVE_AGAIN
        if records or (any_was and not lately):
            try:
                self._memory.remember(bucket, records, {}, int(now))
                self._noted[bucket] = now
            except NodetideError as error:
                # Where the stream went with its policy, there is no memory to agree with.
                gone = isinstance(error, StoreRejected) and all(p.storage.bucket != bucket for p in self._policies)
                if not gone:
                    self._failures[bucket] = f"states cannot be saved: {error}", now + RETRY
                    return []
        self._failures.pop(bucket, None)
        for change in changes:
            self._books[bucket].take(change.machines)
        return [transition for change in changes for transition in change.transitions]

    def _due(self, now: float) -> dict[str, dict[str, tuple[int, bool]]]:
        """The times of the evaluations that are due, and whether they lie in between, by bucket and alert."""
        found: dict[str, dict[str, tuple[int, bool]]] = {}
        for name, rule in self._rules.items():
            if name.bucket in self._books and now >= self._retry_at(name.bucket):
                time = due_at(self._course(name), rule.alert.every, self._step(rule), now)
                if time is not None:
                    found.setdefault(name.bucket, {})[name.alert] = time
        return found

    async def _evaluate(
        self, due: Mapping[str, Mapping[str, tuple[int, bool]]], hosts: Mapping[str, Set[str]], now: float
    ) -> list[Transition]:
        slots, patience = asyncio.Semaphore(_AT_ONCE), Patience()

        async def one(bucket: str, times: Mapping[str, tuple[int, bool]]) -> list[Transition]:
            async with slots:
                asked = {alert: (self._rules[AlertName(bucket, alert)].alert, at) for alert, (at, _) in times.items()}
                stream = self._rules[AlertName(bucket, next(iter(times)))].policy.stream
                outcomes = await answers(self._source, stream, asked, hosts.get(bucket), patience)
                return self._conclude(bucket, times, outcomes, now)

        found = await asyncio.gather(*(one(bucket, times) for bucket, times in due.items()))
        return [transition for transitions in found for transition in transitions]

    def _conclude(
        self, bucket: str, times: Mapping[str, tuple[int, bool]], outcomes: Mapping[str, Outcome], now: float
    ) -> list[Transition]:
        changes: list[Changes] = []
        courses: dict[AlertName, Course] = {}
        for alert, outcome in outcomes.items():
            name = AlertName(bucket, alert)
            rule, course, (at, between) = self._rules[name], self._course(name), times[alert]
            if isinstance(outcome, str):
                self._errors[name] = outcome
                self._courses[name] = failed(course, now)
                continue
            courses[name] = succeeded(course, rule.alert.every, at)
            evaluation = Evaluation(at, int(now), courses[name].asked_since, between)
            changes.append(evaluated(rule, self._books[bucket].of_alert(alert), outcome, evaluation, self._cluster))
        transitions = self._keep(bucket, changes, now, any_was=bool(courses))
        if bucket not in self._failures:
            self._courses.update(courses)
            for name in courses:
                self._errors.pop(name, None)
        return transitions
