"""Policies are carried out one by one: what is wrong with one is not the others' matter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.operator.simulated_influx import SimulatedInflux

from nodetide_core.errors import StoreRejected, StoreUnavailable
from nodetide_core.stores.influx.desired import Bucket
from nodetide_core.stores.influx.planning import Action, SeenBucket
from nodetide_operator.config import OperatorConfig
from nodetide_operator.influx import Influx
from nodetide_operator.judging import Judge, Judged
from nodetide_operator.outcomes import Outcome
from nodetide_operator.world import Key

RAW_ONLY = [{"name": "raw", "retention": "1d"}]


class Installation:
    """An operator's part in InfluxDB, and the policies it is given."""

    def __init__(self, config: OperatorConfig, bodies: Any, control: SimulatedInflux | None = None) -> None:
        self.control = control or SimulatedInflux()
        self.now = 0.0
        self._config = config
        self._bodies = bodies
        self.influx = Influx(self.control, config.owner, config.watches, monotonic=lambda: self.now)  # type: ignore[arg-type]

    def judged(self, *named: str, **specs: dict[str, Any]) -> dict[Key, Judged]:
        objects = [self._bodies.object(name, spec) for name, spec in [*((name, {}) for name in named), *specs.items()]]
        return dict(Judge(self._config).judge(objects))

    def reconcile(self, *named: str, **specs: dict[str, Any]) -> dict[str, Outcome]:
        return {key[1]: found for key, found in self.influx.reconcile(self.judged(*named, **specs)).items()}

    def buckets(self) -> set[str]:
        return {seen.bucket.name for seen in self.control.buckets.values()}


@pytest.fixture
def it(config: OperatorConfig, bodies: Any) -> Installation:
    return Installation(config, bodies)


def fail(error: Exception, *of: str) -> Callable[[Action | None], None]:
    """What concerns these buckets fails."""

    def before(action: Action | None) -> None:
        if action is not None and set(of) & set(str(action).split()):
            raise error

    return before


def test_what_is_made_is_told_with_ids_and_then_nothing_is_done(it: Installation) -> None:
    found = it.reconcile("a", "b")
    assert it.control.taken()
    assert all(part.bucket_id and (part.task_id or part.tier == "raw") for o in found.values() for part in o.parts)
    assert [part.tier for part in found["a"].parts] == ["raw", "5m", "1h", "1d"]
    looks = it.control.looks
    assert it.reconcile("a", "b") == found
    assert (it.control.taken(), it.control.looks) == ([], looks + 1)


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (StoreRejected("no"), Outcome(refused="no")),
        (StoreUnavailable("away"), Outcome(unreachable="away")),
    ],
)
def test_one_that_fails_fails_alone(it: Installation, error: Exception, wanted: Outcome) -> None:
    it.control.before = fail(error, "b", "b-5m")
    found = it.reconcile("a", "b", "c")
    assert replace(found["b"], parts=()) == wanted
    for name in "ac":
        assert replace(found[name], parts=()) == Outcome()
        assert all(part.bucket_id for part in found[name].parts)
    it.control.before = lambda _: None
    assert it.reconcile("a", "b", "c")["b"].parts[0].bucket_id


def test_where_influxdb_is_away_all_are_unreachable_and_nothing_is_ended(it: Installation) -> None:
    it.reconcile("a")

    def away(_: Action | None) -> None:
        raise StoreUnavailable("away")

    it.control.before = away
    assert it.reconcile("b", "c") == dict.fromkeys("bc", Outcome(unreachable="away"))


def test_a_loss_is_refused_as_such(it: Installation) -> None:
    it.reconcile(a={})
    found = it.reconcile(a={"storage": {"tiers": RAW_ONLY}})
    assert found["a"].loses
    assert "removing the bucket a-5m would lose data" in found["a"].refused


def test_the_dead_are_swept_and_those_that_are_wrong_or_not_known_are_not(it: Installation) -> None:
    delete = {"storage": {"deletionPolicy": "Delete"}}
    it.reconcile(a=delete, b=delete, c={}, d=delete)
    it.control.taken()
    invalid = {"collection": {"interval": "soon"}}
    assert it.reconcile(a=delete, b=invalid, c={}, d=delete).keys() == {"a", "c", "d"}
    assert not it.control.taken()
    it.influx.reconcile({}, lambda name: name != "d")
    assert it.buckets() == {f"d{tier}" for tier in ("", "-5m", "-1h", "-1d")} | {
        f"c{tier}" for tier in ("", "-5m", "-1h", "-1d")
    }
    assert {seen.task.name for seen in it.control.tasks.values()} == {
        f"nodetide d-{tier}" for tier in ("5m", "1h", "1d")
    }


def test_others_installations_and_namespaces_are_not_swept(config: OperatorConfig, bodies: Any) -> None:
    east = Installation(replace(config, cluster="east"), bodies)
    east.reconcile(a={"storage": {"deletionPolicy": "Delete"}})
    before = dict(east.control.buckets)
    west = Installation(replace(config, cluster="west"), bodies, east.control)
    west.reconcile()
    elsewhere = Installation(replace(config, cluster="east", namespaces=("team",)), bodies, east.control)
    elsewhere.reconcile()
    assert east.control.buckets == before
    east.reconcile()
    assert not east.control.buckets


def test_a_sweep_that_fails_is_told_and_stops_nobody(it: Installation) -> None:
    it.reconcile(a={"storage": {"deletionPolicy": "Delete"}})
    it.control.before = fail(StoreUnavailable("no"), "a-1h")
    assert it.reconcile("b")["b"].parts[0].bucket_id
    assert it.influx.problem == "what dead policies have left: no"
    it.control.before = lambda _: None
    it.reconcile("b")
    assert it.influx.problem == ""
    assert it.buckets() == {f"b{tier}" for tier in ("", "-5m", "-1h", "-1d")}


def test_a_raw_bucket_deleted_by_hand_comes_back_with_its_tasks(it: Installation) -> None:
    found = it.reconcile("a")
    (id,) = (id for id, seen in it.control.buckets.items() if seen.bucket.name == "a")
    del it.control.buckets[id]
    again = it.reconcile("a")
    assert again["a"].parts[0].bucket_id not in ("", found["a"].parts[0].bucket_id)
    assert all(part.task_id for part in again["a"].parts[1:])
    assert len(it.control.tasks) == 3


def test_what_takes_long_is_left_for_the_next_time_and_then_comes_first(it: Installation) -> None:
    def slow(action: Action | None) -> None:
        it.now += 2.0 if action is not None else 0.0

    it.control.before = slow
    turns = []
    for _ in range(4):
        found = it.reconcile("a", "b", "c")
        turns.append(set(found))
        assert all(part.bucket_id for outcome in found.values() for part in outcome.parts)
    # Of those that are left nothing is told; those that are there cost nothing.
    assert turns == [{"a"}, {"a", "b"}, {"a", "b", "c"}, {"a", "b", "c"}]


def test_the_rest_is_made_of_what_was_seen_last_unless_that_is_old_or_not_whole(
    it: Installation, config: OperatorConfig
) -> None:
    monotonic = lambda: it.now  # noqa: E731
    it.influx = Influx(it.control, config.owner, config.watches, budget=1.0, monotonic=monotonic)  # type: ignore[arg-type]
    away = False

    def slow(action: Action | None) -> None:
        it.now += 0.5 if action is not None else 0.0
        if away and action is None:
            raise StoreUnavailable("away")

    def looks(*, later: float = 0.0) -> int:
        it.now += later
        before = it.control.looks
        it.reconcile("a", "b", "c", "d", "e")
        return it.control.looks - before

    it.control.before = slow
    # At first once more, to see whether tasks are shown at all; then only after what was changed.
    assert [looks(), looks(), looks(later=9.0), looks(later=11.0)] == [3, 1, 1, 2]
    assert looks() == 1, "nothing is left"
    it.influx.reconcile({})
    it.control.tasks.clear()
    assert looks(later=60.0) == 3
    away = True
    assert looks() == 0
    away = False
    assert looks() == 2, "what was changed since nobody has seen"


def test_one_that_fails_slowly_does_not_keep_the_others_from_their_turn(it: Installation) -> None:
    refuse = fail(StoreUnavailable("too slow"), "a-1d", "a-1h", "a-5m", "a")

    def slow(action: Action | None) -> None:
        it.now += 60.0 if action is not None else 0.0
        refuse(action)

    it.control.before = slow
    told: set[str] = set()
    for _ in range(6):
        told |= {name for name, outcome in it.reconcile("a", "b", "c").items() if outcome.parts[0].bucket_id}
    assert told == {"b", "c"}


def test_what_the_token_may_not_read_is_noticed(it: Installation) -> None:
    whole = it.control.observe

    def blind() -> Any:
        return replace(whole(), tasks=())

    it.control.observe = blind  # type: ignore[method-assign]
    for _ in range(2):
        found = it.reconcile("a", "b")
        assert "may not read tasks" in found["a"].refused
        assert "may not read tasks" in found["b"].refused
        assert it.control.tasks == {}, "nor is there a copy more each turn"
    assert {seen.bucket.name for seen in it.control.buckets.values()} >= {"a", "a-5m", "b", "b-5m"}
    it.control.observe = whole  # type: ignore[method-assign]
    assert {found.refused for found in it.reconcile("a", "b").values()} == {""}
    assert len(it.control.tasks) == 6


class Tokens:
    """What `keep_tokens` needs of a control and a vault."""

    def __init__(self, control: SimulatedInflux) -> None:
        self.control = control
        self.granted: list[tuple[set[str], set[str]]] = []

    def held(self, name: str) -> str | None:
        return None

    def keep(self, name: str, token: str) -> None:
        pass

    def names(self, ids: Any) -> set[str]:
        return {self.control.buckets[id].bucket.name for id in ids}

    def install(self) -> None:
        def authorize(description: str, read: Any, write: Any) -> dict[str, Any]:
            self.granted.append((self.names(read), self.names(write)))
            return {"id": "1", "token": "secret"}

        self.control.authorizations = list  # type: ignore[attr-defined]
        self.control.authorize = authorize  # type: ignore[attr-defined]
        self.control.describe_authorization = lambda *_: None  # type: ignore[attr-defined]


def test_tokens_are_for_the_buckets_of_policies_and_of_those_not_known_of(it: Installation) -> None:
    it.reconcile("a", "b", "c")
    it.control.buckets["foreign"] = SeenBucket("foreign", Bucket("foreign", 0, 3_600, "somebody's"))
    tokens = Tokens(it.control)
    tokens.install()
    known = it.judged("a")
    it.influx.reconcile(known, lambda name: name != "c")
    streams = [item.stream for item in known.values() if item.stream is not None]
    assert list(it.influx.tokens(tokens, streams, 0)) == ["made token collector", "made token api"]  # type: ignore[arg-type]
    tiers = {f"{name}{tier}" for name in "ac" for tier in ("", "-5m", "-1h", "-1d")}
    assert tokens.granted == [(set(), {"a", "c"}), (tiers, set())]


def test_tokens_stay_for_a_policy_that_is_wrong_now(it: Installation) -> None:
    it.reconcile("a", "b")
    tokens = Tokens(it.control)
    tokens.install()
    known = it.judged("a", b={"collection": {"interval": "soon"}})
    it.influx.reconcile(known)
    streams = [item.stream for item in known.values() if item.good and item.stream is not None]
    it.influx.tokens(tokens, streams, 0)  # type: ignore[arg-type]
    assert tokens.granted[0] == (set(), {"a", "b"})
