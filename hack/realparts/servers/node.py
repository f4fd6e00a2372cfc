"""A real Kubernetes node, on which pods really run, and the control plane it belongs to."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import archive, node_files, scratch, volumes
from .cgroups import ControlGroup
from .client import CallFailed, Client
from .cluster import ControlPlane
from .machine import CommandFailed, Inside, Machine
from .node_files import HOME, SOCKET
from .program import program
from .server import Server

PARTS = (
    *("containerd", "containerd-shim-runc-v2", "ctr", "runc", "cni-plugins", "kubelet", "kube-proxy", "coredns"),
    *("pause", "iptables", "ip", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"),
)
"""What a node and its control plane need."""
_INSTALLED = ("containerd", "containerd-shim-runc-v2", "ctr", "runc", "kubelet", "kube-proxy", "coredns")
_PLUGINS = ("bridge", "host-local", "loopback", "portmap")
_PATIENCE = 180.0
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"


class RealNode:
    """One node with its control plane. Each server can be stopped, killed and started by itself.

    Args:
        folder: where data and logs go.
        name: the node's, and its host's.
        apiserver_options: further ones.
        volumes: how many volumes there are for claims.
    """

    def __init__(self, folder: Path, *, name: str, apiserver_options: Sequence[str], volumes: int) -> None:
        self.name = name
        self._folder = folder / "node"
        self._folder.mkdir(parents=True)
        self._volumes = volumes
        self._group = ControlGroup("nodetide-node")
        self.machine = Machine(self._folder, name)
        network = self.machine.network
        self.plane = ControlPlane(folder, apiserver_options=apiserver_options, address=network.here)
        path = f"PATH={HOME}/bin:{os.environ['PATH']}"
        self.containerd = self._server(
            "containerd", ["env", path, "containerd", f"--config={HOME}/containerd.toml"], self._containerd_answers
        )
        kubelet = [f"--config={HOME}/kubelet.yaml", f"--kubeconfig={HOME}/kubelet.kubeconfig"]
        kubelet += [f"--hostname-override={name}", f"--node-ip={network.there}"]
        health = Client(f"http://{network.there}:{node_files.KUBELET_HEALTH}")
        self.kubelet = self._server(
            "kubelet", ["env", path, "kubelet", *kubelet], lambda: health.call("GET", "/healthz")
        )
        proxy_health = Client(f"http://{network.there}:{node_files.PROXY_HEALTH}")
        self.proxy = self._server(
            "kube-proxy",
            [f"{HOME}/bin/kube-proxy", f"--config={HOME}/proxy.yaml"],
            lambda: proxy_health.call("GET", "/healthz"),
        )
        dns_health = Client(f"http://{network.bridge}:{node_files.DNS_HEALTH}")
        self.dns = self._server(
            "coredns",
            [f"{HOME}/bin/coredns", f"-conf={HOME}/Corefile"],
            lambda: dns_health.call("GET", "/ready"),
        )

    @property
    def servers(self) -> tuple[Server, ...]:
        """What runs on the machine, in the order in which they need each other."""
        return (self.containerd, self.kubelet, self.proxy, self.dns)

    def start(self) -> None:
        """Start all of it, and wait until the node is Ready. Raises StartFailed."""
        self._group.make()
        self._install()
        self.machine.start()
        self.containerd.launch()
        self.plane.start()
        for made in (*node_files.dns_objects(self.machine.network), *volumes.objects(self._volumes)):
            self.create(made)
        self.containerd.await_answer()
        self.load(scratch.image(program("pause"), node_files.PAUSE, self._folder / "pause.tar"))
        self._start_programs()

    def stop(self) -> None:
        """End all of it at once, pods too, and take away what it had on this machine but for logs."""
        self.machine.stop()
        for server in (*self.servers, *self.plane.servers):
            server.kill()
        self.machine.clear()
        self._group.remove()

    def reboot(self) -> None:
        """As when its power fails: all that runs there is gone, the disk stays, and then it starts again."""
        self.machine.kill()
        for server in self.servers:
            server.kill()
        # A kernel that starts has none of the groups of before; for each, the kubelet would look for seconds.
        self._group.remove()
        self._group.make()
        self.machine.start()
        self.containerd.start()
        self._start_programs()

    def load(self, *archives: Path) -> None:
        """Take in images, from archives as ``docker load`` takes them. Raises CommandFailed."""
        joined = archive.joined(archives, self._folder / "images.tar")
        try:
            self._ctr("images", "import", "-", stdin=joined)
        finally:
            joined.unlink()

    def images(self) -> list[str]:
        """The images there are, by their full names."""
        return self._ctr("images", "list", "--quiet").split()

    def create(self, made: dict[str, Any]) -> None:
        """Create any object as admin; raises KubectlFailed if it is there."""
        self.plane.kubectl("create", "--filename=-", stdin=json.dumps(made))

    def _start_programs(self) -> None:
        since = datetime.now(timezone.utc)
        programs = (self.proxy, self.dns, self.kubelet)
        for server in programs:
            server.launch()
        for server in programs:
            server.await_answer()
        deadline = time.monotonic() + _PATIENCE
        while not self._is_ready(since):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} is not ready\n{self.plane.kubectl('describe', 'node', self.name)}")
            time.sleep(0.05)

    def _is_ready(self, since: datetime) -> bool:
        """What a node said before it went down stands for a while, so it has to have been heard of since."""
        try:
            heard = self.plane.call("GET", f"{_LEASES}/{self.name}")["spec"]["renewTime"]
            conditions = self.plane.call("GET", f"/api/v1/nodes/{self.name}")["status"]["conditions"]
        except (CallFailed, LookupError):
            return False
        ready = {"type": "Ready", "status": "True"}
        return _instant(heard) >= since and any(ready.items() <= condition.items() for condition in conditions)

    def _install(self) -> None:
        home = self.machine.disk / "lib" / Path(HOME).relative_to("/var/lib")
        (home / "bin").mkdir(parents=True)
        (home / "cni").mkdir()
        plugins = program("cni-plugins").parent
        for source in (*map(program, _INSTALLED), *(plugins / name for name in _PLUGINS)):
            _place(source, home / "bin" / source.name)
        for path, text in node_files.files(self.machine.network, self.name, self._group.name).items():
            (home / path).write_text(text)
        serving = self.plane.serving("kubelet-serving", self.machine.network.there)
        identities = {
            "kubelet.kubeconfig": self.plane.identity(f"system:node:{self.name}", group="system:nodes"),
            "proxy.kubeconfig": self.plane.identity("system:kube-proxy"),
            "dns.kubeconfig": self.plane.kubeconfig,
            "ca.crt": self.plane.ca,
            "kubelet.crt": serving.certificate,
            "kubelet.key": serving.key,
        }
        for path, source in identities.items():
            shutil.copy(source, home / path)
        for directory in volumes.directories(self._volumes):
            own = self.machine.disk / "lib" / directory.relative_to("/var/lib")
            own.mkdir(parents=True)
            own.chmod(0o777)

    def _containerd_answers(self) -> None:
        try:
            self._ctr("version")
        except CommandFailed as error:
            raise OSError(str(error)) from error

    def _ctr(self, *arguments: str, stdin: Path | None = None) -> str:
        return self.machine.run(f"{HOME}/bin/ctr", f"--address={SOCKET}", "--namespace=k8s.io", *arguments, stdin=stdin)

    def _server(self, name: str, argv: Sequence[str], answers: Callable[[], object]) -> Server:
        return Server(Inside(self.machine, name, argv, log=self._folder / f"{name}.log"), answers)


def _instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")


def _place(source: Path, to: Path) -> None:
    try:
        to.hardlink_to(source)
    except OSError:  # another disk
        shutil.copy2(source, to)


@contextmanager
def real_node(
    folder: Path, *, name: str = "real-node", apiserver_options: Sequence[str] = (), volumes: int = 4
) -> Iterator[RealNode]:
    """Run a node and its control plane, with data and logs in `folder`. Needs root.

    Pods reach each other, Services by name, and this machine at `machine.network.here`; there is no way out.
    """
    node = RealNode(folder, name=name, apiserver_options=apiserver_options, volumes=volumes)
    try:
        node.start()
        yield node
    finally:
        node.stop()
