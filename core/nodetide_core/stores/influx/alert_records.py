"""What alerts must remember, as points and back.  Pure.

A point of `RECORDS` is the state of one alert's severity for one series, one of `TOLD` what a receiver
acknowledged last, one of `EVALUATED` that somebody evaluates; the newest of each counts.  What was forgotten is
written, too: for a newer point is the only thing that takes back an older one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

from nodetide_core.alerts.model import AlertKey, AlertState, Phase
from nodetide_core.alerts.ports import AlertRecord, Remembered, Told, ToldKey
from nodetide_core.points import Point, Tags, Value, make_tags, tag
from nodetide_core.stores.influx.answers import Rows
from nodetide_core.stores.influx.influxql import Request, newest_of

__all__ = [
    "EVALUATED",
    "RECORDS",
    "TOLD",
    "evaluated_in",
    "evaluated_request",
    "points",
    "records_in",
    "records_request",
    "remembered_in",
    "remembered_request",
]

RECORDS, TOLD, EVALUATED = "nodetide_alert", "nodetide_alert_told", "nodetide_alert_evaluated"
_PHASES = (Phase.INACTIVE, Phase.PENDING, Phase.FIRING)
_RECORD_FIELDS = ("state", "value", "since", "fired", "left", "seen", "labels", "annotations", "silenced", "reason")
_TOLD_FIELDS = ("severity", "starts_at", "at")
#: Instead of the JSON text of labels: there is no such record any more.
_FORGOTTEN = ""
#: Instead of when a receiver was told: it was not, as far as is known.
_NEVER = -1


def points(
    records: Mapping[AlertKey, AlertRecord | None], told: Mapping[ToldKey, Told | None], now: int
) -> Iterator[Point]:
    """Every field of every point is written, so that one of the same second is overwritten as a whole."""
    for key, record in records.items():
        yield Point(RECORDS, _record_tags(key), _record_fields(record), now)
    for told_key, item in told.items():
        tags = make_tags({"receiver": _text(told_key.receiver), "id": _text(told_key.id)})
        fields: dict[str, Value] = {"severity": "", "starts_at": 0, "at": _NEVER}
        if item is not None:
            fields = {"severity": item.severity, "starts_at": item.starts_at, "at": item.at}
        yield Point(TOLD, tags, fields, now)
    if records or not told:
        yield Point(EVALUATED, (), {"at": now}, now)


def remembered_request(bucket: str) -> Request:
    """The newest of each record, and of what each receiver was told of each alert."""
    return newest_of(bucket, {RECORDS: _RECORD_FIELDS, TOLD: _TOLD_FIELDS})


def remembered_in(bucket: str, answers: Sequence[Iterable[Rows]]) -> Remembered:
    """What `remembered_request` was answered."""
    records, told = answers
    return Remembered(records_in(bucket, records), dict(_told(told)))


def records_request(bucket: str) -> Request:
    """The records alone."""
    return newest_of(bucket, {RECORDS: _RECORD_FIELDS})


def records_in(bucket: str, answer: Iterable[Rows]) -> dict[AlertKey, AlertRecord]:
    """What `records_request` was answered."""
    return dict(_records(bucket, answer))


def evaluated_request(bucket: str) -> Request:
    """When it was last written that somebody evaluates."""
    return newest_of(bucket, {EVALUATED: ("at",)})


def evaluated_in(answer: Iterable[Rows]) -> int:
    """What `evaluated_request` was answered; Unix seconds, 0 where nobody ever did."""
    return max((int(at) for rows in answer for _, at in rows.values if isinstance(at, (int, float))), default=0)


def _record_tags(key: AlertKey) -> Tags:
    tags = {"alert": _text(key.alert), "severity": _text(key.severity), "series": _json(dict(key.tags))}
    return make_tags({**tags, "host": tag(key.tags, "host") or ""})


def _record_fields(record: AlertRecord | None) -> dict[str, Value]:
    state = AlertState() if record is None else record.state
    return {
        "state": _PHASES.index(state.phase),
        # InfluxDB has no other numbers.
        "value": float(state.value) if isfinite(state.value) else 0.0,
        "since": state.since,
        "fired": state.fired,
        "left": state.left,
        "seen": state.seen,
        "labels": _FORGOTTEN if record is None else _json(dict(record.labels)),
        "annotations": _FORGOTTEN if record is None else _json(dict(record.annotations)),
        "silenced": record is not None and record.silenced,
        "reason": "" if record is None else record.reason,
    }


def _records(bucket: str, answer: Iterable[Rows]) -> Iterator[tuple[AlertKey, AlertRecord]]:
    for rows in answer:
        tags = dict(rows.key.tags)
        _, phase, value, since, fired, left, seen, labels, annotations, silenced, reason = rows.values[0]
        try:
            if labels == _FORGOTTEN:
                continue
            series = _mapping(tags["series"])
            key = AlertKey(bucket, _untext(tags["alert"]), _untext(tags["severity"]), tuple(sorted(series.items())))
            state = AlertState(_PHASES[phase], int(since), int(fired), int(left), int(seen), float(value))
            record = AlertRecord(state, _mapping(labels), _mapping(annotations), bool(silenced), reason or "")
        except (LookupError, TypeError, ValueError):
            continue  # somebody else's point under our name
        yield key, record


def _told(answer: Iterable[Rows]) -> Iterator[tuple[ToldKey, Told]]:
    for rows in answer:
        tags = dict(rows.key.tags)
        _, severity, starts_at, at = rows.values[0]
        try:
            key, told = ToldKey(_untext(tags["receiver"]), _untext(tags["id"])), Told(severity, int(starts_at), int(at))
        except (LookupError, TypeError, ValueError):
            continue
        if told.at != _NEVER:
            yield key, told


def _json(data: Any) -> str:
    """In letters that a tag can hold: a backslash before a separator or at the end cannot be written there."""
    return json.dumps(data, sort_keys=True, separators=(",", ":")).replace("\\\\", r"\u005c")


def _mapping(text: str) -> dict[str, str]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError
    return {str(name): str(value) for name, value in found.items()}


def _text(text: str) -> str:
    return _json(text)[1:-1]


def _untext(text: str) -> str:
    return str(json.loads(f'"{text}"'))
