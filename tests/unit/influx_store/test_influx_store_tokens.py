"""Tokens: whatever happens to them, one good one is held for each grant in the end, and nobody is cut off early."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nodetide_core.errors import StoreUnavailable
from nodetide_core.store import Stream
from nodetide_core.stores.influx.authorizations import keep_tokens
from nodetide_core.stores.influx.desired import Bucket
from nodetide_core.stores.influx.ownership import describe_part, describe_stream
from nodetide_core.stores.influx.planning import Observed, SeenBucket
from nodetide_core.stores.influx.tokens import GRACE, Grant, describe_token, fingerprint, grants_for, plan_tokens
from nodetide_core.tiers import DEFAULT_TIERS, Tier, Tiers

START = 1_772_355_600
OWNER = "mine"
#: Each could be taken for ours by a parser that is not careful.
OTHERS = ["other", "mine/too", "min", "mine mine", ""]
BUCKETS = ["b1", "b2", "b3"]


class Crash(BaseException):
    """The process ends here; nothing in it can do anything about it."""


class Influx:
    """What `Control` does to tokens, in memory; ends the process at a step that the test names."""

    def __init__(self) -> None:
        self.now = START
        self.items: dict[str, dict[str, Any]] = {}
        self.crash_at: tuple[int, bool] | None = None
        self.may_not_describe = False
        self.on_revoke: Callable[[dict[str, Any]], None] = lambda item: None
        self._numbers = itertools.count(1)
        self._step = 0

    def begin(self, crash_at: tuple[int, bool] | None) -> None:
        self._step, self.crash_at = 0, crash_at

    def step(self, effect: Callable[[], Any]) -> Any:
        number, self._step = self._step, self._step + 1
        if self.crash_at == (number, False):
            raise Crash
        result = effect()
        if self.crash_at == (number, True):
            raise Crash
        return result

    def make(self, description: str, permissions: list[dict[str, Any]]) -> dict[str, Any]:
        number = next(self._numbers)
        created = datetime.fromtimestamp(self.now, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")
        item = {
            "id": f"{number:016x}", "token": f"secret-{number}", "description": description,
            "permissions": permissions, "status": "active", "createdAt": created,
        }  # fmt: skip
        self.items[item["id"]] = item
        return dict(item)

    # Of Control

    def authorizations(self) -> list[dict[str, Any]]:
        return [{key: value for key, value in item.items() if key != "token"} for item in self.items.values()]

    def authorize(self, description: str, read: Iterable[str], write: Iterable[str]) -> dict[str, Any]:
        return self.step(lambda: self.make(description, permissions(read, write)))

    def describe_authorization(self, id: str, description: str) -> None:
        def effect() -> None:
            if self.may_not_describe:
                raise StoreUnavailable("read:users/1 is unauthorized")
            self.items[id]["description"] = description

        self.step(effect)

    def revoke(self, id: str) -> None:
        def effect() -> None:
            self.on_revoke(self.items[id])
            del self.items[id]

        self.step(effect)


class Vault:
    """Where tokens are kept; a step of the same process."""

    def __init__(self, influx: Influx) -> None:
        self.tokens: dict[str, str] = {}
        self.failing = ""
        self.on_keep: Callable[[str, str], None] = lambda name, token: None
        self._influx = influx

    def held(self, name: str) -> str | None:
        return self.tokens.get(name)

    def keep(self, name: str, token: str) -> None:
        def effect() -> None:
            if self.failing == "before":
                raise OSError("no space left on device")
            self.on_keep(name, token)
            self.tokens[name] = token
            if self.failing == "after":
                raise OSError("timed out, and was done all the same")

        self._influx.step(effect)


def permissions(read: Iterable[str], write: Iterable[str]) -> list[dict[str, Any]]:
    return [
        {"action": action, "resource": {"type": "buckets", "id": id, "orgID": "o"}}
        for action, ids in (("read", read), ("write", write))
        for id in sorted(ids)
    ]


class Tokens(RuleBasedStateMachine):
    """An installation that keeps tokens, crashing anywhere, while people do as they like with InfluxDB."""

    def __init__(self) -> None:
        super().__init__()
        self.influx = Influx()
        self.vault = Vault(self.influx)
        self.replaced: dict[str, int] = {}
        self.grants: tuple[Grant, ...] = ()
        self.foreign: dict[str, dict[str, Any]] = {}
        self.vault.on_keep = self.remember
        self.influx.on_revoke = self.nobody_is_cut_off

    def remember(self, name: str, token: str) -> None:
        if (before := self.vault.tokens.get(name)) is not None:
            self.replaced[before] = self.influx.now

    def nobody_is_cut_off(self, item: dict[str, Any]) -> None:
        wanted = {grant.name for grant in self.grants if grant.read or grant.write}
        held = {name: token for name, token in self.vault.tokens.items() if name in wanted}
        assert item["token"] not in held.values(), "the token that is held was deleted"
        name = item["description"].split("/")[-1].split(" ")[0]
        if name in wanted and item["token"] in self.replaced:
            assert self.influx.now >= self.replaced[item["token"]] + GRACE, "deleted before everybody had the next"

    @initialize(
        known=st.lists(st.sampled_from(OTHERS), max_size=3), people=st.lists(st.sampled_from(["", "mine", "ci"]))
    )
    def others(self, known: list[str], people: list[str]) -> None:
        texts = [describe_token(owner, "collector", fingerprint("x")) for owner in known] + people
        for text in texts:
            item = self.influx.make(text, permissions(["b1"], []))
            self.foreign[item["id"]] = self.influx.items[item["id"]].copy()

    @rule(read=st.sets(st.sampled_from(BUCKETS)), write=st.sets(st.sampled_from(BUCKETS)))
    def want(self, read: set[str], write: set[str]) -> None:
        self.grants = (Grant("collector", write=frozenset(write)), Grant("api", read=frozenset(read)))

    @rule(crash_at=st.none() | st.tuples(st.integers(0, 6), st.booleans()))
    def turn(self, crash_at: tuple[int, bool] | None) -> None:
        self.influx.begin(crash_at)
        try:
            keep_tokens(self.influx, self.vault, OWNER, self.grants, self.influx.now)
        except Crash:
            return
        self.all_is_well()

    @rule(failing=st.sampled_from(["before", "after", "description"]))
    def turn_that_fails(self, failing: str) -> None:
        before = set(self.influx.items)
        self.influx.begin(None)
        self.vault.failing = failing
        self.influx.may_not_describe = failing == "description"
        try:
            keep_tokens(self.influx, self.vault, OWNER, self.grants, self.influx.now)
        except (OSError, StoreUnavailable):
            new = {self.influx.items[id]["token"] for id in set(self.influx.items) - before}
            assert new <= set(self.vault.tokens.values()), "a token that nobody has stays behind"
        finally:
            self.vault.failing = ""
            self.influx.may_not_describe = False

    @rule(seconds=st.sampled_from([1, 60, GRACE - 1, GRACE, 3 * GRACE]))
    def wait(self, seconds: int) -> None:
        self.influx.now += seconds

    @rule(data=st.data(), how=st.sampled_from(["delete", "disable", "describe", "bucket"]))
    def people_meddle(self, data: st.DataObject, how: str) -> None:
        ours = [item for id, item in self.influx.items.items() if id not in self.foreign]
        if not ours:
            return
        item = data.draw(st.sampled_from(ours))
        if how == "delete":
            del self.influx.items[item["id"]]
        elif how == "disable":
            item["status"] = "inactive"
        elif how == "describe":
            item["description"] = "now this is the property of somebody"
            self.foreign[item["id"]] = item.copy()
        else:  # a bucket is deleted, and InfluxDB does not tell of permissions for it any more
            item["permissions"] = item["permissions"][1:]

    @rule(name=st.sampled_from(["collector", "api"]), data=st.data())
    def the_file_is_another(self, name: str, data: st.DataObject) -> None:
        tokens = [item["token"] for id, item in self.influx.items.items() if id in self.foreign]
        self.vault.tokens[name] = data.draw(st.sampled_from(["", "typed by hand", *tokens]))
        if not self.vault.tokens[name]:
            del self.vault.tokens[name]

    @invariant()
    def others_are_untouched(self) -> None:
        assert {id: self.influx.items.get(id) for id in self.foreign} == self.foreign

    def all_is_well(self) -> None:
        by_token = {item["token"]: item for item in self.influx.items.values()}
        for grant in self.grants:
            if grant.read or grant.write:
                item = by_token[self.vault.tokens[grant.name]]
                assert item["status"] == "active"
                assert item["permissions"] == permissions(grant.read, grant.write)

    def teardown(self) -> None:
        """Left alone, it comes to rest: one token for each grant, and nothing to do."""
        self.influx.begin(None)
        for _ in range(2):
            keep_tokens(self.influx, self.vault, OWNER, self.grants, self.influx.now)
            self.all_is_well()
            self.influx.now += GRACE
        keep_tokens(self.influx, self.vault, OWNER, self.grants, self.influx.now)
        ours = [item["token"] for id, item in self.influx.items.items() if id not in self.foreign]
        wanted = [self.vault.tokens[grant.name] for grant in self.grants if grant.read or grant.write]
        assert sorted(ours) == sorted(wanted)
        assert keep_tokens(self.influx, self.vault, OWNER, self.grants, self.influx.now) == ()


Tokens.TestCase.settings = settings(max_examples=300, stateful_step_count=15, deadline=None)
TestTokens = Tokens.TestCase


def test_a_token_with_more_rights_than_its_grant_is_not_kept() -> None:
    influx = Influx()
    vault = Vault(influx)
    grant = Grant("api", read=frozenset({"b1"}))
    for resource in ({"type": "orgs", "id": "o"}, {"type": "buckets", "orgID": "o"}, {"type": "tasks", "orgID": "o"}):
        for action in ("read", "write"):
            extra = {"action": action, "resource": resource}
            item = influx.make("", [*permissions(["b1"], []), extra])
            influx.items[item["id"]]["description"] = describe_token(OWNER, "api", fingerprint(item["token"]))
            vault.tokens["api"] = item["token"]
            assert keep_tokens(influx, vault, OWNER, [grant], START) == ("made token api",)


def test_a_token_that_another_process_is_just_handing_over_is_left_alone() -> None:
    influx = Influx()
    vault = Vault(influx)
    grant = Grant("api", read=frozenset({"b1"}))
    keep_tokens(influx, vault, OWNER, [grant], influx.now)
    influx.now += 2 * GRACE
    young = influx.make(describe_token(OWNER, "api"), permissions(["b1", "b2"], []))
    assert keep_tokens(influx, vault, OWNER, [grant], influx.now + GRACE - 1) == ()
    assert keep_tokens(influx, vault, OWNER, [grant], influx.now + GRACE) == (f"deleted token {young['id']}",)


def test_nothing_is_told_of_the_token_itself() -> None:
    influx = Influx()
    vault = Vault(influx)
    done = keep_tokens(influx, vault, OWNER, [Grant("api", read=frozenset({"b1"}))], START)
    (item,) = influx.items.values()
    assert item["token"] not in f"{done} {item['description']}"


def test_a_grant_of_nothing_ends_its_tokens_at_once() -> None:
    """InfluxDB would make a token that may do nothing; and what it was for is nobody's any more."""
    influx = Influx()
    vault = Vault(influx)
    keep_tokens(influx, vault, OWNER, [Grant("api", read=frozenset({"b1"}))], START)
    plan = plan_tokens(OWNER, [Grant("api")], [], {}, START)
    assert (plan.make, plan.delete) == ((), ())
    assert keep_tokens(influx, vault, OWNER, [Grant("api")], START) == (f"deleted token {1:016x}",)
    assert influx.items == {}


def bucket(name: str, description: str) -> SeenBucket:
    return SeenBucket(f"id of {name}", Bucket(name, 0, 0, description))


def seen(*buckets: SeenBucket) -> Observed:
    return Observed({one.bucket.name: one for one in buckets}, ())


def tiers(*windows: int) -> Tiers:
    return Tiers((DEFAULT_TIERS.raw, *(Tier(f"{window}s", window, 0) for window in windows)))


def test_collectors_write_raw_and_the_api_reads_all_tiers_of_all_streams() -> None:
    one, two = Stream("p", "b", tiers(60, 300)), Stream("q", "c", tiers(60))
    observed = seen(
        bucket("b", describe_stream(one)), bucket("b-60s", describe_part("b")), bucket("b-300s", describe_part("b")),
        bucket("c", describe_stream(two)), bucket("c-60s", describe_part("c")),
        bucket("d", describe_stream(Stream("r", "d"))), bucket("first", ""),
    )  # fmt: skip
    collector, api = grants_for([one, two], observed)
    assert collector == Grant("collector", write=frozenset({"id of b", "id of c"}))
    assert api == Grant("api", read=frozenset(f"id of {name}" for name in ("b", "b-60s", "b-300s", "c", "c-60s")))


@pytest.mark.parametrize(
    ("description", "tier"),
    [
        ("", describe_part("b")),
        ("somebody's", describe_part("b")),
        (describe_stream(Stream("other", "b", tiers(60))), describe_part("b")),
        (describe_stream(Stream("p", "b", tiers(60), owner="another cluster")), describe_part("b")),
        (describe_part("a"), describe_part("b")),
    ],
)
def test_a_bucket_that_is_not_the_policys_own_is_not_given(description: str, tier: str) -> None:
    """As where the policy was refused because of it."""
    observed = seen(bucket("b", description), bucket("b-60s", tier))
    assert grants_for([Stream("p", "b", tiers(60))], observed) == (Grant("collector"), Grant("api"))


def test_of_a_refused_change_the_former_stream_goes_on() -> None:
    before, asked = Stream("p", "b", tiers(60, 300)), Stream("p", "b", tiers(60))
    observed = seen(
        bucket("b", describe_stream(before)), bucket("b-60s", describe_part("b")), bucket("b-300s", "somebody's")
    )
    _, api = grants_for([asked], observed)
    assert api.read == {"id of b", "id of b-60s"}
    observed = seen(*observed.buckets.values(), bucket("b-300s", describe_part("b")))
    _, api = grants_for([asked], observed)
    assert api.read == {"id of b", "id of b-60s", "id of b-300s"}
