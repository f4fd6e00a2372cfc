"""A Kubernetes control plane: etcd, apiserver, controller manager and scheduler, without a node."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import kubeconfig, ports
from .certs import Authority, Pair, trusting
from .client import Client
from .process import Process
from .program import program
from .server import Server
from .services import APISERVER, SERVICES

_INSIDE = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")


class ControlPlane:
    """Four servers, each of which can be stopped, killed and restarted by itself.

    Args:
        folder: where data, logs and certificates are, in `control-plane`.
        apiserver_options: further ones, which win over those here.
        address: where the apiserver listens; if real nodes are to reach it, it can't be loopback.
    """

    def __init__(self, folder: Path, *, apiserver_options: Sequence[str] = (), address: str = ports.LOOPBACK) -> None:
        self._folder = folder / "control-plane"
        authority = Authority.create(self._folder / "certs")
        self.ca = authority.certificate
        self._authority = authority
        self._address = address
        hosts = dict.fromkeys((address, ports.LOOPBACK, "localhost", APISERVER, *_INSIDE))
        self._serving = authority.issue("serving", hosts=tuple(hosts))
        self._accounts = authority.issue("service-accounts")
        self.admin = authority.issue("admin", group="system:masters")
        """May do everything."""
        self._kubectl = program("kubectl")
        etcd_port, peer_port, api_port, manager_port, scheduler_port = ports.free(5)
        self.url = f"https://{address}:{api_port}"
        self.kubeconfig = kubeconfig.write(
            self._folder / "admin.kubeconfig", url=self.url, authority=self.ca, identity=self.admin
        )
        self._client = Client(self.url, tls=trusting(self.ca, self.admin))
        self.etcd = self._etcd(etcd_port, peer_port)
        self.apiserver = self._apiserver(api_port, etcd_port, apiserver_options)
        self.controller_manager = self._controller_manager(manager_port)
        self.scheduler = self._scheduler(scheduler_port)

    @property
    def servers(self) -> tuple[Server, ...]:
        """In the order in which they need each other."""
        return (self.etcd, self.apiserver, self.controller_manager, self.scheduler)

    def start(self) -> None:
        """Start all, and wait until a namespace is ready for pods. Raises StartFailed."""
        self.etcd.start()
        self.apiserver.start()
        for server in (self.controller_manager, self.scheduler):
            server.launch()
        for server in (self.controller_manager, self.scheduler):
            server.await_answer()

    def stop(self) -> None:
        for server in reversed(self.servers):
            server.stop()

    def restart(self) -> None:
        """Stop all and start them on the same ports and data."""
        self.stop()
        self.start()

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Call the apiserver as its admin. Raises CallFailed."""
        return self._client.call(method, path, body)

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl as admin, and return what it prints. Raises CalledProcessError, with its message."""
        argv = [str(self._kubectl), f"--kubeconfig={self.kubeconfig}", *arguments]
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise KubectlFailed(done.returncode, argv, done.stdout, done.stderr)
        return done.stdout

    def serving(self, name: str, host: str) -> Pair:
        """A certificate for another server of the cluster."""
        return self._authority.issue(name, hosts=(host,))

    def identity(self, name: str, *, group: str = "") -> Path:
        """A kubeconfig for the user `name`, for which RBAC decides."""
        pair = self._authority.issue(name.replace(":", "-"), user=name, group=group)
        file = self._folder / f"{name.replace(':', '-')}.kubeconfig"
        return kubeconfig.write(file, url=self.url, authority=self.ca, identity=pair)

    def _etcd(self, port: int, peer_port: int) -> Server:
        url, peer = f"http://{ports.LOOPBACK}:{port}", f"http://{ports.LOOPBACK}:{peer_port}"
        argv: list[str | Path] = [
            program("etcd"),
            f"--data-dir={self._folder / 'etcd'}",
            f"--listen-client-urls={url}",
            f"--advertise-client-urls={url}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",  # a crash of etcd loses nothing; one of the machine may
        ]
        client = Client(url)
        return self._server("etcd", argv, lambda: client.call("GET", "/health"))

    def _apiserver(self, port: int, etcd_port: int, options: Sequence[str]) -> Server:
        argv: list[str | Path] = [
            program("kube-apiserver"),
            *self._serving_options(self._address, port),
            f"--advertise-address={self._address}",
            # It refuses to publish a loopback address.
            f"--endpoint-reconciler-type={'none' if self._address == ports.LOOPBACK else 'lease'}",
            f"--etcd-servers=http://{ports.LOOPBACK}:{etcd_port}",
            f"--client-ca-file={self.ca}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self._accounts.certificate}",
            f"--service-account-signing-key-file={self._accounts.key}",
            f"--service-cluster-ip-range={SERVICES}",
            f"--kubelet-client-certificate={self.admin.certificate}",
            f"--kubelet-client-key={self.admin.key}",
            f"--kubelet-certificate-authority={self.ca}",
            "--kubelet-preferred-address-types=InternalIP",
            "--authorization-mode=Node,RBAC",
            "--allow-privileged=true",
        ]
        return self._server("kube-apiserver", [*argv, *options], lambda: self.call("GET", "/readyz"))

    def _controller_manager(self, port: int) -> Server:
        argv: list[str | Path] = [
            program("kube-controller-manager"),
            *self._serving_options(ports.LOOPBACK, port),
            *self._component_options("system:kube-controller-manager"),
            "--use-service-account-credentials",
            f"--service-account-private-key-file={self._accounts.key}",
            f"--root-ca-file={self.ca}",
            f"--cluster-signing-cert-file={self.ca}",
            f"--cluster-signing-key-file={self._authority.key}",
        ]
        health = self._health(port)

        def answers() -> None:
            health.call("GET", "/healthz")
            # Its doing, and without it no pod is admitted.
            self.call("GET", "/api/v1/namespaces/default/serviceaccounts/default")

        return self._server("kube-controller-manager", argv, answers)

    def _scheduler(self, port: int) -> Server:
        argv: list[str | Path] = [
            program("kube-scheduler"),
            *self._serving_options(ports.LOOPBACK, port),
            *self._component_options("system:kube-scheduler"),
        ]
        health = self._health(port)
        return self._server("kube-scheduler", argv, lambda: health.call("GET", "/healthz"))

    def _serving_options(self, address: str, port: int) -> list[str | Path]:
        return [
            f"--bind-address={address}",
            f"--secure-port={port}",
            f"--tls-cert-file={self._serving.certificate}",
            f"--tls-private-key-file={self._serving.key}",
        ]

    def _component_options(self, user: str) -> list[str | Path]:
        config = self.identity(user)
        return [
            f"--kubeconfig={config}",
            f"--authentication-kubeconfig={config}",
            f"--authorization-kubeconfig={config}",
            "--leader-elect=false",  # it is the only one, and would wait for its own lease after a crash
        ]

    def _health(self, port: int) -> Client:
        return Client(f"https://{ports.LOOPBACK}:{port}", tls=trusting(self.ca))

    def _server(self, name: str, argv: Sequence[str | Path], answers: Callable[[], object]) -> Server:
        return Server(Process(name, argv, log=self._folder / f"{name}.log"), answers)


class KubectlFailed(subprocess.CalledProcessError):
    """Its message is kubectl's."""

    def __str__(self) -> str:
        return f"{super().__str__()}\n{self.stderr.strip()}"


@contextmanager
def control_plane(folder: Path, *, apiserver_options: Sequence[str] = ()) -> Iterator[ControlPlane]:
    """Run a control plane with its data, logs and certificates in `folder`/control-plane."""
    plane = ControlPlane(folder, apiserver_options=apiserver_options)
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()
