"""The apiserver as an administrator, and as the operator's own ServiceAccount."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kubernetes import client
from servers import ControlPlane
from servers.certs import trusting

from nodetide_core.policy import API_VERSION, KIND

__all__ = ["SETTINGS", "Kube", "Refused", "client_configuration", "kubeconfig", "policy_path"]

SETTINGS = "nodetide-node-settings"
_PATCH = "application/merge-patch+json"


class Refused(OSError):
    """An answer of 400 and above."""

    def __init__(self, what: str, status: int, message: str) -> None:
        super().__init__(f"{what}: {status} {message}")
        self.status = status


def policy_path(namespace: str, name: str = "") -> str:
    return f"/apis/{API_VERSION}/namespaces/{namespace}/metricpolicies" + (f"/{name}" if name else "")


class Kube:
    """Requests as the administrator, over one connection; safe to share between threads."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        address = urlsplit(plane.url)
        self._lock = threading.Lock()
        self._connection = http.client.HTTPSConnection(
            address.hostname or "", address.port, context=trusting(plane.ca, plane.admin), timeout=120
        )

    def close(self) -> None:
        self._connection.close()

    def call(self, method: str, path: str, body: object = None) -> Any:
        """
        Raises:
            Refused
            OSError: there is no answer.
        """
        payload = None if body is None else json.dumps(body)
        headers = {"Content-Type": _PATCH if method == "PATCH" else "application/json"}
        with self._lock:
            try:
                try:
                    answer, text = self._exchange(method, path, payload, headers)
                except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
                    # The apiserver was restarted meanwhile, or has closed what was idle.
                    self._connection.close()
                    answer, text = self._exchange(method, path, payload, headers)
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                raise OSError(f"{method} {path}: {error}") from error
        is_json = answer.headers.get_content_type() == "application/json"
        found = json.loads(text) if is_json else {"message": text}
        if answer.status >= 400:
            raise Refused(f"{method} {path}", answer.status, found["message"])
        return found

    def _exchange(
        self, method: str, path: str, payload: str | None, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPResponse, str]:
        self._connection.request(method, path, payload, headers)
        answer = self._connection.getresponse()
        return answer, answer.read().decode()

    def find(self, path: str) -> Any:
        """The object, or None where there is none."""
        try:
            return self.call("GET", path)
        except Refused as refused:
            if refused.status != 404:
                raise
            return None

    def make(self, document: Mapping[str, Any]) -> Any:
        """Create an object of a manifest."""
        return self.call("POST", _collection(document), document)

    def make_policy(
        self, namespace: str, name: str, spec: Mapping[str, Any], annotations: Mapping[str, str] | None = None
    ) -> Any:
        metadata = {"name": name, "namespace": namespace, "annotations": dict(annotations or {})}
        return self.make({"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec})

    def events(self, namespace: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")["items"]
        return found

    def settings(self, namespace: str) -> Any:
        """What collectors of this namespace's operator mount, or None where nothing is written."""
        found = self.find(f"/api/v1/namespaces/{namespace}/configmaps/{SETTINGS}")
        return None if found is None else json.loads(found["data"]["settings.json"])

    def token(self, namespace: str, name: str) -> str | None:
        """Of the Secret that the operator keeps for collectors or the API."""
        found = self.find(f"/api/v1/namespaces/{namespace}/secrets/nodetide-token-{name}")
        return None if found is None else base64.b64decode(found["data"]["token"]).decode()

    def account_token(self, namespace: str, account: str) -> str:
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 7200}}
        return str(self.call("POST", path, asked)["status"]["token"])

    def node(self, name: str, **labels: str) -> None:
        """A node with these labels, made or changed; nobody plays it."""
        metadata = {"name": name, "labels": labels}
        try:
            self.make({"apiVersion": "v1", "kind": "Node", "metadata": metadata})
        except Refused as refused:
            if refused.status != 409:
                raise
            self.call("PATCH", f"/api/v1/nodes/{name}", {"metadata": metadata})


def kubeconfig(file: Path, plane: ControlPlane, token: str) -> Path:
    """Written for a ServiceAccount, whose token is all that it knows."""
    cluster = {"server": plane.url, "certificate-authority-data": base64.b64encode(plane.ca.read_bytes()).decode()}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }
    file.touch(mode=0o600)
    file.write_text(json.dumps(config))
    return file


def client_configuration(plane: ControlPlane, token: str) -> client.Configuration:
    """For the client that the operator uses, as a ServiceAccount."""
    configuration = client.Configuration(host=plane.url)
    configuration.ssl_ca_cert = str(plane.ca)
    configuration.api_key = {"authorization": f"Bearer {token}"}
    configuration.retries = False
    return configuration


_PLURALS = {
    "Namespace": "namespaces", "ServiceAccount": "serviceaccounts", "Role": "roles", "RoleBinding": "rolebindings",
    "ClusterRole": "clusterroles", "ClusterRoleBinding": "clusterrolebindings", "Node": "nodes", "Secret": "secrets",
    "ConfigMap": "configmaps", KIND: "metricpolicies",
}  # fmt: skip


def _collection(document: Mapping[str, Any]) -> str:
    version, namespace = document["apiVersion"], document["metadata"].get("namespace")
    start = f"/apis/{version}" if "/" in version else f"/api/{version}"
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"{start}{scope}/{_PLURALS[document['kind']]}"
