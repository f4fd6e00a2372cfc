"""Taken away in any order, nothing hangs, and points stay or go as the policies say."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from tests.integration.influx_cli.switch import Outage, Switch
from tests.integration.operator.conftest import define
from tests.integration.operator.expected import Wanted, check_influx, check_tokens
from tests.integration.operator.kube import policy_path
from tests.integration.operator.rights import for_namespace
from tests.integration.operator.site import Site, eventually, spec

pytestmark = pytest.mark.peer

TIERS = {"raw": "24h", "5m": "7d"}
KIND = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/metricpolicies.nodetide.io"
#: In the apiserver's metrics.
WATCHED = re.compile(r'apiserver_longrunning_requests\{[^}]*resource="metricpolicies"[^}]*verb="WATCH"[^}]*\} [1-9]')
KEPT = {"kept", "kept-5m"}


@pytest.fixture
def installed(site: Site) -> Site:
    """With one policy whose points stay, and one whose points go."""
    site.apply("kept", spec(TIERS))
    site.apply("gone", spec(TIERS, delete=True))
    site.start(NODETIDE_RESYNC="1s")
    site.ready("kept", "gone")
    assert not any("finalizers" in site.policy(name)["metadata"] for name in ("kept", "gone"))
    return site


@pytest.fixture
def definition(site: Site) -> Iterator[None]:
    """Is there again after the test."""
    yield
    if site.kube.find(KIND) is None:
        define(site.kube)


def _cleaned_up(site: Site) -> bool:
    assert set(site.org.buckets()) == KEPT
    return check_influx(site, [], left=KEPT) and check_tokens(site, [])


def test_the_definition_first(installed: Site, definition: None) -> None:
    site = installed
    # What is deleted before a watch has begun, no watch tells of.
    eventually(lambda: WATCHED.search(site.kube.plane.kubectl("get", "--raw", "/metrics")), site.log)
    site.kube.call("DELETE", KIND)
    eventually(lambda: site.kube.find(KIND) is None)
    eventually(lambda: _cleaned_up(site), site.log)
    # Whoever installs it again has it work again, without a restart.
    define(site.kube)
    site.apply("kept", spec(TIERS))
    site.ready("kept")
    eventually(lambda: check_influx(site, [Wanted.of("kept", spec(TIERS))]), site.log)
    assert site.probe("/liveness")[0] == 200
    eventually(lambda: site.metric("nodetide_operator_watching") == 1, site.log)


def test_a_definition_that_comes_after_the_operator(site: Site, definition: None) -> None:
    site.kube.call("DELETE", KIND)
    eventually(lambda: site.kube.find(KIND) is None)
    site.start()
    eventually(lambda: "404" in site.log(), site.log)
    assert site.probe("/readiness")[0] == 503 and site.probe("/liveness")[0] == 200
    define(site.kube)
    site.apply("p", spec(TIERS))
    site.ready("p")
    # Without a list: from here on it is watched.
    site.apply("p", spec({**TIERS, "1h": "30d"}))
    site.ready("p")


def test_the_operator_first(installed: Site) -> None:
    site = installed
    assert site.stop() == 0
    for name in ("kept", "gone"):
        site.delete(name)
        assert site.kube.find(policy_path(site.namespace, name)) is None
    assert {"gone", "gone-5m"} <= set(site.org.buckets()), "nobody was there to do it"
    site.start()
    eventually(lambda: _cleaned_up(site), site.log)


@pytest.mark.slow
def test_the_namespace_first(installed: Site) -> None:
    site = installed
    plane = site.kube.plane
    namespace = f"/api/v1/namespaces/{site.namespace}"
    plane.controller_manager.start()
    try:
        site.kube.call("DELETE", namespace)
        eventually(lambda: site.kube.find(namespace) is None, site.log)
    finally:
        plane.controller_manager.stop()
    assert site.stop() == 0, "a right that was taken away is no reason to end badly"
    site.kube.make({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": site.namespace}})
    for document in for_namespace(site.namespace):
        if not document["kind"].startswith("Cluster"):
            site.kube.make(document)
    site.renew_account()
    site.start()
    eventually(lambda: _cleaned_up(site), site.log)


def test_influxdb_first(site: Site) -> None:
    site.apply("kept", spec(TIERS))
    site.apply("gone", spec(TIERS, delete=True))
    with Switch(site.org.server.port) as switch:
        operator = site.start(NODETIDE_RESYNC="1s", INFLUXDB_URL=switch.url)
        site.ready("kept", "gone")
        switch.fail(Outage.REFUSED)
        for name in ("kept", "gone"):
            site.delete(name)
            assert site.kube.find(policy_path(site.namespace, name)) is None, "nothing waits for InfluxDB"
        switch.mend()
        eventually(lambda: _cleaned_up(site), site.log)
        assert operator.end() == 0
