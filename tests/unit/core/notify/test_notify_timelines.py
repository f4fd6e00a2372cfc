"""Random timelines against a slow, obvious reference that looks at the world itself and at what arrived.

The world begins and ends alerts, silences them, takes receivers and the store down, restarts us at any point and kills
us between an answer and its keeping.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.alert_memory import Killed
from tests.fakes.notify_rig import RECEIVERS, Rig, Wire, policy_with

from nodetide_core.alerts.notify.message import instant
from nodetide_core.alerts.notify.model import ActiveAlert

SEVERITIES = ("critical", "warning", "info")
WANTED = ("critical", "warning")

alerts = st.tuples(st.sampled_from("ab"), st.sampled_from(SEVERITIES))
deeds = st.one_of(
    st.tuples(st.just("toggle"), alerts),
    st.tuples(st.just("toggle"), alerts),
    st.tuples(st.just("silence"), alerts),
    st.tuples(st.sampled_from(["down", "up", "restart", "kill", "prune", "store down", "store up"]), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([1, 30, 90, 400, 1000])),
)


@dataclass
class World:
    """What is so, in full, whoever is told of it."""

    firing: dict[tuple[str, str], ActiveAlert] = field(default_factory=dict)
    ended: list[ActiveAlert] = field(default_factory=list)
    silenced: set[tuple[str, str]] = field(default_factory=set)

    def toggle(self, key: tuple[str, str], now: int) -> None:
        if key in self.firing:
            alert = self.firing.pop(key)
            self.ended.append(replace(alert, ends_at=now, annotations={"ended": "yes"}))
        else:
            labels = {"alertname": "A", "host": key[0], "severity": key[1]}
            self.firing[key] = ActiveAlert(key[0], key[1], labels, {}, now, None, 1.0)

    def handed_over(self) -> list[ActiveAlert]:
        return [
            replace(alert, silenced=(alert.id, alert.severity) in self.silenced)
            for alert in (*self.firing.values(), *reversed(self.ended))
        ]

    def tellable(self, key: tuple[str, str], heard: bool) -> bool:
        """Whether it fires, as far as a receiver is concerned that did or did not hear of it."""
        return key in self.firing and (heard or (key[1] in WANTED and key not in self.silenced))


class Play:
    """The world, a receiver, and us in between."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.world = World()
        self.up = True
        self.kills = 0

    @property
    def now(self) -> int:
        return int(self.rig.clock.now)

    def do(self, deed: str, what: Any) -> None:
        self.rig.clock.now += 1
        if deed == "toggle":
            self.world.toggle(what, self.now)
        elif deed == "silence":
            self.world.silenced ^= {what}
        elif deed in ("down", "up"):
            self.up = deed == "up"
            self.rig.wire.status = 200 if self.up else 503
        elif deed in ("store down", "store up"):
            self.rig.memory.down = deed == "store down"
        elif deed == "restart" and not self.rig.memory.down:
            self.rig.restart()
        elif deed == "kill" and not self.rig.memory.down:
            self.rig.memory.kill = True
        elif deed == "prune":
            self.world.ended.clear()
        try:
            self.turn(float(what) if deed == "wait" else 0.0)
        except Killed:
            self.kills += 1
            self.rig.restart()
            self.turn(0.0)
        self.rig.memory.kill = False

    def turn(self, seconds: float) -> None:
        # Long enough that a receiver which is there again is told, whatever was waited for.
        self.rig.tell(*self.world.handed_over(), seconds=max(seconds, 70.0))


def play(kind: str) -> Play:
    receiver = {"name": "r", "type": kind, **RECEIVERS[kind], "severities": list(WANTED)}
    started = Play(Rig(policy_with(receiver), Wire(kind)))
    started.turn(0.0)
    return started


@settings(max_examples=300)
@given(st.lists(deeds, max_size=30))
def test_people_hear_what_is_so_once_and_in_order(script: list[tuple[str, Any]]) -> None:
    told = play("http")
    heard = dict.fromkeys("ab", "")
    expected: dict[str, list[str]] = {id_: [] for id_ in "ab"}
    for deed, what in script:
        told.do(deed, what)
        for id_ in "ab" if told.up else "":
            firing = [s for s in SEVERITIES if told.world.tellable((id_, s), heard[id_] == s)]
            highest = firing[0] if firing else ""
            if highest != heard[id_]:
                heard[id_] = highest
                expected[id_].append(highest or "end")
        assert arrived(told.rig) == expected
    repeated = len(told.rig.wire.accepted) - sum(map(len, expected.values()))
    assert repeated <= told.kills
    if not any(deed in ("down", "restart", "kill") for deed, _ in script):
        assert told.rig.receiver.health().missed == 0
    if told.up and not told.world.firing:
        told.turn(0.0)
        told.world.ended.clear()
        told.turn(0.0)
        assert told.rig.memory.told.get("p", {}) == {} or told.rig.memory.down


def arrived(rig: Rig) -> dict[str, list[str]]:
    """What arrived about each, without what a receiver knows to be a repetition."""
    keys: set[str] = set()
    found: dict[str, list[str]] = {id_: [] for id_ in "ab"}
    for request, document in zip(rig.wire.accepted, rig.wire.taken, strict=True):
        if request.headers["Idempotency-Key"] not in keys:
            keys.add(request.headers["Idempotency-Key"])
            found[document["id"]].append(document["severity"] if document["status"] == "firing" else "end")
    return found


class Alertmanager:
    """What it believes, from what it took: an alert fires until its end."""

    def __init__(self) -> None:
        self.ends: dict[tuple[str, str], str] = {}
        self.read = 0

    def firing(self, rig: Rig) -> set[tuple[str, str]]:
        now = instant(int(rig.clock.now))
        for batch in rig.wire.taken[self.read :]:
            for alert in batch:
                key = (alert["labels"]["host"], alert["labels"]["severity"])
                ended = alert["annotations"].get("ended") == "yes"
                assert key in self.ends or not ended, "an end of what it was never told of"
                self.ends[key] = alert["endsAt"]
        self.read = len(rig.wire.taken)
        return {key for key, end in self.ends.items() if end > now}


@settings(max_examples=300)
@given(st.lists(deeds.filter(lambda deed: deed[0] != "prune"), max_size=30))
def test_alertmanager_believes_what_is_so(script: list[tuple[str, Any]]) -> None:
    told = play("alertmanager")
    believed = Alertmanager()
    heard: set[tuple[str, str]] = set()
    keys = [(id_, severity) for id_ in "ab" for severity in SEVERITIES]
    for deed, what in script:
        told.do(deed, what)
        firing = believed.firing(told.rig)
        if told.up:
            heard = {key for key in keys if told.world.tellable(key, key in heard)}
            assert firing == heard
        else:
            assert firing <= heard, "it learns nothing while it is down, and forgets"
    if not any(deed in ("down", "restart", "kill") for deed, _ in script):
        assert told.rig.receiver.health().missed == 0
