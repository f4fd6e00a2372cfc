"""What the operator takes for granted of the apiserver, and its watch, on a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.client import ApiClient
from kubernetes.config import new_client_from_config
from servers import ControlPlane, control_plane
from tests import waiting

from nodetide_core.policy import API_VERSION, KIND
from nodetide_operator.apiserver import Apiserver, ClusterRefused
from nodetide_operator.cluster import Cluster
from nodetide_operator.handlers import Watch
from nodetide_operator.statuses import Notice
from nodetide_operator.world import PolicyObject, World, policy_object

CRD = yaml.safe_load((Path(__file__).resolve().parents[2] / "manifests" / "crd.yaml").read_text())
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PATIENCE = 180

pytestmark = [
    pytest.mark.peer,
    pytest.mark.slow,
    # Kopf's HTTP client leaves it to the loop to close its sockets, and to nobody where the loop has ended.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory, needs_parts: Callable[..., None]) -> Iterator[ControlPlane]:
    needs_parts("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
    with control_plane(tmp_path_factory.mktemp("plane")) as running:
        yield running


class Site:
    """The apiserver, as its admin and as the operator sees it."""

    def __init__(self, client: ApiClient) -> None:
        self.api = Apiserver(client)
        self.cluster = Cluster(client, "default")

    def install(self) -> None:
        self.api.call("POST", CRDS, CRD)
        name = CRD["metadata"]["name"]

        def served() -> bool:
            found = self.api.call("GET", f"{CRDS}/{name}") or {}
            established = {"type": "Established", "status": "True"}.items()
            if not any(established <= item.items() for item in (found.get("status") or {}).get("conditions") or ()):
                return False
            return self.api.call("GET", self.path(), absent=(404,)) is not None

        eventually(served)

    def uninstall(self) -> None:
        self.api.call("DELETE", f"{CRDS}/{CRD['metadata']['name']}")
        eventually(lambda: self.api.call("GET", f"{CRDS}/{CRD['metadata']['name']}", absent=(404,)) is None)

    def path(self, name: str = "", namespace: str = "default") -> str:
        return f"/apis/{API_VERSION}/namespaces/{namespace}/metricpolicies" + (f"/{name}" if name else "")

    def create(self, name: str, namespace: str = "default") -> PolicyObject:
        spec = {"storage": {"bucket": name.replace(".", "")[:100]}}
        body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spec}
        return policy_object(self.api.call("POST", self.path(namespace=namespace), body) or {})

    def edit(self, name: str, interval: str) -> None:
        self.api.call("PATCH", self.path(name), {"spec": {"collection": {"interval": interval}}})

    def get(self, name: str) -> PolicyObject:
        return policy_object(self.api.call("GET", self.path(name)) or {})


def eventually(holds: Callable[[], Any]) -> None:
    waiting.eventually(holds, patience=PATIENCE)


@pytest.fixture
def site(plane: ControlPlane) -> Iterator[Site]:
    client = new_client_from_config(str(plane.kubeconfig))
    made = Site(client)
    made.install()
    yield made
    made.uninstall()
    client.rest_client.pool_manager.clear()


Watching = Callable[[], tuple[World, Watch, list[int]]]


@pytest.fixture
def watching(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watching]:
    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig))
    watches: list[Watch] = []

    def make() -> tuple[World, Watch, list[int]]:
        world, ended = World(), list[int]()
        watches.append(Watch(world, lambda: ended.append(1)))
        return world, watches[-1], ended

    yield make
    for watch in watches:
        watch.stop(PATIENCE)


def names(world: World) -> set[str]:
    return {name for _, name in world.snapshot().policies}


def test_a_status_is_written_once_and_only_on_what_it_is_about(site: Site) -> None:
    policy = site.create("a")
    status = {"observedGeneration": 1, "lag": "0s", "firing": 3}
    written = policy_object(site.cluster.patch_status(policy, status) or {})
    assert (dict(written.status), written.generation, written.uid) == (status, 1, policy.uid)
    assert written.version != policy.version
    again = policy_object(site.cluster.patch_status(written, {"observedGeneration": 1, "lag": "5m"}) or {})
    assert dict(again.status) == {"observedGeneration": 1, "lag": "5m"}, "what is not told any more is gone"
    assert policy_object(site.cluster.patch_status(again, dict(again.status)) or {}).version == again.version
    assert site.cluster.patch_status(written, status) is None, "it has changed since"
    site.api.call("DELETE", site.path("a"))
    assert site.cluster.patch_status(again, status) is None, "it is gone"
    site.create("a")
    assert site.cluster.patch_status(again, status) is None, "it is another"
    assert site.get("a").status == {}


def test_a_status_that_the_crd_does_not_allow_is_told_of(site: Site) -> None:
    with pytest.raises(ClusterRefused, match=r"422 .*status\.lag"):
        site.cluster.patch_status(site.create("a"), {"lag": 5})


def test_without_the_kind_or_a_namespace(site: Site) -> None:
    assert site.cluster.policies(["default", "not-there-yet"]).policies == []
    site.uninstall()
    for namespaces in ([], ["default"]):
        eventually(lambda namespaces=namespaces: is_refused(site, namespaces))
    site.install()


def is_refused(site: Site, namespaces: list[str]) -> bool:
    """Whether policies are no more known: the apiserver serves a kind for a moment after its definition is gone."""
    try:
        site.cluster.policies(namespaces)
    except ClusterRefused as refused:
        return "404" in str(refused)
    return False


def test_events_secrets_and_configmaps_are_taken(site: Site) -> None:
    policy = site.create("x." * 120 + "x")
    site.cluster.event(policy, Notice(True, "Invalid", "é" * 2_000), "2026-01-01T00:00:00.000000Z")
    listed = site.api.items("/apis/events.k8s.io/v1/namespaces/default/events")
    assert [item["reason"] for item in listed if item["regarding"].get("uid") == policy.uid] == ["Invalid"]
    assert site.cluster.secret("t", "token") is None
    for value in ("one", "two"):
        site.cluster.put_secret("t", "token", value)
        assert site.cluster.secret("t", "token") == value
    assert site.cluster.settings("s") is None
    for exists, content in ((False, {"data": {"a": "1"}}), (True, {"binaryData": {"b": "MQ=="}})):
        site.cluster.put_settings("s", content, exists=exists)
        found = site.cluster.settings("s") or {}
        assert {part: found[part] for part in ("data", "binaryData") if part in found} == content


def test_versions_grow_so_that_events_can_be_told_from_older_ones(site: Site) -> None:
    versions = [int(site.create(name).version) for name in ("a", "b")]
    site.edit("a", "7s")
    versions.append(int(site.get("a").version))
    assert versions == sorted(set(versions))


def test_what_happens_is_watched(site: Site, watching: Watching) -> None:
    site.create("before")
    world, watch, ended = watching()
    watch.ensure(["default"])
    eventually(lambda: names(world) == {"before"})
    site.create("after")
    site.edit("before", "7s")
    found = ("default", "before")
    eventually(lambda: world.snapshot().policies[found].spec.get("collection", {}).get("interval") == "7s")
    site.api.call("DELETE", site.path("before"))
    eventually(lambda: names(world) == {"after"})
    site.api.call("POST", "/api/v1/nodes", {"metadata": {"name": "n", "labels": {"pool": "x"}}})
    eventually(lambda: world.snapshot().nodes.get("n", {}).get("pool") == "x")
    site.api.call("DELETE", "/api/v1/nodes/n")
    eventually(lambda: "n" not in world.snapshot().nodes)
    assert watch.running and not ended


def test_a_kind_that_goes_ends_the_watch_which_begins_anew_once_it_is_back(site: Site, watching: Watching) -> None:
    world, watch, ended = watching()
    watch.ensure([])
    site.create("old")
    eventually(lambda: names(world) == {"old"})
    site.uninstall()
    eventually(lambda: ended)
    assert not watch.running
    assert names(world) == set(), "that policies went with it was told"
    site.install()
    watch.ensure([])
    site.create("new")
    eventually(lambda: names(world) == {"new"})
    assert watch.running


def test_other_namespaces_are_watched_once_they_may_be(site: Site, watching: Watching) -> None:
    world, watch, ended = watching()
    watch.ensure(["default"])
    site.create("here")
    eventually(lambda: names(world) == {"here"})
    site.api.call("POST", "/api/v1/namespaces", {"metadata": {"name": "team"}})
    watch.ensure(["default", "team"])
    site.create("there", namespace="team")
    eventually(lambda: names(world) == {"here", "there"})
    assert not ended, "that it was ended on purpose is no news"
