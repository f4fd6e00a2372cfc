"""A real apiserver, a real influxd, and installations of Nodetide on them, each for one test."""

from __future__ import annotations

import itertools
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers import ControlPlane, InfluxServer, influxd
from tests.integration.operator.kube import Kube
from tests.integration.operator.org import Org
from tests.integration.operator.rights import Documents
from tests.integration.operator.site import Site, eventually

CRD = Path(__file__).resolve().parents[3] / "manifests" / "crd.yaml"
_numbers = itertools.count()
#: Of every request of a ServiceAccount, who did what to which object, and how it was answered.
_AUDIT = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [{"level": "Metadata", "userGroups": ["system:serviceaccounts"]}, {"level": "None"}],
}


@pytest.fixture(scope="session")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The apiserver's log of what ServiceAccounts asked for."""
    return tmp_path_factory.mktemp("audit") / "audit.jsonl"


@pytest.fixture(scope="session")
def kube(tmp_path_factory: pytest.TempPathFactory, needs_parts: Callable[..., None], audit: Path) -> Iterator[Kube]:
    needs_parts("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
    rules = audit.with_name("policy.json")
    rules.write_text(json.dumps(_AUDIT))
    options = [f"--audit-policy-file={rules}", f"--audit-log-path={audit}"]
    plane = ControlPlane(tmp_path_factory.mktemp("plane"), apiserver_options=options)
    kube = Kube(plane)
    try:
        plane.etcd.start()
        plane.apiserver.start()
        define(kube)
        yield kube
    finally:
        kube.close()
        plane.stop()


def define(kube: Kube) -> None:
    """Make the kind known, and wait until it is."""
    kube.plane.kubectl("apply", f"--filename={CRD}")
    eventually(lambda: kube.find("/apis/nodetide.io/v1alpha1/metricpolicies"))


@pytest.fixture(scope="session")
def influx(tmp_path_factory: pytest.TempPathFactory, needs_parts: Callable[..., None]) -> Iterator[InfluxServer]:
    needs_parts("influxd")
    with influxd(tmp_path_factory.mktemp("influxd"), options=["--log-level=error"]) as running:
        yield running


@pytest.fixture
def new_site(kube: Kube, influx: InfluxServer, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Another installation; ``new_site(rights)`` with other rights than those of the manifests."""
    made: list[Site] = []

    def make(rights: Callable[[str], Documents] | None = None) -> Site:
        name = f"nodetide-{next(_numbers)}"
        folder = tmp_path / name
        folder.mkdir()
        made.append(Site(kube, Org(influx, name), name, folder, None if rights is None else rights(name)))
        return made[-1]

    yield make
    for site in made:
        for operator in site.operators:
            operator.end(signal.SIGKILL)
    if not influx.running:
        influx.start()
    for site in made:
        site.close()


@pytest.fixture
def site(new_site: Callable[..., Site]) -> Site:
    return new_site()
