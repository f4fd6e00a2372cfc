"""The five minutes after which an alert without data ends, over a real influxd, to a person behind a real Alertmanager.

The time of points and of the evaluator is the test's, a quarter of an hour ago; servers, questions, what is remembered
and what is told are real.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
from servers import InfluxServer, alertmanager
from tests.fakes.receiving import Receiving, receiving
from tests.integration.influx_store.conftest import InfluxWorld

from nodetide_core.alerts.evaluator import Evaluator
from nodetide_core.alerts.model import Phase
from nodetide_core.alerts.notify.dispatcher import Dispatcher
from nodetide_core.errors import StoreUnavailable
from nodetide_core.points import Point, make_tags
from nodetide_core.policy import Policy, parse_policy

pytestmark = [pytest.mark.peer, pytest.mark.slow]

Worlds = Callable[[], AbstractContextManager[InfluxWorld]]
#: Seconds of the story, between two evaluations, between an evaluation's time and when it is made.
LENGTH, EVERY, DELAY = 700, 10, 5
#: Real seconds for what Alertmanager does at once.
PATIENCE = 60.0
FIELDS = {"Hot": ("mem", "used_percent"), "Slow": ("swap", "used_percent"), "Keeps": ("system", "load1")}
ALERTS = [
    {"name": "Hot"},
    {"name": "Slow", "for": "60s"},
    {"name": "Keeps", "keepFiringFor": "120s"},
]


def value(alert: str, host: str, second: int) -> float | None:
    """What a host says; above 90 is too much, None is silence."""
    if second < 20:
        return 0.0
    if (alert, host) == ("Slow", "a"):
        return 99.0 if second < 50 else None
    if (alert, host) == ("Keeps", "a"):
        return 99.0 if second < 100 else 0.0 if second < 120 else None
    hot: Mapping[str, float | None] = {
        "falls-silent": 99.0 if second < 100 else None,
        "returns-hot": 99.0 if second < 100 or second >= 380 else None,
        "returns-cool": 99.0 if second < 100 else None if second < 300 else 0.0,
        "stays": 99.0,
    }
    return hot.get(host)


SERIES = [
    ("Slow", "a"),
    ("Keeps", "a"),
    *(("Hot", host) for host in ("falls-silent", "returns-hot", "returns-cool", "stays")),
]
BEGIN = {("Hot", host): 30 for alert, host in SERIES if alert == "Hot"} | {("Keeps", "a"): 30}
#: When those end of which nothing is heard any more: five minutes after the last data, or since evaluations go on.
SILENT = {("Slow", "a"): 50, ("Hot", "falls-silent"): 100, ("Keeps", "a"): 120}
EVENTS = {"watched": 0, "restarted": 250, "away": 300}


class Story:
    """One process that evaluates and tells, on a clock of the test's.

    Attributes:
        seen: what happened, by second: alert, host, phase it came to, reason.
    """

    def __init__(self, world: InfluxWorld, policy: Policy) -> None:
        self._world = world
        self._policy = policy
        self._unwritten: list[Point] = []
        self.start = (int(time.time()) - LENGTH - 200) // EVERY * EVERY
        self.seen: list[tuple[int, str, str, Phase, str]] = []
        self.begin()

    def begin(self) -> None:
        self._store = self._world.open()
        self._evaluator = Evaluator(self._store, self._store)
        self._dispatcher = Dispatcher(self._store, lambda policy, ref: "")

    def end(self) -> None:
        assert self._dispatcher.close(PATIENCE)
        self._evaluator.close()

    def ensure(self) -> None:
        self._world.clock.now = self.start
        self._store.ensure([self._policy.stream])

    def turn(self, second: int) -> str:
        """The evaluation of a second, with all that was said before it; why it failed."""
        for at in range(second - EVERY, second, 5):
            for alert, host in SERIES:
                said = value(alert, host, at)
                if said is not None:
                    measurement, name = FIELDS[alert]
                    tags = make_tags({"host": host})
                    self._unwritten.append(Point(measurement, tags, {name: said}, self.start + at))
        now = self._world.clock.now = self.start + second + DELAY
        try:
            report = self._store.write("b", self._unwritten)
            assert report.rejected == ()
            self._unwritten = []
        except StoreUnavailable:
            pass  # kept, as by a collector
        found = self._evaluator.turn([self._policy], now)
        self._dispatcher.update([self._policy], found.active)
        for change in found.transitions:
            host = dict(change.key.tags)["host"]
            at = change.at - self.start
            self.seen.append((at, change.key.alert, host, change.after.phase, change.reason))
        return next((health.error for health in found.health.values() if health.error), "")


@pytest.fixture
def called(tmp_path: Path, needs_parts: Callable[..., None]) -> Iterator[tuple[str, Receiving]]:
    """The address of an Alertmanager that tells at once, and whom it tells."""
    needs_parts("alertmanager")
    with ExitStack() as stack:
        person = stack.enter_context(receiving("any"))
        route = {
            "receiver": "person", "group_by": ["..."], "group_wait": "0s", "group_interval": "200ms",
            "repeat_interval": "4h",
        }  # fmt: skip
        hook = {"url": f"{person.url}/hook", "send_resolved": True}
        config = {"route": route, "receivers": [{"name": "person", "webhook_configs": [hook]}]}
        yield stack.enter_context(alertmanager(tmp_path, config)).url, person


def told(person: Receiving) -> list[tuple[str, str, str, str]]:
    return sorted(
        (one["labels"]["alertname"], one["labels"]["host"], one["status"], one["annotations"].get("reason", ""))
        for document in person.taken
        for one in document["alerts"]
    )


@pytest.mark.timeout(300)
@pytest.mark.parametrize("event", EVENTS)
def test_without_data_an_alert_ends_after_five_minutes_of_listening(
    worlds: Worlds, influx_server: InfluxServer, called: tuple[str, Receiving], event: str
) -> None:
    """
    Args:
        event: what happens meanwhile: nothing; who evaluates is ``restarted``; influxd is killed, and ``away`` for a
            hundred seconds.
    """
    url, person = called
    level = {"type": "threshold", "every": f"{EVERY}s", "window": f"{EVERY}s", "critical": {"above": 90}}
    alerts = [{**level, **alert, "metric": ".".join(FIELDS[str(alert["name"])])} for alert in ALERTS]
    storage = {"bucket": "b", "tiers": [{"name": "raw", "retention": "24h"}]}
    receiver = {"name": "am", "type": "alertmanager", "url": url}
    policy = parse_policy({
        "apiVersion": "nodetide.io/v1alpha1", "kind": "MetricPolicy", "metadata": {"name": "p"},
        "spec": {"storage": storage, "alerts": alerts, "notify": [receiver]},
    })  # fmt: skip
    begun = sorted((alert, host, "firing", "") for alert, host in BEGIN)
    with worlds() as world:
        story = Story(world, policy)
        try:
            story.ensure()
            for second in range(EVERY, LENGTH, EVERY):
                if event == "restarted" and second == EVENTS[event]:
                    story.end()
                    story.begin()
                if event == "away" and second == EVENTS[event] - 100:
                    influx_server.kill()
                if event == "away" and second == EVENTS[event]:
                    influx_server.start()
                away = event == "away" and EVENTS[event] - 100 <= second < EVENTS[event]
                error = story.turn(second)
                assert bool(error) == away, error
                if second == 60:
                    person.wait(lambda _: told(person) == begun)
            expected = list(expected_changes(EVENTS[event]))
            assert sorted(story.seen) == sorted(expected)
            ended = [
                (alert, host, "resolved", reason)
                for _, alert, host, phase, reason in expected
                if phase is Phase.INACTIVE and (alert, host) in BEGIN
            ]
            wanted = sorted([*begun, *ended])
            person.wait(lambda _: told(person) == wanted)
        finally:
            if not influx_server.running:
                influx_server.start()
            story.end()
    assert told(person) == wanted


def expected_changes(listening_since: int) -> Iterator[tuple[int, str, str, Phase, str]]:
    """
    Args:
        listening_since: second of the first evaluation since which none was missed.
    """
    yield 30, "Slow", "a", Phase.PENDING, ""
    for (alert, host), second in BEGIN.items():
        yield second, alert, host, Phase.FIRING, ""
    yield 310, "Hot", "returns-cool", Phase.INACTIVE, ""
    for (alert, host), second in SILENT.items():
        yield max(second, listening_since) + 300, alert, host, Phase.INACTIVE, "no data"
