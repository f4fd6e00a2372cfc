"""Asking a store all that alerts ask at one time, and what came of it for each."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence, Set
from typing import TypeAlias

from nodetide_core.alerts.folding import fold, predicted
from nodetide_core.alerts.grouping import Readings, expected, grouped, matching, silences, together
from nodetide_core.alerts.ports import AlertSource
from nodetide_core.alerts.questions import Look, Question, Silence, field_of, question_of
from nodetide_core.errors import NodetideError, StoreRejected
from nodetide_core.points import Tags, make_tags
from nodetide_core.policy.spec import Alert
from nodetide_core.store import Column, Stream

__all__ = ["Outcome", "Patience", "answers"]

_log = logging.getLogger(__name__)

#: Readings, or why there are none.
Outcome: TypeAlias = "Readings | str"


class Patience:
    """With a store that does not answer: after a few failures in a row, everything else that was to be asked in the
    same turn counts as failed, too, or its time-outs would add up to hours."""

    _MOST = 4

    def __init__(self) -> None:
        self._failures = 0
        self._last = ""

    @property
    def lost(self) -> str:
        """The last failure, if there is no patience left; else empty."""
        return self._last if self._failures >= self._MOST else ""

    def answered(self) -> None:
        self._failures = 0

    def failed(self, why: str) -> None:
        self._failures += 1
        self._last = why


async def answers(
    source: AlertSource,
    stream: Stream,
    due: Mapping[str, tuple[Alert, int]],
    hosts: Set[str] | None,
    patience: Patience,
) -> dict[str, Outcome]:
    """The readings of each alert that is due, or why there are none.

    Args:
        due: by name, alerts and the times at which they are evaluated.
        hosts: that the policy selects, if that is known; what others have written counts for nothing.
        patience: of this turn.
    """
    asked: dict[Question, dict[str, Alert]] = {}
    for name, (alert, at) in due.items():
        asked.setdefault(question_of(stream, alert, at), {})[name] = alert
    found: dict[str, Outcome] = {}
    for question, alerts in asked.items():
        found.update(await _outcomes(source, question, alerts, hosts, patience))
    return found


async def _outcomes(
    source: AlertSource, question: Question, alerts: Mapping[str, Alert], hosts: Set[str] | None, patience: Patience
) -> Mapping[str, Outcome]:
    if patience.lost:
        return dict.fromkeys(alerts, patience.lost)
    try:
        readings = await _ask(source, question, alerts, hosts)
        patience.answered()
        return readings
    except StoreRejected as error:
        if len(alerts) == 1:
            return dict.fromkeys(alerts, str(error))
        # One of them may be what is refused.
        found: dict[str, Outcome] = {}
        for name, alert in alerts.items():
            found.update(await _outcomes(source, question, {name: alert}, hosts, patience))
        return found
    except NodetideError as error:
        patience.failed(str(error))
        return dict.fromkeys(alerts, str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, alerts that ask something else go on
        _log.exception("evaluating %s failed", ", ".join(alerts))
        return dict.fromkeys(alerts, f"{type(error).__name__}: {error}")


async def _ask(
    source: AlertSource, question: Question, alerts: Mapping[str, Alert], hosts: Set[str] | None
) -> Mapping[str, Outcome]:
    if isinstance(question, Look):
        fields = frozenset(field_of(alert)[1] for alert in alerts.values())
        columns = await source.read(question.query(fields))
        return _looked(question, alerts, [column for column in columns if expected(column.key.tags, hosts)])
    if isinstance(question, Silence):
        seen = await source.last_seen(question.bucket, question.measurement, question.field, question.since)
        heard = {tags: time for tags, time in matching(seen, question.tags).items() if expected(tags, hosts)}
        return {name: silences(heard, alert.group_by, question.at) for name, alert in alerts.items()}
    # Tags may be any text here; and tables may differ in nothing that is a tag.
    found = await source.flux(question.bucket, question.text)
    rows = [(make_tags(row.tags), row.value) for row in found if math.isfinite(row.value)]
    here = [(tags, value) for tags, value in rows if expected(tags, hosts)]
    return {name: together(here, alert.group_by) for name, alert in alerts.items()}


def _looked(question: Look, alerts: Mapping[str, Alert], columns: Sequence[Column]) -> dict[str, Outcome]:
    by_field: dict[str, list[Column]] = {}
    for column in columns:
        by_field.setdefault(column.field, []).append(column)
    # What several alerts look at is worked out once.
    made: dict[tuple[str, int, tuple[str, ...]], Readings] = {}
    found: dict[str, Outcome] = {}
    for name, alert in alerts.items():
        field = field_of(alert)[1]
        view = (field, alert.predict_after, alert.group_by)
        if view not in made:
            made[view] = grouped(_values(question, by_field.get(field, ()), alert.predict_after), alert.group_by)
        found[name] = made[view]
    return found


def _values(question: Look, columns: Sequence[Column], ahead: int) -> dict[Tags, float]:
    values = {}
    for column in columns:
        value = predicted(column, question.step, question.stop + ahead) if ahead else fold(column, question.aggregate)
        if value is not None:
            values[column.key.tags] = value
    return values
