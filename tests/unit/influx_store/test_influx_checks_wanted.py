"""What policies ask of InfluxDB, and what of it cannot be."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.catalogue import CATALOGUE
from nodetide_core.policy import Policy, SecretRef, parse_policy
from nodetide_core.stores.influx.checks.scripts import Script
from nodetide_core.stores.influx.checks.wanted import Wanted, wanted

CPU = {"name": "A", "type": "threshold", "metric": "cpu.usage_active", "critical": {"above": 90}}


def asked(secret: str = "text", reads: tuple[str | None, ...] = (), **spec: Any) -> Wanted:
    document = {"apiVersion": "nodetide.io/v1alpha1", "kind": "MetricPolicy", "metadata": {"name": "b"}}
    policy = parse_policy({**document, "spec": {"alertEngine": "influxdb", **spec}})

    def read(_: Policy, ref: SecretRef) -> str:
        return secret

    def script(text: str) -> Script:
        return Script((), (), text, reads)

    return wanted(policy, policy.stream, "me", CATALOGUE, scripts=script, secrets=read)


def text(**alert: Any) -> str:
    found = asked(alerts=[{**CPU, **alert}])
    assert not found.troubles
    return found.checks[0].text


@pytest.mark.parametrize(
    ("level", "predicate"),
    [
        ({"above": 90}, "r._reading > 90.0"),
        ({"below": -0.5}, "r._reading < -0.5"),
        ({"outside": [0, 1e21]}, "r._reading < 0.0 or r._reading > 1000000000000000000000.0"),
        ({"inside": [1e-7, 2]}, "r._reading >= 0.0000001 and r._reading <= 2.0"),
    ],
)
def test_levels_are_predicates_with_numbers_that_flux_can_read(level: dict[str, Any], predicate: str) -> None:
    assert f"crit: (r) => nodetide_known(r: r) and ({predicate}))" in text(critical=level)


def test_what_can_be_is_pushed_down_to_storage() -> None:
    found = text(window="2m", every="30s", aggregate="max", filter={"cpu": "cpu-total"})
    assert (
        'from(bucket: "b") |> range(start: -120s) |> filter(fn: (r) => r._measurement == "cpu" and '
        'r._field == "usage_active" and r["cpu"] == "cpu-total") |> max() |> map('
    ) in found
    assert 'option task = {name: "nodetide b A", every: 30s, offset: 5s}' in found
    assert "range(start: -60s)" in found, "statuses of two evaluations"
    assert "offset: 1s" in text(every="5s")
    assert "range(start: -360s)" in text(metric="net.bytes_recv"), "a minute, and the gap before"
    assert "range(start: -86400s)" in text(type="deadman", critical={})
    assert "range(start: -172800s)" in text(type="deadman", critical={}, window="24h")


def test_a_deadman_is_critical_where_nothing_else_is_said() -> None:
    alert = {key: value for key, value in CPU.items() if key != "critical"} | {"type": "deadman", "window": "90s"}
    (check,) = asked(alerts=[alert]).checks
    assert "crit: (r) => nodetide_known(r: r) and (r._reading > 90.0))" in check.text


def test_receivers_are_told_of_what_they_match() -> None:
    alerts = [
        {**CPU, "every": "10s", "warning": {"above": 80}, "labels": {"team": "x"}},
        {**CPU, "name": "B", "every": "60s"},
    ]
    notify = [
        {"name": name, "type": "http", "url": "http://a", **more}
        for name, more in {
            "all": {},
            "team": {"match": {"team": "x"}},
            "other": {"match": {"team": "y"}},
            "one": {"match": {"alertname": "B", "policy": "b", "namespace": "default"}},
            "warnings": {"severities": ["warning"]},
            "host": {"match": {"host": "h", "severity": "warning"}},
        }.items()
    ]
    found = asked(alerts=alerts, notify=notify)
    rules = {(rule.endpoint.removeprefix("nodetide b "), rule.every, rule.levels) for rule in found.rules}
    assert rules == {
        ("all", 20, ("crit", "warn")), ("all", 120, ("crit",)), ("team", 20, ("crit", "warn")),
        # That B has no such label leaves it to the tags of its series.
        ("team", 120, ("crit",)), ("other", 120, ("crit",)), ("one", 120, ("crit",)), ("warnings", 20, ("warn",)),
        ("host", 20, ("warn",)),
    }  # fmt: skip
    tags = {rule.endpoint.removeprefix("nodetide b "): dict(rule.tags) for rule in found.rules if rule.every == 20}
    assert tags["all"] == {"_to_all": "b 20s crit+warn"}
    assert tags["host"] == {"host": "h", "_to_host": tags["host"]["_to_host"]}
    for rule in found.rules:
        address = f'"{rule.tags[0][0]}": "{rule.tags[0][1]}"'
        assert any(address in check.text for check in found.checks)


def test_secrets_are_where_influxdb_shows_them_to_nobody() -> None:
    notify = [
        {"name": "a", "type": "http", "url": 'http://h/${x}"\\', "secretRef": {"name": "s", "key": "k"}},
        {"name": "b", "type": "slack", "secretRef": {"name": "s", "key": "k"}},
        {"name": "c", "type": "pagerduty", "secretRef": {"name": "s", "key": "k"}},
    ]
    found = asked("hush", alerts=[CPU], notify=notify)
    assert "hush" not in repr(found)
    assert [endpoint.field for endpoint in found.endpoints] == ["token", "token", "routingKey"]
    assert found.endpoints[0].settings["url"] == "http://h/%24{x}%22%5C"
    assert found.endpoints[1].settings == {"type": "slack", "url": "${slack_secret}"}


@pytest.mark.parametrize("secret", ["", " \n", "secret: another-key"])
def test_a_secret_that_influxdb_would_take_for_something_else_is_refused(secret: str) -> None:
    found = asked(secret, alerts=[CPU], notify=[{"name": "b", "type": "slack", "secretRef": {"name": "s", "key": "k"}}])
    assert [trouble.where for trouble in found.troubles] == ["receiver b"] and not found.endpoints


@pytest.mark.parametrize(
    ("alert", "message"),
    [
        ({"labels": {"host": "x"}}, "label 'host' is a tag"),
        ({"labels": {"cpu": "x"}}, "label 'cpu' is a tag"),
        ({"labels": {"zone": "x"}}, "label 'zone' is a tag"),
        ({"labels": {"severity": "x"}}, "label 'severity' is a tag"),
        ({"labels": {"_level": "crit"}}, "begins with _"),
        ({"labels": {"": "x"}}, "is empty"),
        ({"window": "2h"}, "window is longer than raw points are kept"),
    ],
)
def test_an_alert_that_cannot_be_is_told_by_name_and_left_as_it_is(alert: dict[str, Any], message: str) -> None:
    found = asked(
        alerts=[{**CPU, "name": "Bad", **alert}, CPU],
        collection={"labels": {"zone": "z"}},
        storage={"tiers": [{"name": "raw", "retention": "1h"}]},
    )
    assert [check.name for check in found.checks] == ["nodetide b A"]
    (trouble,) = found.troubles
    assert trouble.where == "alert Bad" and message in trouble.message
    assert found.held == {"nodetide b Bad"}


@pytest.mark.parametrize(
    ("receiver", "message"),
    [
        ({"type": "http", "url": "http://a", "match": {"host": "${r.x}"}}, "neither may be empty"),
        ({"type": "http", "url": "http://a", "match": {"${r.x}": "h"}}, "neither may be empty"),
        ({"type": "http", "url": "http://a", "match": {"host": ""}}, "neither may be empty"),
        ({"type": "pagerduty", "url": "http://a", "secretRef": {"name": "s", "key": "k"}}, "leave the url out"),
    ],
)
def test_a_receiver_that_cannot_be_is_told_by_name(receiver: dict[str, Any], message: str) -> None:
    found = asked(alerts=[CPU], notify=[{"name": "bad", **receiver}])
    assert len(found.checks) == 1 and not found.endpoints
    (trouble,) = found.troubles
    assert trouble.where == "receiver bad" and message in trouble.message


def test_of_a_suspended_policy_and_of_another_engine_nothing_is_wanted() -> None:
    for spec in ({"suspend": True}, {"alertEngine": "nodetide"}):
        found = asked(alerts=[CPU], **spec)
        assert (found.checks, found.endpoints, found.rules, found.held) == ((), (), (), frozenset())


_LITERAL = re.compile(r'"(?:[^"\\$]|\\["\\nrt]|\\x24)*"')


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_whatever_users_write_stays_inside_of_string_literals(summary: str, label: str, value: str) -> None:
    """What is left of a text without its literals is the same for every user's text."""
    harmless = text(annotations={"summary": "x"}, labels={"k": "x"}, filter={"cpu": "x"})
    key = f"k{label}"
    hostile = text(annotations={"summary": f"x{summary}"}, labels={key: f"x{value}"}, filter={"cpu": value})
    assert _LITERAL.sub("S", hostile) == _LITERAL.sub("S", harmless)


@pytest.mark.parametrize(
    ("reads", "what"),
    [
        ((), ""),
        (("b", "b-1h"), ""),
        (("b", "other"), "the bucket 'other'"),
        ((None,), "a bucket whose name it works out"),
    ],
    ids=["none", "own", "other", "worked out"],
)
def test_flux_reads_the_buckets_of_its_policy_for_no_right_keeps_it_from_others(
    reads: tuple[str | None, ...], what: str
) -> None:
    found = asked(reads=reads, alerts=[{"name": "F", "type": "flux", "flux": "x", "critical": {"above": 1}}])
    if not what:
        assert (len(found.checks), found.troubles) == (1, ())
        return
    (trouble,) = found.troubles
    assert (found.checks, found.held, trouble.where) == ((), frozenset(), "alert F")
    assert trouble.message.startswith(f"flux: it reads {what}; ") and trouble.message.endswith("b, b-5m, b-1h, b-1d")
