"""Tokens for queries: in memory, each for one policy; where there is none, it is said why."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

import pytest

from nodetide_core.errors import StoreRejected, StoreUnavailable
from nodetide_core.store import Stream
from nodetide_core.stores.influx.desired import Bucket
from nodetide_core.stores.influx.ownership import describe_part, describe_stream
from nodetide_core.stores.influx.planning import Observed, SeenBucket
from nodetide_core.stores.influx.query_tokens import GivenToken, ReaderTokens
from nodetide_core.stores.influx.tokens import GRACE, Grant, readers_for

ONE, TWO = Stream("one", "one"), Stream("two", "two")


def observed(*streams: Stream, foreign: frozenset[str] = frozenset()) -> Observed:
    """The buckets of these streams, of which some are somebody else's; ids are names, in capitals."""
    made = []
    for stream in streams:
        for tier in stream.tiers.tiers:
            name = tier.bucket(stream.bucket)
            told = describe_part(stream.bucket) if tier.window else describe_stream(stream)
            made.append(SeenBucket(name.upper(), Bucket(name, 0, 0, "somebody's" if name in foreign else told)))
    return Observed({seen.bucket.name: seen for seen in made}, ())


class Control:
    """What of `nodetide_core.stores.influx.control.Control` keeping tokens needs.

    Attributes:
        asked: how often tokens were listed.
        fails: raised where one is made.
        now: Unix seconds.
    """

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.asked = 0
        self.fails: Exception | None = None
        self.now = NOW
        self._numbers = itertools.count(1)

    def authorizations(self) -> list[dict[str, Any]]:
        self.asked += 1
        return list(self.items.values())

    def authorize(self, description: str, read: Iterable[str], write: Iterable[str]) -> dict[str, Any]:
        if self.fails is not None:
            raise self.fails
        id = str(next(self._numbers))
        assert not list(write)
        permissions = [{"action": "read", "resource": {"type": "buckets", "id": bucket}} for bucket in sorted(read)]
        self.items[id] = {
            "id": id, "description": description, "permissions": permissions, "status": "active",
            "createdAt": datetime.fromtimestamp(self.now, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }  # fmt: skip
        return {"id": id, "token": f"secret-{id}"}

    def describe_authorization(self, id: str, description: str) -> None:
        self.items[id]["description"] = description

    def revoke(self, id: str) -> None:
        del self.items[id]


NOW = 1_772_355_600


def renew(tokens: ReaderTokens, control: Control, *streams: Stream, at: int = NOW) -> tuple[str, ...]:
    return tokens.renew(control, "here", streams, observed(ONE, TWO), at)  # type: ignore[arg-type]


def test_each_policy_reads_all_its_tiers_and_nothing_that_is_not_its_own() -> None:
    seen = observed(ONE, TWO, foreign=frozenset({"one-1h"}))
    assert readers_for([ONE], seen) == (Grant("one", read=frozenset({"ONE", "ONE-5M", "ONE-1D"})),)
    assert {grant.name for grant in readers_for([ONE, TWO, Stream("three", "three")], seen)} == {"one", "two"}
    assert readers_for([Stream("thief", "one"), Stream("two", "two", owner="another")], seen) == ()


def test_where_nobody_asks_influxdb_is_asked_once_for_what_was_left() -> None:
    control, before, tokens = Control(), ReaderTokens(), ReaderTokens()
    renew(before, control, ONE)
    assert renew(tokens, control) == ("deleted token 1",)
    asked = control.asked
    assert (renew(tokens, control), control.asked) == ((), asked)
    renew(tokens, control, ONE)
    renew(tokens, control)
    assert control.items == {}


def test_there_is_none_until_it_is_made_nor_after_its_policy() -> None:
    control, tokens = Control(), ReaderTokens()
    with pytest.raises(StoreRejected, match="it has not been made yet"):
        tokens.of("one")
    renew(tokens, control, ONE, TWO)
    assert (tokens.of("one"), tokens.of("two")) == ("secret-1", "secret-2")
    assert renew(tokens, control, ONE, TWO) == ()
    renew(tokens, control, TWO)
    with pytest.raises(StoreRejected, match="it has not been made yet"):
        tokens.of("one")
    assert [item["description"].split(" ")[-2] for item in control.items.values()] == ["alerts/two"]


def test_why_it_cannot_be_made_is_said_and_those_there_are_go_on() -> None:
    control, tokens = Control(), ReaderTokens()
    renew(tokens, control, ONE)
    control.fails = StoreUnavailable("write:authorizations is unauthorized")
    with pytest.raises(StoreUnavailable):
        renew(tokens, control, ONE, TWO)
    assert tokens.of("one") == "secret-1"
    with pytest.raises(StoreRejected, match="buckets and nothing else: write:authorizations is unauthorized"):
        tokens.of("two")
    control.fails = None
    renew(tokens, control, ONE, TWO)
    assert tokens.of("two") == "secret-2"


def test_one_that_is_refused_is_forgotten_but_not_the_one_after_it() -> None:
    missed: list[bool] = []
    control, tokens = Control(), ReaderTokens(lambda: missed.append(True))
    renew(tokens, control, ONE)
    assert tokens.refused("one", "secret-0") == "another is being made"
    assert tokens.of("one") == "secret-1"
    tokens.refused("one", "secret-1")
    with pytest.raises(StoreRejected):
        tokens.of("one")
    assert missed == [True, True]
    assert renew(tokens, control, ONE) == ("made token one",)
    assert tokens.of("one") == "secret-2"


def test_what_processes_before_have_left_ends_however_often_they_begin_anew() -> None:
    """Each begins with a token of its own; of those before none is older than a while."""
    control = Control()
    for number in range(8):
        control.now = NOW + number * GRACE // 2
        tokens = ReaderTokens()
        renew(tokens, control, ONE, at=control.now)
        renew(tokens, control, ONE, at=control.now)
        assert len(control.items) == min(number + 1, 2)
    renew(tokens, control, ONE, at=control.now + GRACE)
    (item,) = control.items.values()
    assert tokens.of("one") == f"secret-{item['id']}"


def test_one_that_is_given_is_the_same_for_all() -> None:
    given = GivenToken(lambda: "abc")
    assert given.of("one") == given.of("two") == "abc"
    assert given.refused("one", "abc") == "check NODETIDE_FLUX_TOKEN"
    with pytest.raises(StoreRejected, match="NODETIDE_FLUX_TOKEN is empty"):
        GivenToken(lambda: "").of("one")
