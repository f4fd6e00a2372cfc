"""The apiserver takes what the chart renders, whichever the situation, and lets its pods in where it is strict."""

from __future__ import annotations

import http.client
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import yaml
from servers.certs import trusting

if TYPE_CHECKING:
    from tests.integration.chart.conftest import Cluster

pytestmark = pytest.mark.peer

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "charts" / "nodetide"
SCENARIOS = sorted((CHART / "ci").glob("*-values.yaml"))
STRICT = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
RESTRICTED = ("operator", "api", "grafana", "influxdb", "alertmanager", "apply-policy", "remove-policy", "test")


@pytest.mark.parametrize("values", SCENARIOS, ids=lambda path: path.name)
def test_every_scenario_lints_and_is_taken(values: Path, cluster: Cluster):
    cluster.helm("lint", "--strict", str(CHART), f"--values={values}")
    text = cluster.template("nodetide", f"--values={values}")
    said = cluster.kubectl(
        "apply", "--dry-run=server", "--server-side", "--validate=strict", "--filename=-", stdin=text
    )
    objects = [found for found in yaml.safe_load_all(text) if found is not None]
    assert len(said.splitlines()) == len(objects)


def test_the_plain_manifests_are_taken(cluster: Cluster):
    for file in sorted((ROOT / "manifests/install").glob("*.yaml")):
        if file.name != "kustomization.yaml":
            cluster.kubectl("apply", "--dry-run=server", "--server-side", "--validate=strict", f"--filename={file}")
    whole = cluster.kubectl("kustomize", str(ROOT / "manifests/install"))
    assert "nodetide-collector:0.1.0" in whole


def post(cluster: Cluster, path: str, body: Any) -> tuple[int, Any, list[str]]:
    """(status, answer, warnings) of a dry run."""
    address = urlsplit(cluster.plane.url)
    connection = http.client.HTTPSConnection(
        address.hostname, address.port, context=trusting(cluster.plane.ca, cluster.plane.admin), timeout=120
    )
    try:
        connection.request("POST", f"{path}?dryRun=All", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.headers.get_all("Warning") or []
    finally:
        connection.close()


@pytest.fixture
def strict(namespace: str, cluster: Cluster) -> str:
    """A namespace with the restricted Pod Security Standard, and the chart's accounts."""
    cluster.kubectl("label", "namespace", namespace, *(f"{name}={value}" for name, value in STRICT.items()))
    for account in ("nodetide", "nodetide-operator", "nodetide-policy"):
        cluster.kubectl("create", "serviceaccount", account, f"--namespace={namespace}")
    # Who judges learns of a label from a watch of its own, a moment later.
    privileged = {"name": "p", "image": "p", "securityContext": {"privileged": True}}
    spec = {"containers": [privileged], "serviceAccountName": "nodetide"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
    deadline = time.monotonic() + 120
    while "violates PodSecurity" not in str(post(cluster, f"/api/v1/namespaces/{namespace}/pods", pod)[1]):
        assert time.monotonic() < deadline, "the namespace takes anything"
        time.sleep(0.1)
    return namespace


def pod_of(found: dict[str, Any]) -> dict[str, Any]:
    template = found if found["kind"] == "Pod" else found["spec"]["template"]
    spec = {**template["spec"]}
    spec.pop("priorityClassName", None)
    component = template["metadata"]["labels"]["app.kubernetes.io/component"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": component}, "spec": spec}


def pods(cluster: Cluster, namespace: str) -> dict[str, dict[str, Any]]:
    text = cluster.template(
        namespace, f"--values={CHART / 'ci/everything-values.yaml'}", "--set=collector.hostPID=false"
    )
    kinds = ("DaemonSet", "Deployment", "StatefulSet", "Job", "Pod")
    objects = [found for found in yaml.safe_load_all(text) if found is not None and found["kind"] in kinds]
    found = {pod["metadata"]["name"]: pod for pod in map(pod_of, objects)}
    claim = {"name": "data", "emptyDir": {}}
    found["influxdb"]["spec"]["volumes"].append(claim)
    return found


def test_the_strictest_standard_lets_all_in_but_the_collector(strict: str, cluster: Cluster):
    found = pods(cluster, strict)
    assert set(found) == {*RESTRICTED, "collector"}
    for name in RESTRICTED:
        status, answer, warnings = post(cluster, f"/api/v1/namespaces/{strict}/pods", found[name])
        assert status == 201, answer
        assert not warnings
    status, answer, _ = post(cluster, f"/api/v1/namespaces/{strict}/pods", found["collector"])
    assert status == 403
    assert 'volumes "proc", "sys", "root", "spool" use restricted volume type "hostPath"' in answer["message"]


def test_without_a_spool_on_the_host_the_collector_is_refused_for_its_mounts_alone(strict: str, cluster: Cluster):
    objects = [found for found in yaml.safe_load_all(cluster.template(strict)) if found is not None]
    (daemons,) = (found for found in objects if found["kind"] == "DaemonSet")
    _, answer, _ = post(cluster, f"/api/v1/namespaces/{strict}/pods", pod_of(daemons))
    message = answer["message"]
    assert 'violates PodSecurity "restricted:latest"' in message
    reasons = message.split('"restricted:latest": ', 1)[1]
    assert reasons == 'restricted volume types (volumes "proc", "sys", "root" use restricted volume type "hostPath")'
