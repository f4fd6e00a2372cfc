"""Evaluating and telling in one process: turn by turn, over the embedded store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.receiving import receiving

from nodetide.alerting import Alerting
from nodetide_core.alerts.model import Phase
from nodetide_core.alerts.ports import Remembered
from nodetide_core.errors import StoreUnavailable
from nodetide_core.points import Point, make_tags
from nodetide_core.policy import Policy, parse_policy
from nodetide_core.stores.embedded import EmbeddedStore

NOW = 1_772_355_600
HOT: dict[str, Any] = {
    "name": "Hot", "type": "threshold", "metric": "mem.used_percent", "every": "5s", "window": "10s",
    "critical": {"above": 90},
}  # fmt: skip
FLUX: dict[str, Any] = {"name": "Flux", "type": "flux", "flux": "from()", "every": "5s", "critical": {"above": 0}}


class Clock:
    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


def policy(*alerts: dict[str, Any], **spec: Any) -> Policy:
    return parse_policy(
        {
            "apiVersion": "nodetide.io/v1alpha1",
            "kind": "MetricPolicy",
            "metadata": {"name": "p"},
            "spec": {"alerts": list(alerts), **spec},
        }
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore.open(tmp_path, clock=clock)
    store.ensure([policy().stream])
    points = [Point("mem", make_tags({"host": "a"}), {"used_percent": 95.0}, at) for at in range(NOW - 10, NOW + 30)]
    store.write("p", points)
    yield store
    store.close()


@pytest.fixture
def make(store: EmbeddedStore, clock: Clock) -> Iterator[Callable[..., Alerting]]:
    made: list[Alerting] = []

    def build(over: Any = None, **options: Any) -> Alerting:
        made.append(Alerting(over or store, _no_secrets, clock=clock, monotonic=clock, **options))
        return made[-1]

    yield build
    for one in made:
        one.stop(60)


def _no_secrets(*_: object) -> str:
    raise LookupError("there is none")


def firing(store: EmbeddedStore) -> list[str]:
    return [key.alert for key, record in asyncio.run(store.alerts("p")).items() if record.state.phase is Phase.FIRING]


def test_before_there_is_a_policy_there_is_nothing_to_do(make: Callable[..., Alerting], store: EmbeddedStore):
    alerting = make()
    assert alerting.turn() > 0
    assert (firing(store), alerting.health()) == ([], "ok")


def test_a_turn_evaluates_what_is_due_and_waits_no_longer_than_a_second(
    make: Callable[..., Alerting], store: EmbeddedStore, clock: Clock
):
    alerting = make(cluster="c")
    alerting.follow([policy(HOT)])
    assert 0 <= alerting.turn() <= 1
    assert firing(store) == ["Hot"]
    ((_, record),) = asyncio.run(store.alerts("p")).items()
    assert record.labels["cluster"] == "c"
    clock.now += 10
    alerting.follow([policy({**HOT, "critical": {"above": 99}})])
    alerting.turn()
    assert firing(store) == []


@pytest.mark.parametrize("after", [[], [policy(HOT, alertEngine="influxdb")]])
def test_receivers_are_told_of_the_end_when_their_policy_goes(
    make: Callable[..., Alerting], clock: Clock, after: list[Policy]
):
    with receiving("http") as receiver:
        alerting = make()
        alerting.follow([policy(HOT, notify=[{"name": "team", "type": "http", "url": receiver.url}])])
        alerting.turn()
        receiver.wait(lambda r: len(r.taken) == 1)
        alerting.follow(after)
        clock.now += 1
        alerting.turn()
        receiver.wait(lambda r: len(r.taken) == 2)
        began, ended = receiver.taken
        assert (began["status"], ended["status"], ended["reason"]) == ("firing", "resolved", "alert removed")
        assert ended["labels"]["host"] == "a"


def test_the_newest_policies_count(make: Callable[..., Alerting], store: EmbeddedStore, clock: Clock):
    alerting = make()
    alerting.follow([policy(HOT)])
    alerting.follow([policy({**HOT, "name": "Other"})])
    alerting.turn()
    assert firing(store) == ["Other"]


def test_a_broken_alert_is_told_once_and_its_sibling_works(
    make: Callable[..., Alerting], store: EmbeddedStore, clock: Clock, caplog: pytest.LogCaptureFixture
):
    alerting = make()
    alerting.follow([policy(HOT, FLUX)])
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            alerting.turn()
            clock.now += 6
    assert firing(store) == ["Hot"]
    assert alerting.health().startswith("1 of 2 alerts cannot be evaluated: alert Flux")
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "Flux" in caplog.text
    caplog.clear()
    alerting.follow([policy(HOT)])
    with caplog.at_level(logging.INFO):
        alerting.turn()
        alerting.turn()
    assert caplog.messages == ["all alerts are evaluated again"]
    assert alerting.health() == "ok"


def test_of_very_many_broken_alerts_not_each_is_a_line(make: Callable[..., Alerting], caplog: pytest.LogCaptureFixture):
    alerting = make()
    alerting.follow([policy(*({**FLUX, "name": f"F{n}"} for n in range(60)))])
    alerting.turn()
    assert len(caplog.messages) <= 12
    assert caplog.messages[-1] == "and 50 alerts more"
    assert alerting.health().startswith("60 of 60")


class Wrapped:
    """The store, but for one thing."""

    def __init__(self, store: EmbeddedStore, remembered: Callable[[], None]) -> None:
        self._store = store
        self._before = remembered

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def remembered(self, bucket: str) -> Remembered:
        self._before()
        return self._store.remembered(bucket)


@pytest.mark.parametrize(
    ("failure", "said"), [(RuntimeError("odd"), "RuntimeError: odd"), (StoreUnavailable("down"), "down")]
)
def test_what_fails_is_told_and_tried_again(
    make: Callable[..., Alerting],
    store: EmbeddedStore,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    failure: Exception,
    said: str,
):
    broken = True

    def fail() -> None:
        if broken:
            raise failure

    alerting = make(Wrapped(store, fail))
    alerting.follow([policy(HOT)])
    for _ in range(3):
        alerting.turn()
        clock.now += 6
    assert said in alerting.health()
    assert firing(store) == []
    assert said in caplog.text
    broken = False
    with caplog.at_level(logging.INFO):
        alerting.turn()
    assert (firing(store), alerting.health()) == (["Hot"], "ok")
    assert "again" in caplog.messages[-1]


def test_whatever_fails_the_next_turn_is_made(store: EmbeddedStore):
    times = iter([ZeroDivisionError("oops"), NOW + 1.0])

    def clock() -> float:
        time = next(times)
        if isinstance(time, Exception):
            raise time
        return time

    alerting = Alerting(store, _no_secrets, clock=clock)
    alerting.follow([policy(HOT)])
    alerting.turn()
    assert alerting.health() == "ZeroDivisionError: oops"
    alerting.turn()
    assert (alerting.health(), firing(store)) == ("ok", ["Hot"])
    assert alerting.stop(60)


def test_an_evaluation_that_does_not_end_is_told(make: Callable[..., Alerting], store: EmbeddedStore, clock: Clock):
    said: list[str] = []

    def hang() -> None:
        clock.now += 90
        said.append(alerting.health())

    alerting = make(Wrapped(store, hang))
    alerting.follow([policy(HOT)])
    alerting.turn()
    assert said == ["an evaluation runs since 90 s"]
    assert alerting.health() == "ok"


def test_it_is_said_who_evaluates(make: Callable[..., Alerting]):
    alerting = make()
    assert not alerting.evaluates, "nothing runs yet"
    alerting.start()
    assert not alerting.evaluates, "nothing is known yet"
    for spec, evaluates in (
        ((), True),
        ((HOT,), True),
        ((HOT, "influxdb"), False),
        ((HOT, "influxdb", True), True),
    ):
        alerts = [item for item in spec if isinstance(item, dict)]
        engine = "influxdb" if "influxdb" in spec else "nodetide"
        alerting.follow([policy(*alerts, alertEngine=engine, suspend=True in spec)])
        assert alerting.evaluates is evaluates, spec
    assert alerting.stop(60)
    assert not alerting.evaluates


def test_the_thread_ends_and_tells_nothing_of_what_ends_with_it(
    make: Callable[..., Alerting], store: EmbeddedStore, caplog: pytest.LogCaptureFixture
):
    alerting = make()
    assert alerting.stop(60), "it need not have begun"
    another = make()
    another.follow([policy(HOT)])
    another.start()
    assert another.stop(60)
    assert caplog.messages == []
