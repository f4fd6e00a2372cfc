"""Servers that restart, forget or lose everything, under the real process."""

from __future__ import annotations

import base64
import itertools
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import ControlPlane, InfluxServer, influxd
from servers.client import Client
from tests.integration.operator.expected import Wanted, check_influx, check_kubernetes, check_tokens
from tests.integration.operator.kube import Kube, policy_path
from tests.integration.operator.org import Org
from tests.integration.operator.site import Site, eventually, spec

pytestmark = pytest.mark.peer

TIERS = {"raw": "24h", "5m": "7d"}
MORE = {**TIERS, "1h": "30d"}
_numbers = itertools.count()


@pytest.fixture
def alone(kube: Kube, tmp_path: Path) -> Iterator[Site]:
    """With an influxd of its own, which may be broken."""
    with influxd(tmp_path / "influxd", options=["--log-level=error"]) as server:
        name = f"alone-{next(_numbers)}"
        site = Site(kube, Org(server, name), name, tmp_path)
        yield site
        site.close()


def _converges(site: Site, *wanted: Wanted) -> None:
    def look() -> bool:
        return (
            check_influx(site, wanted) and check_kubernetes(site, wanted) and check_tokens(site, wanted, settled=False)
        )

    eventually(look, site.log)
    site.ready(*(policy.name for policy in wanted))


def test_an_influxdb_that_lost_everything_is_set_up_again(alone: Site) -> None:
    site, server = alone, alone.org.server
    site.apply("p", spec(TIERS))
    site.apply("q", spec(MORE))
    site.start(NODETIDE_RESYNC="1s")
    site.ready("p", "q")
    before = site.kube.token(site.namespace, "collector")
    _wipe(server)
    site.org.make()
    (site.folder / "influxdb-token").write_text(site.org.token)
    _converges(site, Wanted.of("p", spec(TIERS)), Wanted.of("q", spec(MORE)))
    assert site.kube.token(site.namespace, "collector") not in (None, before)


def _wipe(server: InfluxServer) -> None:
    server.stop()
    shutil.rmtree(server.data)
    server.data.mkdir()
    server.org_id = ""
    server.start()
    server.set_up()


def test_edits_while_influxdb_crashes_and_comes_back_are_not_lost(alone: Site) -> None:
    site, server = alone, alone.org.server
    site.apply("p", spec(TIERS))
    site.apply("gone", spec(TIERS, delete=True))
    site.start()
    site.ready("p", "gone")
    server.kill()
    site.apply("p", spec(MORE))
    site.apply("q", spec(TIERS))
    site.delete("gone")
    site.comes_to("q", "InfluxReachable", "False InfluxUnreachable")
    server.start()
    _converges(site, Wanted.of("p", spec(MORE)), Wanted.of("q", spec(TIERS)))


@pytest.mark.slow
def test_an_apiserver_that_forgot_what_happened_meanwhile_is_listed_anew(site: Site) -> None:
    """410 Gone: a deletion in the gap is told by no watch."""
    plane = site.kube.plane
    site.apply("p", spec(TIERS))
    site.apply("gone", spec(TIERS, delete=True))
    operator = site.start(NODETIDE_RESYNC="1s")
    site.ready("p", "gone")
    known = site.policy("gone")["metadata"]["resourceVersion"]
    operator.process.send_signal(signal.SIGSTOP)
    try:
        site.delete("gone")
        site.apply("p", spec(MORE))
        site.apply("q", spec(TIERS))
        _compact(plane)
        plane.apiserver.restart()
        _compact(plane)
        # Which takes a moment to be ready for watches.
        eventually(lambda: _watch(site, known)["code"] == 410)
    finally:
        operator.process.send_signal(signal.SIGCONT)
    _converges(site, Wanted.of("p", spec(MORE)), Wanted.of("q", spec(TIERS)))
    assert site.probe("/liveness")[0] == 200


def _compact(plane: ControlPlane) -> None:
    """Have etcd forget every version but the last ones."""
    arguments = Path(f"/proc/{plane.etcd.pid}/cmdline").read_text().split("\0")
    (url,) = (item.partition("=")[2] for item in arguments if item.startswith("--listen-client-urls="))
    etcd = Client(url)
    revision = etcd.call("POST", "/v3/kv/range", {"key": base64.b64encode(b"/").decode()})["header"]["revision"]
    etcd.call("POST", "/v3/kv/compaction", {"revision": revision, "physical": True})


def _watch(site: Site, since: str) -> Any:
    """The first thing that a watch is told that goes on from there."""
    path = f"{policy_path(site.namespace)}?watch=true&timeoutSeconds=5&resourceVersion={since}"
    return site.kube.call("GET", path)["object"]


def test_while_the_apiserver_is_away_nothing_ends_and_after_it_all_goes_on(site: Site) -> None:
    plane = site.kube.plane
    site.apply("p", spec(TIERS))
    site.start(NODETIDE_RESYNC="2s")
    site.ready("p")
    plane.apiserver.stop()
    eventually(lambda: "metricpolicies: " in site.log(), site.log)
    task = site.org.tasks()[0]["id"]
    site.org.call("DELETE", f"/api/v2/tasks/{task}")
    eventually(lambda: len(site.org.tasks()) == 1, site.log)
    assert site.probe("/liveness")[0] == 200
    plane.apiserver.start()
    site.apply("p", spec(MORE))
    _converges(site, Wanted.of("p", spec(MORE)))


@pytest.mark.slow
def test_watches_that_were_cut_go_on_by_themselves(site: Site) -> None:
    """No list tells of the edit: the next one is an hour away."""
    site.apply("p", spec(TIERS))
    site.start()
    site.ready("p")
    site.quiet()
    site.kube.plane.apiserver.restart()
    site.apply("p", spec(MORE))
    _converges(site, Wanted.of("p", spec(MORE)))


def test_two_operators_at_once_do_no_harm(site: Site) -> None:
    """As for a moment when a Deployment is rolled: neither makes what the other makes."""
    site.start(NODETIDE_RESYNC="1s")
    site.start(NODETIDE_RESYNC="1s", NODETIDE_OPERATOR_LISTEN="127.0.0.1:0")
    wanted = []
    for number in range(6):
        site.apply(f"p{number}", spec(TIERS))
        wanted.append(Wanted.of(f"p{number}", spec(TIERS)))
    _converges(site, *wanted)
    site.stop()
    _converges(site, *wanted)
