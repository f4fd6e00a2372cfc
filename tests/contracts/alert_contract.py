"""What every store must do for alerts: `AlertSource`, `AlertMemory` and `StoreReader.alerts`.

A store's tests subclass `AlertContract` and say how to make a world, as for `StoreContract`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contracts.store_contract import TIERS, World

from nodetide_core.alerts.model import AlertKey, AlertState, Phase
from nodetide_core.alerts.ports import AlertMemory, AlertRecord, AlertSource, Remembered, Told, ToldKey
from nodetide_core.errors import StoreRejected
from nodetide_core.points import Point, make_tags
from nodetide_core.store import Stream

__all__ = ["AlertContract"]

STREAMS = (Stream("p", "b", TIERS), Stream("q", "other", TIERS))
#: Text that is something else to SQL, InfluxQL, Flux, line protocol, JSON or a template.
NASTY = "a 'b' \"c\" \\n ${d} {{ e }} $f; -- , = \u00e4\u4e16\U0001f600"


def key(alert: str = "HighCPU", severity: str = "critical", bucket: str = "b", **tags: str) -> AlertKey:
    return AlertKey(bucket, alert, severity, make_tags(tags or {"host": "a"}))


def record(phase: Phase = Phase.FIRING, value: float = 0.1 + 0.2, **state: int) -> AlertRecord:
    times = {"since": 100, "fired": 160, "left": 0, "seen": 190, **state}
    return AlertRecord(AlertState(phase, value=value, **times), {"alertname": "HighCPU"}, {"summary": "hot"})


_TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)
_KEYS = st.builds(
    AlertKey,
    st.just("b"),
    st.sampled_from(["HighCPU", "Low-Disk.x"]),
    st.sampled_from(["critical", "warning"]),
    st.dictionaries(st.sampled_from(["host", "path", "zone"]), st.sampled_from(["a", "b", NASTY]), max_size=2).map(
        make_tags
    ),
)
_TIMES = st.integers(0, 2**33)
_RECORDS = st.builds(
    AlertRecord,
    st.builds(
        AlertState,
        st.sampled_from(Phase),
        _TIMES,
        _TIMES,
        _TIMES,
        _TIMES,
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    st.dictionaries(_TEXT, _TEXT, max_size=3),
    st.dictionaries(_TEXT, st.text(st.characters(exclude_categories=("Cs",)), max_size=20), max_size=3),
    st.booleans(),
    st.sampled_from(["", "no data", NASTY]),
).filter(lambda made: made.state.phase is not Phase.INACTIVE or made.state.fired > 0)
_TOLD_KEYS = st.builds(ToldKey, st.sampled_from(["team", "a.b"]), st.sampled_from(["id1", "id2", "id1/critical"]))
_TOLD = st.builds(Told, st.sampled_from(["", "critical", "warning"]), _TIMES, _TIMES)
_STEPS = st.lists(
    st.tuples(
        st.dictionaries(_KEYS, st.none() | _RECORDS, max_size=4),
        st.dictionaries(_TOLD_KEYS, st.none() | _TOLD, max_size=3),
        st.sampled_from([0, 0, 1, 30]),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


def applied(before: Mapping[Any, Any], changes: Mapping[Any, Any]) -> dict[Any, Any]:
    return {name: value for name, value in {**before, **changes}.items() if value is not None}


class AlertContract:
    world: Callable[[], AbstractContextManager[World]]

    def source(self, store: Any) -> AlertSource:
        return store

    def memory(self, store: Any) -> AlertMemory:
        return store

    def alerts(self, store: Any, bucket: str = "b") -> Mapping[AlertKey, AlertRecord]:
        return asyncio.run(store.alerts(bucket))

    # Memory

    def test_nothing_is_remembered_at_first(self):
        with self.world() as world:
            store = world.open()
            store.ensure(STREAMS)
            assert self.memory(store).remembered("b") == Remembered({}, {})
            assert self.alerts(store) == {}

    def test_when_alerts_were_evaluated_last_is_remembered_by_stream(self):
        with self.world() as world:
            store = world.open()
            store.ensure(STREAMS)
            memory, now = self.memory(store), world.epoch

            def evaluated(bucket: str = "b") -> int:
                return asyncio.run(store.evaluated(bucket))

            assert evaluated() == 0
            memory.remember("b", {}, {ToldKey("team", "id"): Told("", 1, 2)}, now)
            assert evaluated() == 0, "who tells does not evaluate"
            memory.remember("b", {}, {}, now + 10)
            assert (evaluated(), evaluated("other")) == (now + 10, 0)
            memory.remember("b", {key(): record()}, {}, now + 20)
            assert evaluated() == now + 20
            assert memory.remembered("b") == Remembered({key(): record()}, {ToldKey("team", "id"): Told("", 1, 2)})
            with pytest.raises(StoreRejected):
                evaluated("none")

    def test_what_is_remembered_is_there_after_a_restart(self):
        with self.world() as world:
            store = world.open()
            store.ensure(STREAMS)
            records = {key(): record(), key(severity="warning"): record(Phase.PENDING), key(host="b"): record(value=-1)}
            told = {ToldKey("team", "id"): Told("critical", 160, 161)}
            self.memory(store).remember("b", records, told, world.epoch)
            for _ in range(2):
                assert self.memory(store).remembered("b") == Remembered(records, told)
                assert self.alerts(store) == records
                store = world.open()

    def test_the_newer_counts_and_none_forgets(self):
        with self.world() as world:
            store = world.open()
            store.ensure(STREAMS)
            memory = self.memory(store)
            told, now = ToldKey("team", "id"), world.epoch
            memory.remember("b", {key(): record(Phase.PENDING), key(host="b"): record()}, {told: Told("", 1, 2)}, now)
            memory.remember("b", {key(): record(Phase.PENDING)}, {told: Told("critical", 1, 2)}, now)
            memory.remember("b", {key(): record(Phase.FIRING)}, {told: Told("warning", 1, 3)}, now)
            memory.remember("b", {key(host="b"): None}, {}, now)
            assert memory.remembered("b") == Remembered({key(): record()}, {told: Told("warning", 1, 3)})
            memory.remember("b", {key(): None, key(host="never"): None}, {told: None, ToldKey("no", "one"): None}, now)
            assert memory.remembered("b") == Remembered({}, {})
            memory.remember("b", {key(): record(value=7)}, {told: Told("", 9, 9)}, now)
            assert memory.remembered("b") == Remembered({key(): record(value=7)}, {told: Told("", 9, 9)})

    def test_a_clock_that_was_set_back_brings_nothing_back(self):
        with self.world() as world:
            store = world.open()
            store.ensure(STREAMS)
            memory = self.memory(store)
            told, now = ToldKey("team", "id"), world.epoch
            memory.remember("b", {key(): record(), key(host="b"): record()}, {told: Told("critical", 1, 2)}, now)
            memory.remember("b", {key(): record(Phase.PENDING), key(host="b"): None}, {}, now - 5)
            memory.remember("b", {}, {told: None}, now - 4)
            assert memory.remembered("b") == Remembered({key(): record(Phase.PENDING)}, {})

    def test_an_alert_that_ended_is_remembered_until_it_is_forgotten(self):
        with self.world() as world:
            store = world.open()
            store.ensure(STREAMS)
            ended = AlertRecord(AlertState(Phase.INACTIVE, 0, 160, 200, 190, 3.5), {}, {}, reason="no data")
            self.memory(store).remember("b", {key(): record()}, {}, world.epoch)
            self.memory(store).remember("b", {key(): ended}, {}, world.epoch + 40)
            store = world.open()
            assert self.memory(store).remembered("b").records == {key(): ended} == self.alerts(store)

    def test_streams_do_not_share(self):
        with self.world() as world:
            store = world.open()
            store.ensure(STREAMS)
            memory = self.memory(store)
            memory.remember("b", {key(): record()}, {ToldKey("team", "id"): Told("", 1, 2)}, world.epoch)
            assert memory.remembered("other") == Remembered({}, {})
            assert self.alerts(store, "other") == {}

    def test_text_of_every_kind_is_data(self):
        with self.world() as world:
            store = world.open()
            store.ensure(STREAMS)
            odd = key("HighCPU", "critical", host=NASTY, path="/a b,c=d")
            text = {"alertname": "HighCPU", "label": NASTY, NASTY: "x", "empty": ""}
            kept = AlertRecord(record().state, text, {"summary": NASTY + "\n\t\r\u2028\x00"}, True, NASTY)
            told = {ToldKey("team", "id/critical"): Told("critical", 1, 2)}
            self.memory(store).remember("b", {odd: kept, key(): record()}, told, world.epoch)
            assert self.memory(store).remembered("b") == Remembered({odd: kept, key(): record()}, told)
            self.memory(store).remember("b", {odd: None}, {}, world.epoch + 1)
            assert self.memory(store).remembered("b").records == {key(): record()}

    def test_a_series_without_tags_has_a_state_too(self):
        with self.world() as world:
            store = world.open()
            store.ensure(STREAMS)
            bare = AlertKey("b", "HighCPU", "info", ())
            self.memory(store).remember("b", {bare: record()}, {}, world.epoch)
            assert self.memory(store).remembered("b").records == {bare: record()}

    def test_many_at_once(self):
        with self.world() as world:
            store = world.open()
            store.ensure(STREAMS)
            records = {key(host=f"host-{number}"): record(value=number) for number in range(3_000)}
            self.memory(store).remember("b", records, {}, world.epoch)
            assert self.memory(store).remembered("b").records == records

    def test_nothing_is_forgotten_within_the_raw_retention(self):
        with self.world() as world:
            store = world.open()
            store.ensure(STREAMS)
            told = {ToldKey("team", "id"): Told("", 1, 2)}
            self.memory(store).remember("b", {key(): record()}, told, world.epoch)
            world.clock.now = world.epoch + TIERS.raw.retention - 60
            self.memory(store).remember("b", {key(host="b"): record()}, {}, world.clock.now)
            assert self.memory(store).remembered("b") == Remembered({key(): record(), key(host="b"): record()}, told)

    def test_points_and_memory_do_not_meet(self):
        """Neither do states show among points, nor do points among states."""
        with self.world() as world:
            store = world.open()
            store.ensure(STREAMS)
            self.memory(store).remember("b", {key(host="ghost"): record()}, {}, world.epoch)
            store.write("b", [Point("system", make_tags({"host": "a"}), {"load1": 1.0}, world.epoch)])
            world.clock.now = world.epoch + 1
            assert list(asyncio.run(store.hosts("b"))) == ["a"]
            latest = asyncio.run(store.latest("b", frozenset(), frozenset()))
            assert [found.point.measurement for found in latest] == ["system"]
            assert self.memory(store).remembered("b").records == {key(host="ghost"): record()}

    def test_a_stream_that_is_not_there_is_refused(self):
        with self.world() as world:
            store = world.open()
            store.ensure(STREAMS)
            with pytest.raises(StoreRejected):
                self.memory(store).remembered("none")
            with pytest.raises(StoreRejected):
                self.memory(store).remember("none", {key(bucket="none"): record()}, {}, world.epoch)
            with pytest.raises(StoreRejected):
                self.alerts(store, "none")
            with pytest.raises(StoreRejected):
                asyncio.run(self.source(store).last_seen("none", "system", None, world.epoch))

    @pytest.mark.slow
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(steps=_STEPS)
    def test_any_sequence_leaves_what_a_mapping_would(self, steps):
        with self.world() as world:
            store = world.open()
            store.ensure(STREAMS)
            records: dict[Any, Any] = {}
            told: dict[Any, Any] = {}
            now = world.epoch
            for new_records, new_told, later, restart in steps:
                now += later
                world.clock.now = now
                self.memory(store).remember("b", new_records, new_told, now)
                records, told = applied(records, new_records), applied(told, new_told)
                if restart:
                    store = world.open()
                assert self.memory(store).remembered("b") == Remembered(records, told)

    # Source

    def test_last_seen_is_the_newest_point_of_each_series(self):
        with self.world() as world:
            store = world.open()
            store.ensure(STREAMS)
            a, b = make_tags({"host": "a", "cpu": "cpu-total"}), make_tags({"host": "b", "cpu": "cpu0"})
            at = world.epoch
            world.clock.now = at + 100
            store.write(
                "b",
                [
                    Point("cpu", a, {"usage_active": 1.0}, at),
                    Point("cpu", a, {"usage_active": 2.0, "usage_idle": 3.0}, at + 20),
                    Point("cpu", a, {"usage_idle": 3.0}, at + 50),
                    Point("cpu", b, {"usage_active": 2.0}, at + 10),
                    Point("system", make_tags({"host": "a"}), {"load1": 1.0}, at + 90),
                ],
            )

            def seen(field: str | None, since: int) -> Mapping[Any, int]:
                return dict(asyncio.run(self.source(store).last_seen("b", "cpu", field, since)))

            for _ in range(2):
                assert seen(None, at) == {a: at + 50, b: at + 10}
                assert seen("usage_active", at) == {a: at + 20, b: at + 10}
                assert seen("usage_active", at + 10) == {a: at + 20, b: at + 10}
                assert seen("usage_active", at + 11) == {a: at + 20}
                assert seen(None, at + 51) == {}
                assert seen("usage_guest", at) == {}
                store = world.open()
