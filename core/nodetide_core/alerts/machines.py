"""The machines of one alert that are not idle, and what an evaluation makes of them. Pure.

Of a series that reaches no level nothing is kept, here or in a store: a fleet has a million of those.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace

from nodetide_core.alerts.grouping import Readings, expected
from nodetide_core.alerts.levels import holding, reaching
from nodetide_core.alerts.machine import Absence, Observation, Seen, advance, due, forgettable, was_reached
from nodetide_core.alerts.model import AlertKey, AlertState, Phase, Transition
from nodetide_core.alerts.ports import AlertRecord
from nodetide_core.alerts.rules import Rule
from nodetide_core.alerts.texts import alert_id, annotations_of, labels_of, silenced

__all__ = ["SAVE_AGAIN", "Changes", "Evaluation", "Machine", "Machines", "evaluated", "next_step", "swept"]

#: Seconds after which a record is saved again although nothing happened, or retention would forget it.
SAVE_AGAIN = 600


@dataclass(frozen=True, slots=True)
class Machine:
    """
    Attributes:
        id: of its `ActiveAlert`.
        saved: when its record was last.
    """

    id: str
    record: AlertRecord
    saved: int


Machines = Mapping[AlertKey, Machine]
_IDLE = AlertState()


@dataclass(slots=True)
class Changes:
    """
    Attributes:
        machines: as they are to be; None: idle again.
        records: of those that must be remembered otherwise than they are.
    """

    machines: dict[AlertKey, Machine | None] = field(default_factory=dict)
    records: dict[AlertKey, AlertRecord | None] = field(default_factory=dict)
    transitions: list[Transition] = field(default_factory=list)

    def take(self, key: AlertKey, before: Machine | None, after: AlertRecord, *, at: int, now: int) -> None:
        """What an evaluation of the time ``at``, made at ``now``, has made of one machine."""
        was = before.record.state if before is not None else _IDLE
        if after.state.phase is not was.phase:
            self.transitions.append(Transition(key, was, after.state, at, after.reason))
        if forgettable(after.state, now):
            if before is not None:
                self.machines[key] = self.records[key] = None
        elif before is not None and now - before.saved < SAVE_AGAIN and not _tells_more(before.record, after):
            self.machines[key] = replace(before, record=after)
        else:
            self.records[key] = after
            self.machines[key] = Machine(before.id if before is not None else alert_id(key), after, now)


def _tells_more(before: AlertRecord, after: AlertRecord) -> bool:
    """Whether it differs in more than the newest value and the texts that tell it."""
    state = replace(before.state, seen=after.state.seen, value=after.state.value)
    return after != replace(before, state=state, annotations=after.annotations)


def next_step(rule: Rule, machines: Machines, after: int) -> int | None:
    """The first time past ``after`` at which ``for`` or ``keepFiringFor`` ends."""
    times = (_due(rule, machine) for machine in machines.values())
    return min((time for time in times if time is not None and time > after), default=None)


def _due(rule: Rule, machine: Machine) -> int | None:
    return due(machine.record.state, for_=rule.alert.for_, keep_firing_for=rule.alert.keep_firing_for)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """
    Attributes:
        at: its time; ``now`` is when it is made.
        asked_since: see `nodetide_core.alerts.machine.advance`.
        between: it is at no multiple of ``every``, and for those alone whose next step is due.
    """

    at: int
    now: int
    asked_since: int
    between: bool = False


def evaluated(rule: Rule, machines: Machines, readings: Readings, evaluation: Evaluation, cluster: str) -> Changes:
    """What follows from the readings of one evaluation."""
    changes = Changes()
    at, now = evaluation.at, evaluation.now
    for severity, level in rule.levels.items():
        values, holds, reaches = readings(level), holding(level), reaching(level)
        held = {key.tags: key for key in machines if key.severity == severity}
        for tags, key in held.items():
            before = machines[key]
            if evaluation.between and not _is_due(rule, before, at):
                continue
            value = values.get(tags)
            test = holds if was_reached(before.record.state) else reaches
            observation = Absence.NO_DATA if value is None else Seen(test(value), float(value))
            after = _record(rule, key, before.record, observation, evaluation=evaluation, cluster=cluster)
            changes.take(key, before, after, at=at, now=now)
        if evaluation.between:
            continue
        for tags, value in values.items():
            if reaches(value) and tags not in held:
                key = AlertKey(rule.policy.storage.bucket, rule.alert.name, severity, tags)
                after = _record(rule, key, None, Seen(True, float(value)), evaluation=evaluation, cluster=cluster)
                changes.take(key, None, after, at=at, now=now)
    return changes


def _is_due(rule: Rule, machine: Machine, at: int) -> bool:
    step = _due(rule, machine)
    return step is not None and step <= at


def _record(
    rule: Rule,
    key: AlertKey,
    before: AlertRecord | None,
    observation: Observation,
    *,
    evaluation: Evaluation,
    cluster: str,
) -> AlertRecord:
    state = advance(
        before.state if before is not None else _IDLE,
        observation,
        evaluation.at,
        for_=rule.alert.for_,
        keep_firing_for=rule.alert.keep_firing_for,
        asked_since=evaluation.asked_since,
    )
    labels = labels_of(rule.policy, rule.alert, key, cluster)
    return AlertRecord(
        state,
        labels,
        annotations_of(rule.alert, labels, state.value),
        silenced(rule.policy.silences, labels, evaluation.now),
        _reason(before, state, observation),
    )


def _reason(before: AlertRecord | None, state: AlertState, observation: Observation) -> str:
    if state.phase is Phase.FIRING or before is None:
        return ""
    if isinstance(observation, Absence) and state.phase is not before.state.phase:
        return observation.value
    return before.reason


def swept(rule: Rule | None, machines: Machines, absence: Absence, hosts: Set[str] | None, now: int) -> Changes:
    """What follows without any reading: whose rule, severity or host is gone ends; silences begin and end; what was
    saved long ago is saved again, and what ended long ago is forgotten.

    Args:
        rule: None: it is gone, for the reason ``absence``.
        hosts: that the policy selects, if that is known.
    """
    changes = Changes()
    for key, machine in machines.items():
        record = machine.record
        gone = _gone(rule, key, absence, hosts)
        if gone is not None:
            state = advance(record.state, gone, now, for_=0, keep_firing_for=0)
            record = replace(record, state=state, reason=_reason(record, state, gone))
        elif rule is not None:
            record = replace(record, silenced=silenced(rule.policy.silences, record.labels, now))
        if record != machine.record or now - machine.saved >= SAVE_AGAIN or forgettable(record.state, now):
            changes.take(key, machine, record, at=now, now=now)
    return changes


def _gone(rule: Rule | None, key: AlertKey, absence: Absence, hosts: Set[str] | None) -> Absence | None:
    if rule is None:
        return absence
    if key.severity not in rule.levels:
        return Absence.REMOVED
    return None if expected(key.tags, hosts) else Absence.NODE_GONE
