"""A real apiserver, without nodes, and Helm."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import ControlPlane, KubectlFailed, program

CHART = Path(__file__).resolve().parents[3] / "charts" / "nodetide"
#: Kinds that the chart knows of others: here they take anything.
FOREIGN = (
    ("monitoring.coreos.com", "v1", "ServiceMonitor", "servicemonitors"),
    ("monitoring.coreos.com", "v1", "PrometheusRule", "prometheusrules"),
    ("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes"),
)


class Failed(Exception):
    """Helm failed; the message is Helm's."""


class Cluster:
    """What tests do with it."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane = plane
        self.kubectl = plane.kubectl
        homes = {name: str(folder / name) for name in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")}
        self._env = {**os.environ, **homes, "KUBECONFIG": str(plane.kubeconfig)}

    def helm(self, *arguments: str) -> str:
        """Raises Failed."""
        argv = [str(program("helm")), *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=self._env, timeout=300)
        if done.returncode != 0:
            raise Failed(done.stdout + done.stderr)
        return done.stdout

    def template(self, namespace: str, *arguments: str) -> str:
        return self.helm("template", "nodetide", str(CHART), f"--namespace={namespace}", *arguments)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, needs_parts: Callable[..., None]) -> Iterator[Cluster]:
    needs_parts("etcd", "kube-apiserver", "kubectl", "helm")
    folder = tmp_path_factory.mktemp("chart")
    plane = ControlPlane(folder)
    try:
        plane.etcd.start()
        plane.apiserver.start()
        for foreign in FOREIGN:
            plane.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", _anything(*foreign))
        for namespace in ("nodetide", "team-a"):
            plane.kubectl("create", "namespace", namespace)
        # Pods are not even tried out without the account that the release makes.
        plane.kubectl("create", "serviceaccount", "nodetide", "--namespace=nodetide")
        for _, _, _, plural in FOREIGN:
            plane.kubectl("wait", "--for=create", f"crd/{plural}.{_group(plural)}", "--timeout=120s")
            plane.kubectl("wait", "--for=condition=Established", f"crd/{plural}.{_group(plural)}", "--timeout=120s")
            # And kubectl, by another way, hears of a kind some moments later.
            _await(lambda plural=plural: _lists(plane, f"{plural}.{_group(plural)}"))
        yield Cluster(plane, folder)
    finally:
        plane.apiserver.stop()
        plane.etcd.stop()


@pytest.fixture(scope="session")
def failed() -> type[Exception]:
    return Failed


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> str:
    """A new one."""
    name = f"t{abs(hash(request.node.nodeid)) % 10**8}"
    cluster.kubectl("create", "namespace", name)
    return name


def _await(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not look():
        assert time.monotonic() < deadline, "not within time"
        time.sleep(0.1)


def _lists(plane: ControlPlane, kind: str) -> bool:
    try:
        plane.kubectl("get", kind, "--namespace=default")
    except KubectlFailed:
        return False
    return True


def _group(plural: str) -> str:
    return next(group for group, _, _, known in FOREIGN if known == plural)


def _anything(group: str, version: str, kind: str, plural: str) -> dict[str, Any]:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes/enhancements/pull/1111"},
        },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }
