"""What is remembered of alerts, in rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

from nodetide_core.alerts.model import AlertKey, AlertState, Phase
from nodetide_core.alerts.ports import AlertRecord, Remembered, Told, ToldKey
from nodetide_core.stores.embedded.layouts import tags_from_text, tags_to_text
from nodetide_core.stores.embedded.streams import StreamState

__all__ = ["load_records", "load_remembered", "save_remembered"]


def load_remembered(connection: sqlite3.Connection, state: StreamState) -> Remembered:
    told = {
        ToldKey(receiver, id): Told(severity, starts_at, at)
        for receiver, id, severity, starts_at, at in connection.execute(
            "SELECT receiver, id, severity, starts_at, at FROM told WHERE stream=?", (state.id,)
        )
    }
    return Remembered(load_records(connection, state), told)


def load_records(connection: sqlite3.Connection, state: StreamState) -> dict[AlertKey, AlertRecord]:
    found = {}
    for alert, severity, tags, phase, since, fired, left, seen, value, *rest in connection.execute(
        "SELECT alert, severity, tags, phase, since, fired, left_at, seen, value, labels, annotations, silenced, "
        "reason FROM alert WHERE stream=? ORDER BY alert, severity, tags",
        (state.id,),
    ):
        labels, annotations, silenced, reason = rest
        found[AlertKey(state.stream.bucket, alert, severity, tags_from_text(tags))] = AlertRecord(
            AlertState(Phase(phase), since, fired, left, seen, value),
            json.loads(labels),
            json.loads(annotations),
            bool(silenced),
            reason,
        )
    return found


def save_remembered(
    connection: sqlite3.Connection,
    state: StreamState,
    records: Mapping[AlertKey, AlertRecord | None],
    told: Mapping[ToldKey, Told | None],
    now: int,
) -> None:
    """Within the caller's transaction; what was not saved for as long as raw points are kept goes."""
    for key, record in records.items():
        place = (state.id, key.alert, key.severity, tags_to_text(key.tags))
        if record is None:
            connection.execute("DELETE FROM alert WHERE stream=? AND alert=? AND severity=? AND tags=?", place)
        else:
            connection.execute(
                "INSERT OR REPLACE INTO alert VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", (*place, *_row(record), now)
            )
    for name, entry in told.items():
        if entry is None:
            connection.execute("DELETE FROM told WHERE stream=? AND receiver=? AND id=?", (state.id, *name))
        else:
            values = (state.id, *name, entry.severity, entry.starts_at, entry.at, now)
            connection.execute("INSERT OR REPLACE INTO told VALUES(?,?,?,?,?,?,?)", values)
    if retention := state.stream.tiers.raw.retention:
        for table in ("alert", "told"):
            connection.execute(f"DELETE FROM {table} WHERE stream=? AND saved<?", (state.id, now - retention))  # noqa: S608 - names of ours


def _row(record: AlertRecord) -> tuple[object, ...]:
    state = record.state
    return (
        state.phase.value, state.since, state.fired, state.left, state.seen, state.value,
        json.dumps(dict(record.labels)), json.dumps(dict(record.annotations)), record.silenced, record.reason,
    )  # fmt: skip
