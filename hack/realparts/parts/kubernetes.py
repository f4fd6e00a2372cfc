"""Kubernetes's control plane, what it runs on a node, and kubectl; each its own part, all of one version."""

from __future__ import annotations

from pathlib import Path

from . import gobuild
from .cached import CachedPart
from .steps import Steps

_VERSION = "1.36.3"  # as in the wrapper's go.mod
_WRAPPER = Path(__file__).resolve().parent.parent / "kubernetes"
_MAJOR, _MINOR, _ = _VERSION.split(".")
# Without these an apiserver calls itself v0.0.0, and clients refuse it or guess.
_VARIABLES = {
    "k8s.io/component-base/version.gitVersion": f"v{_VERSION}",
    "k8s.io/component-base/version.gitMajor": _MAJOR,
    "k8s.io/component-base/version.gitMinor": _MINOR,
}


def _command(name: str) -> CachedPart:
    def build(steps: Steps, folder: Path) -> None:
        gobuild.build(
            steps,
            wrapper=_WRAPPER,
            package=f"k8s.io/kubernetes/cmd/{name}",
            output=folder / name,
            variables=_VARIABLES,
        )

    return CachedPart(name, _VERSION, name, build, lambda: gobuild.pins(_WRAPPER))


KUBE_APISERVER = _command("kube-apiserver")
KUBE_CONTROLLER_MANAGER = _command("kube-controller-manager")
KUBE_SCHEDULER = _command("kube-scheduler")
KUBECTL = _command("kubectl")
KUBELET = _command("kubelet")
KUBE_PROXY = _command("kube-proxy")
