"""A release of the chart on the real node, handled as people handle it: Helm, kubectl, HTTP."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from servers import KubectlFailed, RealNode, program
from servers.client import Client
from tests import waiting

CHART = Path(__file__).resolve().parents[2] / "charts" / "nodetide"
NAME = "nodetide"
#: Its image is not to be had.
WITHOUT_GRAFANA = "--set=grafana.enabled=false"


class HelmFailed(Exception):
    """The message is Helm's."""


class Release:
    """The release `nodetide` in the namespace of the same name.

    Args:
        folder: where Helm keeps what it keeps.
    """

    def __init__(self, node: RealNode, folder: Path) -> None:
        self.node = node
        homes = {name: str(folder / name) for name in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")}
        self._env = {**os.environ, **homes, "KUBECONFIG": str(node.plane.kubeconfig), "HELM_NAMESPACE": NAME}

    def helm(self, *arguments: str) -> str:
        """What Helm prints. Raises HelmFailed."""
        argv = [str(program("helm")), *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=self._env, timeout=900)
        if done.returncode != 0:
            raise HelmFailed(done.stdout + done.stderr)
        return done.stdout

    def install(self, *options: str, chart: Path = CHART) -> None:
        self.helm("install", NAME, str(chart), "--create-namespace", WITHOUT_GRAFANA, *options)

    def upgrade(self, *options: str, chart: Path = CHART) -> None:
        """With the values that it has, and these."""
        self.helm("upgrade", NAME, str(chart), "--reset-then-reuse-values", *options)

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """In the release's namespace. Raises KubectlFailed."""
        return self.node.plane.kubectl(f"--namespace={NAME}", *arguments, stdin=stdin)

    def get(self, kind: str, *options: str) -> list[dict[str, Any]]:
        """Objects of a kind."""
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", kind, "--output=json", *options))["items"]
        return found

    def one(self, kind: str, name: str) -> dict[str, Any]:
        """Raises KubectlFailed if there is none."""
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "--output=json"))
        return found

    def apply(self, made: dict[str, Any]) -> str:
        """What kubectl says of it."""
        return self.kubectl("apply", "--filename=-", stdin=json.dumps(made))

    def secret(self, name: str, key: str) -> str:
        return base64.b64decode(self.one("secret", name)["data"][key]).decode()

    def pods(self, component: str) -> list[dict[str, Any]]:
        """Those of a part that are not about to end."""
        found = self.get("pods", f"--selector=app.kubernetes.io/component={component}")
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def on_the_node(self, component: str) -> str:
        """The name of a part's pod on the real node. Raises LookupError while there is none."""
        found = [pod for pod in self.pods(component) if pod["spec"].get("nodeName") == self.node.name]
        return str(found[0]["metadata"]["name"])

    def reached(self, component: str, port: int, **headers: str) -> Client:
        """A client for the only pod of a part. Raises LookupError while there is none."""
        addresses = [pod["status"].get("podIP") for pod in self.pods(component)]
        if len(addresses) != 1 or not addresses[0]:
            raise LookupError(f"pods of {component}: {addresses}")
        return Client(f"http://{addresses[0]}:{port}", headers)

    def evict(self, pod: str) -> None:
        """As `kubectl drain` does, which asks again where a PodDisruptionBudget forbids it for now."""
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": NAME}}
        eventually(lambda: self.node.plane.call("POST", f"/api/v1/namespaces/{NAME}/pods/{pod}/eviction", eviction))

    @property
    def api(self) -> Client:
        return self.reached("api", 8000)

    @contextmanager
    def forwarded(self, service: str, port: int) -> Iterator[Client]:
        """A client of the Service by `kubectl port-forward`."""
        argv = [str(program("kubectl")), "port-forward", f"--namespace={NAME}", f"service/{service}", f":{port}"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=self._env) as process:
            try:
                assert process.stdout is not None
                said = process.stdout.readline()
                found = re.search(r"127\.0\.0\.1:\d+", said)
                assert found, said
                yield Client(f"http://{found[0]}")
            finally:
                process.terminate()

    def remove(self) -> None:
        """Take away all there is of it, also what an uninstalled one leaves."""
        self.helm("uninstall", NAME, "--no-hooks", "--ignore-not-found", "--wait")
        self.kubectl("delete", "namespace", NAME, "--ignore-not-found", "--timeout=300s")
        self.kubectl("delete", "crd", "metricpolicies.nodetide.io", "--ignore-not-found", "--timeout=300s")


def eventually(look: Callable[[], Any], patience: float = 300) -> Any:
    """What `look` says, once it is true; an error of what it asks means not yet."""
    return waiting.eventually(look, patience=patience, not_yet=(OSError, LookupError, KubectlFailed), every=0.2)


def touch(release: Release, component: str) -> str:
    """Has the kubelet look after a part's pod, and its volumes, now and not in a minute; says the pod's name."""
    name = release.on_the_node(component)
    release.kubectl("annotate", "pod", name, f"touched={time.time()}", "--overwrite")
    return name


def policy(name: str, **spec: Any) -> dict[str, Any]:
    """A MetricPolicy."""
    return {"apiVersion": "nodetide.io/v1alpha1", "kind": "MetricPolicy", "metadata": {"name": name}, "spec": spec}


def condition(found: dict[str, Any], kind: str) -> str:
    """The status of a condition of an object, or `missing`."""
    conditions = found.get("status", {}).get("conditions", [])
    return next((entry["status"] for entry in conditions if entry["type"] == kind), "missing")
