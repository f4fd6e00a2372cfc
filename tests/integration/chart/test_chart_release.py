"""A release on a real apiserver: installed, upgraded, rolled back, uninstalled. Without nodes nothing runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from tests.integration.chart.conftest import Cluster

pytestmark = [pytest.mark.peer, pytest.mark.slow]

CHART = Path(__file__).resolve().parents[3] / "charts" / "nodetide"
SCRIPTS = CHART / "files" / "scripts"


def get(cluster: Cluster, namespace: str, kind: str, name: str = "") -> Any:
    found = json.loads(
        cluster.kubectl("get", kind, *([name] if name else []), f"--namespace={namespace}", "--output=json")
    )
    return found if name else found["items"]


def as_the_job(
    cluster: Cluster, namespace: str, folder: Path, script: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Runs a script of the chart with the rights of its account."""
    folder.mkdir(exist_ok=True)
    (folder / "token").write_text(cluster.kubectl("create", "token", "nodetide-policy", f"--namespace={namespace}"))
    (folder / "ca.crt").write_bytes(cluster.plane.ca.read_bytes())
    address = urlsplit(cluster.plane.url)
    env = {
        **os.environ,
        "ACCOUNT": str(folder),
        "KUBERNETES_SERVICE_HOST": str(address.hostname),
        "KUBERNETES_SERVICE_PORT": str(address.port),
    }
    argv = [sys.executable, str(SCRIPTS / script), namespace, *arguments]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=300)


def policy_file(cluster: Cluster, namespace: str, folder: Path) -> Path:
    file = folder / "policy.yaml"
    file.write_text(get(cluster, namespace, "configmap", "nodetide-default-policy")["data"]["policy.yaml"])
    return file


@pytest.fixture
def release(cluster: Cluster, namespace: str) -> Any:
    cluster.helm("install", "nodetide", str(CHART), f"--namespace={namespace}")
    yield namespace
    cluster.helm("uninstall", "nodetide", f"--namespace={namespace}", "--no-hooks", "--ignore-not-found")
    cluster.kubectl("delete", "crd", "metricpolicies.nodetide.io", "--ignore-not-found")


def test_what_was_made_once_stays_through_upgrade_and_rollback(release: str, cluster: Cluster):
    def secrets() -> dict[str, Any]:
        return {
            found["metadata"]["name"]: found["data"]
            for found in get(cluster, release, "secret")
            if found["type"] == "Opaque" and "data" in found
        }

    before = secrets()
    assert set(before) == {"nodetide-influxdb", "nodetide-grafana"}
    jobs = {found["metadata"]["name"] for found in get(cluster, release, "job")}
    in_release = f"--namespace={release}"
    cluster.helm("upgrade", "nodetide", str(CHART), in_release, "--set=api.replicas=3,api.auth.enabled=true")
    assert get(cluster, release, "deployment", "nodetide-api")["spec"]["replicas"] == 3
    after = secrets()
    assert before.items() < after.items()
    assert {found["metadata"]["name"] for found in get(cluster, release, "job")} == jobs, "the policy did not change"
    cluster.helm("upgrade", "nodetide", str(CHART), in_release, "--set=defaultPolicy.spec.suspend=true")
    assert {found["metadata"]["name"] for found in get(cluster, release, "job")} != jobs
    cluster.helm("rollback", "nodetide", "1", in_release)
    assert get(cluster, release, "deployment", "nodetide-api")["spec"]["replicas"] == 1
    assert secrets() == before
    assert {found["metadata"]["name"] for found in get(cluster, release, "job")} == jobs


def test_what_the_operator_writes_stays_through_an_upgrade_and_goes_with_the_release(release: str, cluster: Cluster):
    def held() -> tuple[Any, Any]:
        settings = get(cluster, release, "configmap", "nodetide-node-settings")
        return settings.get("data"), get(cluster, release, "secret", "nodetide-token-api").get("data")

    assert held() == (None, None)
    in_release = f"--namespace={release}"
    for kind, name, data in (
        ("configmap", "nodetide-node-settings", {"data": {"settings.json": "{}"}}),
        ("secret", "nodetide-token-api", {"data": {"token": "dG9rZW4="}}),
    ):
        patch = f"--patch={json.dumps(data)}"
        cluster.kubectl("patch", kind, name, in_release, "--type=merge", "--field-manager=nodetide-operator", patch)
    cluster.helm("upgrade", "nodetide", str(CHART), in_release, "--set=api.replicas=3")
    cluster.helm("rollback", "nodetide", "1", in_release)
    assert held() == ({"settings.json": "{}"}, {"token": "dG9rZW4="})
    cluster.helm("uninstall", "nodetide", in_release, "--no-hooks")
    assert "nodetide-" not in cluster.kubectl("get", "configmap", in_release, "--output=name")


def test_uninstalled_it_leaves_what_it_promises_and_a_later_one_goes_on_with_it(release: str, cluster: Cluster):
    kept = get(cluster, release, "secret", "nodetide-influxdb")["data"]
    cluster.helm("uninstall", "nodetide", f"--namespace={release}", "--no-hooks")
    kinds = "all,configmap,secret,role,rolebinding,networkpolicy,poddisruptionbudget,serviceaccount,pvc"
    left = {f"{found['kind']}/{found['metadata']['name']}" for found in get(cluster, release, kinds)}
    assert left == {"Secret/nodetide-influxdb"}
    assert "metricpolicies.nodetide.io" in cluster.kubectl("get", "crd", "--output=name")
    for kind in ("clusterrole", "clusterrolebinding"):
        assert "nodetide" not in cluster.kubectl("get", kind, "--output=name")
    cluster.helm("install", "nodetide", str(CHART), f"--namespace={release}")
    assert get(cluster, release, "secret", "nodetide-influxdb")["data"] == kept


def test_the_job_applies_the_policy_with_no_more_rights_than_it_has(release: str, cluster: Cluster, tmp_path: Path):
    def apply(name: str) -> subprocess.CompletedProcess[str]:
        return as_the_job(cluster, release, tmp_path / "account", "apply.py", name, str(file))

    file = policy_file(cluster, release, tmp_path)
    done = apply("system-metrics")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"applied {release}/system-metrics\n"
    made = get(cluster, release, "metricpolicy", "system-metrics")
    assert made["spec"]["alerts"]
    assert made["metadata"]["generation"] == 1
    assert apply("system-metrics").returncode == 0
    assert get(cluster, release, "metricpolicy", "system-metrics")["metadata"]["generation"] == 1
    # What values do not say any more goes; what its users have set stays.
    cluster.kubectl(
        "patch", "mpol", "system-metrics", f"--namespace={release}", "--type=merge", '--patch={"spec":{"suspend":true}}'
    )
    text = file.read_text()
    file.write_text(text[: text.index("spec:")] + "spec: {}\n")
    assert apply("system-metrics").returncode == 0
    assert get(cluster, release, "metricpolicy", "system-metrics")["spec"].get("alerts") is None
    assert get(cluster, release, "metricpolicy", "system-metrics")["spec"]["suspend"] is True


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("{colection: {}}", ".spec.colection: field not declared in schema"),
        ("{collection: {interval: soon}}", "spec.collection.interval"),
    ],
)
def test_a_wrong_policy_is_told_at_once(spec: str, says: str, release: str, cluster: Cluster, tmp_path: Path):
    file = policy_file(cluster, release, tmp_path)
    text = file.read_text()
    file.write_text(f"{text[: text.index('spec:')]}spec: {spec}\n")
    done = as_the_job(cluster, release, tmp_path / "account", "apply.py", "system-metrics", str(file))
    assert done.returncode == 1
    assert says in done.stderr.replace("\\", "")


def test_removing_goes_on_whether_or_not_there_is_something(release: str, cluster: Cluster, tmp_path: Path):
    def remove() -> subprocess.CompletedProcess[str]:
        return as_the_job(
            cluster, release, tmp_path / "account", "remove.py", "system-metrics", "http://127.0.0.1:9/metrics"
        )

    as_the_job(
        cluster, release, tmp_path / "account", "apply.py", "system-metrics",
        str(policy_file(cluster, release, tmp_path)),
    )  # fmt: skip
    for _ in range(2):
        done = remove()
        assert done.returncode == 0, done.stderr
        assert "is deleted; no operator is there" in done.stdout
        assert not get(cluster, release, "metricpolicy")


def test_a_second_release_without_the_definition_fits_beside_it(
    release: str, cluster: Cluster, failed: type[Exception]
):
    cluster.kubectl("create", "namespace", f"{release}-b")
    elsewhere = (f"--namespace={release}-b", str(CHART))
    with pytest.raises(failed, match=r"metricpolicies\.nodetide\.io"):
        cluster.helm("install", "second", *elsewhere)
    cluster.helm("install", "second", *elsewhere, "--set=crds.enabled=false")
    assert get(cluster, f"{release}-b", "daemonset", "second-nodetide-collector")
    cluster.helm("uninstall", "second", elsewhere[0], "--no-hooks")
