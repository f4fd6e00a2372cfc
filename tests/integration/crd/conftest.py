"""A real apiserver with the CRD of manifests/, and one kept connection to it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from servers import ControlPlane
from servers.certs import trusting
from tests import waiting

from nodetide_core.policy import API_VERSION, KIND

CRD = Path(__file__).resolve().parents[3] / "manifests" / "crd.yaml"
POLICIES = f"/apis/{API_VERSION}/namespaces/default/metricpolicies"
PATIENCE = 120


@dataclass(frozen=True)
class Answer:
    """What the apiserver said of a request."""

    status: int
    body: Any
    warnings: tuple[str, ...]

    @property
    def accepted(self) -> bool:
        return self.status < 400

    @property
    def causes(self) -> list[tuple[str, str]]:
        """Field and message of everything wrong; the field is empty where the document could not be read."""
        details = self.body.get("details", {})
        named = [(cause["field"], cause["message"]) for cause in details.get("causes", [])]
        return named or [("", self.body["message"])]


class Api:
    """Requests as the admin, over one connection."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        address = urlsplit(plane.url)
        self._connection = http.client.HTTPSConnection(
            address.hostname, address.port, context=trusting(plane.ca, plane.admin), timeout=PATIENCE
        )

    def close(self) -> None:
        self._connection.close()

    def call(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Answer:
        payload = None if body is None else json.dumps(body)
        try:
            answer = self._exchange(method, path, payload, kind)
        except (OSError, http.client.HTTPException):  # the apiserver closes what was idle for long
            self._connection.close()
            answer = self._exchange(method, path, payload, kind)
        warnings = tuple(answer.headers.get_all("Warning") or ())
        text = answer.read().decode()
        # What is not served yet is refused in plain text.
        is_json = answer.headers.get_content_type() == "application/json"
        return Answer(answer.status, json.loads(text) if is_json else {"message": text}, warnings)

    def _exchange(self, method: str, path: str, payload: str | None, kind: str) -> http.client.HTTPResponse:
        self._connection.request(method, path, payload, {"Content-Type": kind})
        return self._connection.getresponse()

    def try_out(self, document: Any, validation: str = "Strict") -> Answer:
        """What `kubectl apply --dry-run=server` asks for a new object."""
        return self.call("POST", f"{POLICIES}?dryRun=All&fieldValidation={validation}", document)


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory, needs_parts: Callable[..., None]) -> Iterator[Api]:
    needs_parts("etcd", "kube-apiserver", "kubectl")
    plane = ControlPlane(tmp_path_factory.mktemp("crd"))
    api = Api(plane)
    try:
        plane.etcd.start()
        plane.apiserver.start()
        plane.kubectl("apply", f"--filename={CRD}")
        # `kubectl wait` fails on a definition that has no conditions yet.
        _await(lambda: api.call("GET", POLICIES).accepted)
        # And kubectl, by other ways, hears of a kind some moments later.
        _await(lambda: "nodetide.io/v1alpha1" in plane.kubectl("api-resources", "--api-group=nodetide.io"))
        _await(lambda: api.call("GET", "/openapi/v3/apis/nodetide.io/v1alpha1").accepted)
        yield api
    finally:
        api.close()
        plane.apiserver.stop()
        plane.etcd.stop()


@pytest.fixture
def stored(api: Api) -> Iterator[Callable[..., Any]]:
    """Makes a policy that stays until the test ends, and gives the object."""
    names: list[str] = []

    def make(document: Any) -> Any:
        answer = api.call("POST", POLICIES, document)
        assert answer.accepted, answer.causes
        names.append(document["metadata"]["name"])
        return answer.body

    yield make
    for name in names:
        api.call("DELETE", f"{POLICIES}/{name}")


@pytest.fixture(scope="session")
def document() -> Callable[..., dict[str, Any]]:
    """A MetricPolicy with the spec given."""

    def make(spec: Any, name: str = "p") -> dict[str, Any]:
        return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spec}

    return make


@pytest.fixture(scope="session")
def crd() -> dict[str, Any]:
    """The definition, as the repository has it."""
    found: dict[str, Any] = yaml.safe_load(CRD.read_text())
    return found


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], Any]], Any]:
    return _await


def _await(look: Callable[[], Any]) -> Any:
    """What ``look`` says, once it is true."""
    return waiting.eventually(look, patience=PATIENCE)
