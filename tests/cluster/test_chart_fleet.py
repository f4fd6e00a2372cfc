"""A fleet: nodes that kwok plays beside the real one. Policies select nodes by labels, and a node that joins, leaves
or gets another label is followed, on the real one as far as its data."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from servers import RealNode, fake_node, kwok
from tests.cluster.release import NAME, Release, condition, eventually, policy, touch

from nodetide_core.policy.nodes import policies_of_node
from nodetide_operator.settings_map import settings_document

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1800)]

NODES = int(os.environ.get("NODETIDE_TEST_FLEET_NODES", "50"))
GOLD = NODES // 2
ALL = "system-metrics"
REAL = {"kubernetes.io/hostname": "real-node"}


@pytest.fixture(scope="module")
def fleet(stocked: RealNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """A release, with a policy for all nodes and one for those that are labelled so."""
    folder = tmp_path_factory.mktemp("fleet")
    release = Release(stocked, folder)
    with kwok(folder, stocked.plane):
        try:
            join(release, range(NODES))
            release.install(
                # On a node that is played they would turn Ready, and not run.
                *(f"--set-json={part}.nodeSelector={json.dumps(REAL)}" for part in ("api", "influxdb", "operator")),
                "--set=defaultPolicy.alerts=false,collector.flushInterval=1s,operator.resync=5s,tests.timeoutSeconds=300",
            )
            release.kubectl("rollout", "status", "deployment/nodetide-api", "--timeout=300s")
            release.apply(policy("gold", nodeSelector={"matchLabels": {"tier": "gold"}}))
            eventually(lambda: condition(release.one("metricpolicy", "gold"), "Ready") == "True")
            yield release
        finally:
            release.remove()
            # Waiting for each of many takes kubectl longer than to delete them.
            release.kubectl("delete", "nodes", "--selector=type=fake", "--wait=false")
            eventually(lambda: not release.get("nodes", "--selector=type=fake"))


def join(release: Release, numbers: range) -> None:
    nodes = [
        fake_node(f"fake-{number}", {"type": "fake", "tier": "gold" if number < GOLD else "tin"}) for number in numbers
    ]
    release.kubectl("create", "--filename=-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": nodes}))


def counted(release: Release, name: str) -> dict[str, int]:
    """How many nodes a policy selects, and how many of them report it."""
    nodes = release.one("metricpolicy", name)["status"]["nodes"]
    return {key: nodes[key] for key in ("matched", "applied", "stale")}


def collected(release: Release, node: str) -> set[str]:
    """The policies that the node's collector is told of."""
    document = settings_document(release.one("configmap", "nodetide-node-settings"))
    return {found.name.rpartition("/")[2] for found in policies_of_node(document, node)}


def test_policies_count_the_nodes_that_they_select_and_those_that_report(fleet: Release) -> None:
    # The real one reports; those that are played have no collector that runs.
    eventually(lambda: counted(fleet, ALL) == {"matched": NODES + 1, "applied": 1, "stale": NODES})
    eventually(lambda: counted(fleet, "gold") == {"matched": GOLD, "applied": 0, "stale": GOLD})


def test_every_node_is_told_of_its_policies(fleet: Release) -> None:
    for number in range(NODES):
        assert collected(fleet, f"fake-{number}") == ({ALL, "gold"} if number < GOLD else {ALL})
    assert collected(fleet, fleet.node.name) == {ALL}


def test_every_node_has_a_collector(fleet: Release) -> None:
    def scheduled() -> Any:
        status = fleet.one("daemonset", "nodetide-collector")["status"]
        # That those are ready is played, too, and not where the machine is too busy to keep their nodes alive.
        return status["desiredNumberScheduled"] == status["currentNumberScheduled"] == NODES + 1

    # Kubernetes makes, binds and tells of some ten pods a second.
    eventually(scheduled, 300 + NODES)
    eventually(lambda: condition(fleet.one("pod", fleet.on_the_node("collector")), "Ready") == "True")


def test_a_node_that_joins_or_leaves_is_followed(fleet: Release) -> None:
    join(fleet, range(NODES, NODES + 3))
    eventually(lambda: counted(fleet, ALL)["matched"] == NODES + 4)
    assert collected(fleet, f"fake-{NODES}") == {ALL}
    fleet.kubectl("delete", "node", "fake-0", *(f"fake-{number}" for number in range(NODES, NODES + 3)))
    eventually(lambda: counted(fleet, ALL)["matched"] == NODES)
    eventually(lambda: counted(fleet, "gold")["matched"] == GOLD - 1)


def test_a_node_that_gets_another_label_is_collected_so(fleet: Release) -> None:
    node = fleet.node.name

    def hosts() -> list[str]:
        found = fleet.api.call("GET", "/api/v1/metrics/current?policy=gold&metric=mem")["hosts"]
        return [host["host"] for host in found if not host["stale"]]

    touch(fleet, "api")  # which has got a token for one more bucket
    eventually(lambda: not hosts())
    fleet.kubectl("label", "node", node, "tier=gold")
    eventually(lambda: collected(fleet, node) == {ALL, "gold"})
    touch(fleet, "collector")
    eventually(lambda: hosts() == [node])
    eventually(lambda: counted(fleet, "gold") == {"matched": GOLD, "applied": 1, "stale": GOLD - 1})
    fleet.kubectl("label", "node", node, "tier-")
    eventually(lambda: collected(fleet, node) == {ALL})
    touch(fleet, "collector")
    eventually(lambda: not hosts())
    eventually(lambda: counted(fleet, "gold")["matched"] == GOLD - 1)


def test_what_helm_tests_holds_with_a_fleet(fleet: Release) -> None:
    assert "Succeeded" in fleet.helm("test", NAME)
