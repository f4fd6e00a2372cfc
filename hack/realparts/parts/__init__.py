"""The parts there are. To add one: write its file beside this one, and list it in a group here."""

from __future__ import annotations

from collections.abc import Mapping

from .alertmanager import ALERTMANAGER, AMTOOL
from .chromium import CHROMEDRIVER, CHROMIUM
from .compose import DOCKER_COMPOSE
from .containers import BUSYBOX, CNI_PLUGINS, CONTAINERD, CONTAINERD_SHIM, CTR, IP, IPTABLES, RUNC
from .coredns import COREDNS
from .etcd import ETCD
from .helm import HELM
from .images import BUILDAH, DEBOOTSTRAP, DOCKERD, PYTHON_BASE
from .influxd import INFLUXD
from .kind import KIND
from .kubernetes import (
    KUBE_APISERVER,
    KUBE_CONTROLLER_MANAGER,
    KUBE_PROXY,
    KUBE_SCHEDULER,
    KUBECTL,
    KUBELET,
)
from .kwok import KWOK
from .node_exporter import NODE_EXPORTER
from .part import Part
from .pause import PAUSE
from .prometheus import PROMETHEUS, PROMTOOL
from .telegraf import TELEGRAF

GROUPS: Mapping[str, tuple[Part, ...]] = {
    "metrics": (
        INFLUXD,
        TELEGRAF,
        NODE_EXPORTER,
        PROMETHEUS,
        PROMTOOL,
        ALERTMANAGER,
        AMTOOL,
        CHROMIUM,
        CHROMEDRIVER,
    ),
    "cluster": (
        ETCD,
        KUBE_APISERVER,
        KUBE_CONTROLLER_MANAGER,
        KUBE_SCHEDULER,
        KUBECTL,
        KWOK,
        HELM,
        KIND,
    ),
    "node": (
        CONTAINERD,
        CONTAINERD_SHIM,
        CTR,
        RUNC,
        CNI_PLUGINS,
        KUBELET,
        KUBE_PROXY,
        COREDNS,
        PAUSE,
        BUSYBOX,
        IPTABLES,
        IP,
    ),
    "images": (
        DOCKER_COMPOSE,
        DOCKERD,
        BUILDAH,
        DEBOOTSTRAP,
        PYTHON_BASE,
    ),
}
#: Groups whose parts not every machine can have or run: containers in a container, say. Tests say so and skip.
OPTIONAL = frozenset({"images"})
PARTS: tuple[Part, ...] = tuple(part for group in GROUPS.values() for part in group)
