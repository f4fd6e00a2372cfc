"""What the operator may do is enough, and nothing of it is too much: in Kubernetes and in InfluxDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import pytest
from servers import InfluxServer
from servers.client import CallFailed, Client
from tests.integration.operator.inside import inside
from tests.integration.operator.kube import Kube
from tests.integration.operator.org import OPERATOR, Org
from tests.integration.operator.rights import (
    ALL_NAMESPACES,
    OWN_NAMESPACE,
    POLICIES,
    Documents,
    Permission,
    for_namespace,
    permissions,
    without,
)
from tests.integration.operator.site import Site, eventually, spec

pytestmark = pytest.mark.peer

TIERS = {"raw": "24h", "5m": "7d"}
#: Seconds for a step, and for one that may never come, since something was refused; one that does takes less than one.
LONG, SHORT = 60.0, 5.0


class Trial(NamedTuple):
    """How the operator did with some rights.

    Attributes:
        failed: the first step that did not come; empty where all came.
    """

    failed: str
    log: str


def _everything(site: Site, namespace: str) -> str:
    """Does all that needs a right; gives the first step that did not come."""
    node = f"node-{site.namespace}"
    selected = spec(TIERS, nodeSelector={"matchLabels": {"for": site.namespace}}, collection={"interval": "7s"})

    def is_ready(name: str) -> bool:
        return bool(site.condition(name, namespace=namespace)["status"] == "True")

    def selects(name: str, node: str) -> bool:
        groups = site.kube.settings(site.namespace)["groups"]
        return any(node in group["nodes"] and any(p.endswith(name) for p in group["policies"]) for group in groups)

    steps: Mapping[str, tuple[Callable[[], object], Callable[[], bool]]] = {
        "a policy is ready": (lambda: site.apply("p", spec(TIERS), namespace), lambda: is_ready("p")),
        "people are told": (
            lambda: None, lambda: any(item["reason"] == "InEffect" for item in site.kube.events(namespace)),
        ),
        # What the second one needs changes every object of the operator's.
        "another policy is ready": (lambda: site.apply("q", selected, namespace), lambda: is_ready("q")),
        "a node gets its settings": (
            lambda: site.kube.node(node, **{"for": site.namespace}), lambda: selects("q", node),
        ),
        "tokens are kept": (
            lambda: None, lambda: None not in (site.kube.token(site.namespace, name) for name in ("collector", "api")),
        ),
    }  # fmt: skip
    for name, (act, look) in steps.items():
        act()
        try:
            eventually(partial(_refused_or, look, site), patience=LONG)
            eventually(look, patience=SHORT)
        except AssertionError:
            return name
    return ""


def _refused_or(look: Callable[[], bool], site: Site) -> bool:
    return "forbidden" in site.log() or look()


@pytest.fixture(scope="module")
def trials(
    kube: Kube, influx: InfluxServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[Permission, Trial]]:
    """Without each permission alone; all at once, for most of their time they wait."""
    cases = permissions(OWN_NAMESPACE)
    sites: list[Site] = []

    def attempt(case: tuple[int, Permission]) -> Trial:
        namespace = f"without-{case[0]}"
        rights = without(for_namespace(namespace), case[1])
        site = Site(kube, Org(influx, namespace), namespace, tmp_path_factory.mktemp(namespace), rights)
        sites.append(site)
        site.start()
        # The first turn of many processes that begin at once.
        eventually(lambda: site.probe("/readiness")[0] == 200 or "forbidden" in site.log(), site.log)
        return Trial(_everything(site, namespace), site.log())

    try:
        with ThreadPoolExecutor(len(cases)) as pool:
            found = list(pool.map(attempt, enumerate(cases)))
        yield dict(zip(cases, found, strict=True))
    finally:
        for site in sites:
            site.close()


def _all_namespaces(namespace: str) -> Documents:
    return for_namespace(namespace, OWN_NAMESPACE, ALL_NAMESPACES)


def test_the_rights_of_the_manifests_are_enough(site: Site) -> None:
    site.start()
    assert _everything(site, site.namespace) == "", site.log()
    assert "forbidden" not in site.log()


def test_those_for_more_namespaces_are_enough_and_others_are_let_alone(new_site: Callable[..., Site]) -> None:
    site = new_site(lambda name: for_namespace(name, watched=[f"{name}-other"]))
    site.start(NODETIDE_WATCH_NAMESPACES=f"{site.namespace},{site.other}")
    site.apply("unseen", spec(TIERS, bucket="unseen"), "default")
    site.apply("own", spec(TIERS, bucket="own"))
    assert _everything(site, site.other) == "", site.log()
    site.ready("own")
    assert "status" not in site.policy("unseen", "default") and "unseen" not in site.org.buckets()
    site.delete("unseen", "default")


def test_those_for_all_namespaces_are_enough(new_site: Callable[..., Site]) -> None:
    site = new_site(_all_namespaces)
    site.start(NODETIDE_WATCH_NAMESPACES="*")
    assert _everything(site, site.other) == "", site.log()
    assert "forbidden" not in site.log()


def test_for_all_namespaces_they_are_the_same_elsewhere() -> None:
    (policies,) = (item for item in for_namespace("any") if item["metadata"]["name"] == POLICIES and "rules" in item)
    (everywhere,) = (item for item in for_namespace("any", ALL_NAMESPACES) if "rules" in item)
    assert everywhere["rules"] == policies["rules"]


@pytest.mark.slow
@pytest.mark.parametrize("taken", permissions(OWN_NAMESPACE), ids=str)
def test_without_any_one_it_fails_and_says_which(trials: Mapping[Permission, Trial], taken: Permission) -> None:
    trial = trials[taken]
    # Without watching it lists, again and again: that costs more, and takes no longer here.
    assert trial.failed or taken.verb == "watch", trial.log
    assert f'cannot {taken.verb} resource "{taken.resource}"' in trial.log, (trial.failed, trial.log)
    assert taken.name in trial.log


def test_its_influxdb_token_reaches_no_further_than_its_organization(site: Site) -> None:
    headers = {"Authorization": f"Token {site.org.token}"}
    mine = Client(site.org.server.url)
    seen = mine.call("GET", "/api/v2/orgs", headers=headers)["orgs"]
    assert [org["name"] for org in seen] == [site.org.name]
    with pytest.raises(CallFailed) as refused:
        mine.call("POST", "/api/v2/orgs", {"name": "another"}, headers=headers)
    assert refused.value.status == 401


@pytest.mark.parametrize("taken", OPERATOR)
def test_without_any_one_permission_in_influxdb_it_is_not_ready_and_leaves_no_token(site: Site, taken: str) -> None:
    token = site.org.may(*(permission for permission in OPERATOR if permission != taken))
    site.apply("p", spec(TIERS))
    with inside(site, token) as operator:
        operator.turn()
    told = site.condition("p")
    assert told["status"] == "False"
    assert any(word in told["message"] for word in ("token", "unauthorized")), told
    if taken == "read tasks":
        with inside(site, token) as operator:
            operator.turn()
        assert site.org.tasks() == [], "one that nobody sees, and another at each turn"
    made = {token["description"].split()[-1] for token in site.org.tokens()}
    held = {site.kube.token(site.namespace, name) for name in ("collector", "api")} - {None}
    assert len(made) == len(held), "a token that nobody has"
