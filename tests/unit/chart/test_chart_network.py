"""The chart's NetworkPolicies, as a cluster would enforce them: what parts need is let pass, and nothing beside it.

`tests/cluster/test_chart_rights.py` enforces them on what really happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest
from tests.cluster.isolation import PEERS, Isolation, Pod, allowed, isolations

Objects = list[dict[str, Any]]
NAMESPACE = "nodetide"
PORTS = {"api": 8000, "alertmanager": 9093, "collector": 9101, "grafana": 3000, "influxdb": 8086, "operator": 8080}
#: Beside them: what helps and goes away again, and who is not of the release.
HELPERS = ("test", "apply-policy", "remove-policy")
OUTSIDERS = ("client", "scraper", "stranger")
#: Addresses that are no pod's: the apiserver's, a receiver's or the like, and DNS's.
WORLD, DNS = "world", "dns"
ENDS = [*PORTS, *HELPERS, *OUTSIDERS, WORLD, DNS]
BUNDLED = {"bundled": True}
ELSEWHERE = {"bundled": False, "url": "https://influxdb.example.com", "existingSecret": "s"}
VALUES = {
    "alertmanager": {"enabled": True},
    "networkPolicy": {
        "clients": [{"podSelector": {"matchLabels": {"app": "client"}}, "namespaceSelector": {}}],
        "scrapers": [{"podSelector": {"matchLabels": {"app": "scraper"}}, "namespaceSelector": {}}],
    },
}
Talk = tuple[str, str, str, int]
#: Who talks to whom when everything is on, and why.
NEEDED: dict[Talk, str] = {
    ("collector", "influxdb", "TCP", 8086): "writes; where InfluxDB is elsewhere, the last before it was moved",
    ("collector", "operator", "TCP", 8080): "waits at its start",
    ("api", "operator", "TCP", 8080): "waits at its start",
    ("grafana", "operator", "TCP", 8080): "waits at its start",
    **{(part, DNS, protocol, 53): "names" for part in ("collector", "api", "grafana") for protocol in ("UDP", "TCP")},
    ("client", "api", "TCP", 8000): "",
    ("client", "grafana", "TCP", 3000): "",
    ("client", "alertmanager", "TCP", 9093): "",
    ("scraper", "collector", "TCP", 9101): "",
    ("scraper", "operator", "TCP", 8080): "",
}
WITH_BUNDLED: dict[Talk, str] = {(part, "influxdb", "TCP", 8086): "asks" for part in ("api", "grafana")}
WITH_ELSEWHERE: dict[Talk, str] = {(part, WORLD, "TCP", 443): "asks" for part in ("api", "grafana", "collector")}
#: Needed of those to whom more is open: the operator, and Alertmanager, tell whomever policies and people name.
ALSO: dict[Talk, str] = {
    ("operator", "alertmanager", "TCP", 9093): "alerts",
    ("operator", WORLD, "TCP", 443): "the apiserver, receivers of alerts",
    ("operator", DNS, "UDP", 53): "",
    ("alertmanager", WORLD, "TCP", 443): "receivers",
    ("test", "api", "TCP", 8000): "",
    ("test", "alertmanager", "TCP", 9093): "",
    ("test", "grafana", "TCP", 3000): "",
    ("test", "operator", "TCP", 8080): "",
    ("remove-policy", "operator", "TCP", 8080): "waits until it has swept",
}


def pods() -> list[Pod]:
    """Each at an address that is its name."""
    ours = {"app.kubernetes.io/name": "nodetide", "app.kubernetes.io/instance": "nodetide"}
    of_us = [Pod(name, NAMESPACE, name, {**ours, "app.kubernetes.io/component": name}) for name in (*PORTS, *HELPERS)]
    return of_us + [Pod(name, "default", name, {"app": name}) for name in OUTSIDERS]


def enforced(policies: Objects) -> list[Isolation]:
    return isolations(policies, pods(), {NAMESPACE: {}, "default": {}})


def refused(policies: Objects, talks: Iterable[Talk]) -> list[Talk]:
    known = enforced(policies)
    return [talk for talk in talks if not allowed(known, talk[0], talk[1], talk[3], talk[2])]


@dataclass(frozen=True)
class Case:
    """Policies, and who has to be let pass.

    Attributes:
        anywhere: protocols with ports at which parts may reach every address, for nobody knows the right one's.
    """

    policies: Objects
    needed: Mapping[Talk, str]
    anywhere: frozenset[tuple[str, int]]


@pytest.fixture(params=["bundled", "elsewhere"])
def case(request: pytest.FixtureRequest, render: Callable[..., Objects]) -> Case:
    bundled = request.param == "bundled"
    values = {**VALUES, "influxdb": BUNDLED if bundled else ELSEWHERE}
    return Case(
        [found for found in render(values=values) if found["kind"] == "NetworkPolicy"],
        {**NEEDED, **(WITH_BUNDLED if bundled else WITH_ELSEWHERE)},
        frozenset({("UDP", 53), ("TCP", 53)} | (set() if bundled else {("TCP", 443)})),
    )


def test_what_is_needed_is_let_pass(case: Case) -> None:
    assert refused(case.policies, {**case.needed, **ALSO}) == []


def test_nothing_else_is_open_to_who_needs_little_or_is_not_of_the_release(case: Case) -> None:
    known = enforced(case.policies)
    guarded = {isolation.pod.name for isolation in known}
    little = {"collector", "api", "grafana", "influxdb"} & guarded
    ways = {("TCP", port) for port in (*PORTS.values(), 53, 443, 10250)} | {("UDP", 53), ("UDP", 8086)}
    found = {
        (source, target, protocol, port)
        for source in (*little, *OUTSIDERS, WORLD)
        for target in (*guarded, *(ENDS if source in little else ()))
        for protocol, port in ways - case.anywhere
        if source != target and allowed(known, source, target, port, protocol)
    }
    assert found == {talk for talk in case.needed if talk[2:] not in case.anywhere}


def test_each_rule_is_needed(case: Case) -> None:
    rules = [
        (place, direction, number)
        for place, policy in enumerate(case.policies)
        for direction in PEERS
        for number in range(len(policy["spec"].get(direction, [])))
    ]
    assert len(rules) >= 15
    for place, direction, number in rules:
        fewer = deepcopy(case.policies)
        del fewer[place]["spec"][direction][number]
        assert refused(fewer, {**case.needed, **ALSO}), f"{fewer[place]['metadata']['name']}: {direction} {number}"
