"""From nothing to data, as a newcomer does it; and `helm test` tells whether it works."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from servers import RealNode
from tests.cluster.release import NAME, HelmFailed, Release, condition, eventually, policy

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1200)]

OWN = "own"
CURRENT = "/api/v1/metrics/current?metric=cpu,mem,net"


@pytest.fixture(scope="module")
def first_answer(release: Release) -> dict[str, Any]:
    """The first with data of the node, after `helm install` and `kubectl apply`."""
    began = time.monotonic()
    release.install("--set=defaultPolicy.enabled=false,influxdb.bucket=own")
    eventually(lambda: release.apply(policy(OWN, collection={"interval": "1s"})))
    applied = time.monotonic()
    eventually(lambda: condition(release.one("metricpolicy", OWN), "Ready") == "True")
    ready = time.monotonic()
    release.kubectl("rollout", "status", "deployment/nodetide-api", "--timeout=300s")
    with release.forwarded("nodetide-api", 8000) as api:

        def answer() -> dict[str, Any] | None:
            found: dict[str, Any] = api.call("GET", CURRENT)
            return found if found["hosts"] else None

        seen: dict[str, Any] = eventually(answer)
    print(
        f"install {applied - began:.1f} s, policy ready after {ready - began:.1f} s,"
        f" data after {time.monotonic() - began:.1f} s"
    )
    return seen


@pytest.fixture(scope="module")
def release(stocked: RealNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    made = Release(stocked, tmp_path_factory.mktemp("helm"))
    try:
        yield made
    finally:
        made.remove()


def test_the_api_has_data_of_the_node(first_answer: dict[str, Any], stocked: RealNode) -> None:
    (host,) = first_answer["hosts"]
    assert host["host"] == stocked.name
    assert not host["stale"]
    memory = next(series["values"] for series in host["series"] if series["measurement"] == "mem")
    (total,) = (line for line in stocked.machine.run("cat", "/proc/meminfo").splitlines() if "MemTotal" in line)
    assert memory["total"] == int(total.split()[1]) * 1024
    assert {"eth0"} <= {series["tags"].get("interface") for series in host["series"]}


@pytest.mark.usefixtures("first_answer")
def test_all_pods_are_ready_and_none_was_restarted_or_warned_of(release: Release) -> None:
    for workload in ("daemonset/nodetide-collector", "deployment/nodetide-operator", "statefulset/nodetide-influxdb"):
        release.kubectl("rollout", "status", workload, "--timeout=300s")
    pods = release.get("pods")
    assert {pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in pods} == {
        "api",
        "collector",
        "influxdb",
        "operator",
    }
    eventually(lambda: {condition(pod, "Ready") for pod in release.get("pods")} == {"True"})
    for pod in pods:
        containers = pod["status"]["containerStatuses"] + pod["status"].get("initContainerStatuses", [])
        assert {container["restartCount"] for container in containers} == {0}, pod["metadata"]["name"]
    warnings = [event for event in release.get("events") if event["type"] != "Normal"]
    told = [f"{event['involvedObject']['name']}: {event.get('message')}" for event in warnings]
    # Of a busy machine, where neither the apiserver nor a probe answers the kubelet within a second; it asks again.
    slow = ("timed out waiting for the condition", "context deadline exceeded", "Client.Timeout")
    assert [line for line in told if not any(words in line for words in slow)] == []


@pytest.mark.usefixtures("first_answer")
def test_the_policy_counts_the_node_that_follows_it(release: Release) -> None:
    # A volume is up to date after the kubelet's next look: up to 90 s, for a pod that came before its settings.
    nodes = eventually(lambda: release.one("metricpolicy", OWN)["status"].get("nodes"))
    assert nodes["matched"] == 1


@pytest.mark.usefixtures("first_answer")
def test_helm_test_passes(release: Release) -> None:
    assert "Phase:          Succeeded" in release.helm("test", NAME)


@pytest.mark.usefixtures("first_answer")
def test_helm_test_fails_without_collectors(release: Release) -> None:
    release.upgrade("--set=tests.timeoutSeconds=15,collector.nodeSelector.no=node")
    eventually(lambda: all(host["stale"] for host in release.api.call("GET", CURRENT)["hosts"]))
    with pytest.raises(HelmFailed, match="no fresh data of any node"):
        release.helm("test", NAME, "--logs")


@pytest.mark.usefixtures("first_answer")
def test_helm_test_fails_without_the_operator_and_passes_when_all_is_mended(release: Release) -> None:
    release.upgrade("--set=collector.nodeSelector.no=null,tests.timeoutSeconds=300")
    release.kubectl("rollout", "status", "daemonset/nodetide-collector", "--timeout=300s")
    release.helm("test", NAME)
    release.upgrade("--set=tests.timeoutSeconds=15,operator.nodeSelector.no=node")
    selector = "--selector=app.kubernetes.io/component=operator"
    eventually(lambda: [pod["status"]["phase"] for pod in release.get("pods", selector)] == ["Pending"])
    with pytest.raises(HelmFailed, match="FAILED http://nodetide-operator:8080/liveness"):
        release.helm("test", NAME, "--logs")
