"""Plans for checks, endpoints and rules: complete, empty once carried out, and careful with what is others'."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.catalogue import CATALOGUE
from nodetide_core.errors import StoreRejected
from nodetide_core.policy import Policy, SecretRef, parse_policy
from nodetide_core.stores.influx.checks.changes import (
    Change,
    Delete,
    DeleteEndpoint,
    PutCheck,
    PutEndpoint,
    PutRule,
    notes_of_check,
    rule_body,
)
from nodetide_core.stores.influx.checks.marking import describe, read_mark, read_notes
from nodetide_core.stores.influx.checks.observed import Observed, SeenCheck, SeenEndpoint, SeenRule
from nodetide_core.stores.influx.checks.planning import plan, sweep
from nodetide_core.stores.influx.checks.scripts import Script, read_script
from nodetide_core.stores.influx.checks.sealing import Sealer, Secret
from nodetide_core.stores.influx.checks.wanted import Wanted, wanted

_ids = itertools.count(1)
_stamps = itertools.count(1)
SEALER = Sealer()

_levels = st.sets(st.sampled_from(["critical", "warning", "info"]), min_size=1)
_names = st.lists(st.sampled_from(["A", "B", "C"]), unique=True)


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    alerts = [
        {"name": name, "type": "threshold", "metric": "cpu.usage_active", "every": draw(st.sampled_from(["5s", "30s"])),
         "labels": draw(st.sampled_from([{}, {"team": "x"}])),
         **{level: {"above": draw(st.integers(1, 3))} for level in draw(_levels)}}
        for name in draw(_names)
    ]  # fmt: skip
    notify = [
        {"name": name.lower(), "type": kind,
         "secretRef": {"name": draw(st.sampled_from(["s", "t", "lost"])), "key": "k"},
         **({"url": draw(st.sampled_from(["http://a", "http://b"]))} if kind == "http" else {}),
         "match": draw(st.sampled_from([{}, {"team": "x"}, {"severity": "critical"}, {"host": "h"}]))}
        for name in draw(_names) for kind in [draw(st.sampled_from(["http", "slack", "pagerduty"]))]
    ]  # fmt: skip
    return {"alerts": alerts, "notify": notify, "suspend": draw(st.booleans())}


def policy(name: str = "b", **spec: Any) -> Policy:
    document = {"apiVersion": "nodetide.io/v1alpha1", "kind": "MetricPolicy", "metadata": {"name": name}}
    return parse_policy({**document, "spec": {"alertEngine": "influxdb", **spec}})


def secret(_: Policy, ref: SecretRef) -> str:
    return {"s": "one", "t": "two"}[ref.name]


def script(text: str) -> Script:
    return Script((), (), text)


def asked(of: Policy, owner: str = "me") -> Wanted:
    return wanted(of, of.stream, owner, CATALOGUE, scripts=script, secrets=secret)


def planned(of: Policy, observed: Observed, owner: str = "me") -> tuple[Change, ...]:
    return plan(asked(of, owner), observed, SEALER)


def applied(observed: Observed, changes: Iterable[Change]) -> Observed:
    """What InfluxDB would hold then, as far as the real one is strict."""
    checks = {seen.id: seen for seen in observed.checks}
    endpoints = {seen.id: seen for seen in observed.endpoints}
    rules = {seen.id: seen for seen in observed.rules}
    for change in changes:
        assert str(change) and "one" not in repr(change).split("'")
        if isinstance(change, PutCheck):
            id = change.id or f"{next(_ids):04}"
            name, stored = change.check.name, change.check.text.replace(" ", "  ")
            assert name not in {seen.name for seen in checks.values() if seen.id != id}, "422"
            told = describe(change.mark, **notes_of_check(change.check, stored))
            checks[id] = SeenCheck(id, name, told, stored, True)
        elif isinstance(change, PutEndpoint):
            id = change.id or f"{next(_ids):04}"
            wanted_ = change.endpoint
            assert wanted_.name not in {seen.name for seen in endpoints.values() if seen.id != id}, "422"
            notes = {} if wanted_.secret is None else {"seal": SEALER.seal(wanted_.secret)}
            settings = {**wanted_.settings, **({wanted_.field: f"secret: {id}-x"} if wanted_.field else {})}
            told = describe(change.mark, **notes)
            endpoints[id] = SeenEndpoint(id, wanted_.name, told, True, settings, str(next(_stamps)))
        elif isinstance(change, PutRule):
            id = change.id or f"{next(_ids):04}"
            endpoint = next(seen for seen in endpoints.values() if seen.name == change.rule.endpoint)
            told = describe(change.mark, endpoint=endpoint.updated)
            rules[id] = SeenRule(id, change.rule.name, told, True, endpoint.id, rule_body(change.rule))
        elif isinstance(change, DeleteEndpoint):
            assert change.secrets in ((), (f"{change.id}-x",))
            del endpoints[change.id]
        else:
            del (checks if change.kind == "check" else rules)[change.id]
    return Observed(*([seen[id] for id in sorted(seen)] for seen in (checks, endpoints, rules)))


@given(st.lists(specs(), min_size=1, max_size=4), specs())
def test_after_any_history_the_plan_is_carried_out_and_then_empty(
    history: list[dict[str, Any]], other: dict[str, Any]
) -> None:
    neighbour = policy("other", **other)
    observed = applied(Observed(), planned(neighbour, Observed()))
    for spec in history:
        one = policy(**spec)
        observed = applied(observed, planned(one, observed))
        assert planned(one, observed) == ()
        want = asked(one)
        mine = [seen.name for seen in observed.checks if read_mark(seen.description) == want.mark]
        assert sorted(mine) == sorted(check.name for check in want.checks)
        ids = {seen.id: seen.name for seen in observed.endpoints}
        assert all(seen.endpoint_id in ids for seen in observed.rules)
        there = {seen.name for seen in observed.rules if read_mark(seen.description) == want.mark}
        assert {rule.name for rule in want.rules if rule.endpoint in ids.values()} <= there
    assert planned(neighbour, observed) == ()
    gone = sweep(lambda mark: mark.bucket == "b", observed)
    left = applied(observed, gone)
    assert {mark.bucket for mark in left.marks()} <= {"other"}
    assert planned(neighbour, left) == ()


FULL = {
    "alerts": [{"name": "A", "type": "threshold", "metric": "cpu.usage_active", "critical": {"above": 1}}],
    "notify": [{"name": "a", "type": "http", "url": "http://a", "secretRef": {"name": "s", "key": "k"}}],
}


def test_an_endpoint_that_changes_has_its_rules_made_anew_which_hold_a_copy_of_it() -> None:
    observed = applied(Observed(), planned(policy(**FULL), Observed()))
    moved = policy(**{**FULL, "notify": [{**FULL["notify"][0], "url": "http://b"}]})
    assert [type(change) for change in planned(moved, observed)] == [PutEndpoint, PutRule]
    # As after an end between the two.
    half = applied(observed, planned(moved, observed)[:1])
    assert [type(change) for change in planned(moved, half)] == [PutEndpoint, PutRule]


def test_a_receiver_whose_secret_is_lost_stays_as_it_was() -> None:
    observed = applied(Observed(), planned(policy(**FULL), Observed()))
    lost = policy(**{**FULL, "notify": [{**FULL["notify"][0], "secretRef": {"name": "lost", "key": "k"}}]})
    assert planned(lost, observed) == ()
    (trouble,) = asked(lost).troubles
    assert str(trouble) == "receiver a: secret lost, key k: lost"
    assert [type(change) for change in planned(lost, Observed())] == [PutCheck]


def test_a_receiver_that_nothing_can_be_matched_for_is_told_of_nothing() -> None:
    observed = applied(Observed(), planned(policy(**FULL), Observed()))
    odd = policy(**{**FULL, "notify": [{**FULL["notify"][0], "match": {"host": "${x}"}}]})
    left = applied(observed, planned(odd, observed))
    assert (len(left.checks), left.endpoints, left.rules) == (1, [], [])
    assert planned(odd, left) == ()


def test_names_that_others_have_are_refused_and_nobodys_are_adopted() -> None:
    observed = applied(Observed(), planned(policy(**FULL), Observed(), "somebody"))
    with pytest.raises(StoreRejected, match="check nodetide b A belongs to the stream of the bucket b of somebody"):
        planned(policy(**FULL), observed)
    bare = Observed(
        [replace(seen, description="mine") for seen in observed.checks],
        [replace(seen, description="") for seen in observed.endpoints],
        [replace(seen, description="") for seen in observed.rules],
    )
    changes = planned(policy(**FULL), bare)
    assert [str(change).partition(" ")[0] for change in changes] == ["change"] * 3
    assert planned(policy(**FULL), applied(bare, changes)) == ()


def test_a_rule_that_stands_twice_is_deleted_once() -> None:
    observed = applied(Observed(), planned(policy(**FULL), Observed()))
    (rule,) = observed.rules
    twice = replace(observed, rules=[rule, replace(rule, id="9999")])
    assert planned(policy(**FULL), twice) == (Delete("notification rule", "9999", rule.name),)


def test_a_mark_says_whose_it_is_and_one_edited_by_hand_still_does() -> None:
    (put,) = planned(policy(alerts=FULL["alerts"]), Observed())
    assert isinstance(put, PutCheck)
    told = describe(put.mark, made="x", stored="y")
    assert told.startswith("Nodetide makes this for the stream of: b (kept by me)\n")
    assert (read_mark(told), read_notes(told)) == (put.mark, {"made": "x", "stored": "y"})
    for edited in (told.partition("\n")[0], told + "}", told.partition("\n")[0] + "\n[1]"):
        found = read_mark(edited)
        assert found is not None and (found.bucket, found.owner, found.policy) == ("b", "me", "")
        assert read_notes(edited) == {}
    assert read_mark("something else") is None


@given(st.text(), st.text())
def test_a_seal_holds_its_secret_only_and_does_not_tell_it(one: str, other: str) -> None:
    seal = SEALER.seal(Secret(one))
    assert SEALER.holds(seal, Secret(one))
    assert SEALER.holds(seal, Secret(other)) == (one == other)
    assert seal != SEALER.seal(Secret(one)), "two endpoints with one secret must not look alike"
    assert len(seal) == 65 and repr(Secret(one)) == "Secret()"
    for broken in ("", ":", "xx:yy", seal[:-1], seal.upper() + "é"):
        assert not SEALER.holds(broken, Secret(one))


def statement(kind: str, source: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "location": {"source": source}, **more}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "must end in an expression"),
        ([statement("VariableAssignment", "x = 1", id={"name": "x"})], "must end in an expression"),
        ([statement("OptionStatement", "option x = 1"), statement("ExpressionStatement", "x")], "OptionStatement"),
        ([statement("ExpressionStatement", "y"), statement("ExpressionStatement", "x")], "ExpressionStatement"),
        (
            [statement("VariableAssignment", "check = 1", id={"name": "check"}), statement("ExpressionStatement", "x")],
            "cannot define 'check'",
        ),
        (
            [
                statement("VariableAssignment", "nodetide_x = 1", id={"name": "nodetide_x"}),
                statement("ExpressionStatement", "x"),
            ],
            "cannot define 'nodetide_x'",
        ),
    ],
)
def test_what_cannot_be_a_check_is_refused(body: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(StoreRejected, match=message):
        read_script({"ast": {"files": [{"imports": None, "body": body}]}})
    with pytest.raises(StoreRejected, match="not understood"):
        read_script({"ast": {"files": body}})


def test_a_script_is_taken_apart() -> None:
    body = [statement("VariableAssignment", "x = 1", id={"name": "x"}), statement("ExpressionStatement", "f(x)")]
    imports = [{"location": {"source": 'import "date"'}}]
    found = read_script({"ast": {"files": [{"imports": imports, "body": body}]}})
    assert found == Script(('import "date"',), ("x = 1",), "f(x)")
