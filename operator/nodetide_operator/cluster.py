"""The apiserver, as far as the operator needs it: lists, its ConfigMap and Secrets, statuses, Events.

The one file that knows the Kubernetes client; what watches bring comes by `nodetide_operator.handlers`.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from nodetide_core.errors import TemporaryError
from nodetide_core.policy import API_VERSION, KIND
from nodetide_operator.statuses import Notice
from nodetide_operator.world import PolicyObject

__all__ = ["Cluster", "ClusterUnavailable", "connect"]

_log = logging.getLogger(__name__)

_PLURAL = "metricpolicies"
_PAGE = 500
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
#: Seconds for one call.
_TIMEOUT = 30.0
_MANAGER = "nodetide-operator"
#: Without types of their own.
_LOAD_POD: Callable[..., None] = config.load_incluster_config
_LOAD_FILE: Callable[..., None] = config.load_kube_config
_LABELS = {"app.kubernetes.io/name": "nodetide", "app.kubernetes.io/managed-by": _MANAGER}


class ClusterUnavailable(TemporaryError):
    """The apiserver does not answer, or refuses; the message says what was asked."""


def connect() -> client.ApiClient:
    """From within a pod, or by ``KUBECONFIG``.

    Raises:
        ClusterUnavailable: there is no way to reach a cluster.
    """
    configuration = client.Configuration()
    try:
        try:
            _LOAD_POD(configuration)
        except config.ConfigException:
            _LOAD_FILE(client_configuration=configuration)
    except (config.ConfigException, OSError) as error:
        raise ClusterUnavailable(f"no cluster is configured, neither in a pod nor by KUBECONFIG: {error}") from None
    # A turn that fails is tried again as a whole, and until then its failure is told.
    configuration.retries = False
    return client.ApiClient(configuration)


class Cluster:
    """Safe to share between threads.

    Args:
        namespace: the operator's own.
    """

    def __init__(self, api: client.ApiClient, namespace: str) -> None:
        self._api = api
        self._namespace = namespace

    def policies(self, namespaces: Sequence[str]) -> list[Mapping[str, Any]]:
        """All policies of these namespaces; of every one where none is named."""
        scopes = [f"/namespaces/{name}" for name in namespaces] or [""]
        return [item for scope in scopes for item in self._list(f"/apis/{API_VERSION}{scope}/{_PLURAL}")]

    def nodes(self) -> Iterator[Mapping[str, Any]]:
        """Names and labels, and nothing else: whole nodes are large."""
        return self._list("/api/v1/nodes", accept=_METADATA)

    def patch_status(self, policy: PolicyObject, status: Mapping[str, Any]) -> bool:
        """Put ``status`` in place of the one before; whether the policy is still there, and the same."""
        path = f"/apis/{API_VERSION}/namespaces/{policy.namespace}/{_PLURAL}/{policy.name}/status"
        gone = {name: None for name in policy.status if name not in status}
        body = {"metadata": {"uid": policy.uid}, "status": {**gone, **status}}
        return self._call("PATCH", path, body, absent=(404, 409, 422)) is not None

    def settings(self, name: str) -> Mapping[str, Any] | None:
        """The ConfigMap, or None where there is none."""
        return self._call("GET", self._own("configmaps", name), absent=(404,))

    def put_settings(self, name: str, content: Mapping[str, Any], *, exists: bool) -> None:
        """
        Args:
            content: ``data`` and ``binaryData``.
        """
        body = {"metadata": {"name": name, "labels": _LABELS}, "data": None, "binaryData": None, **content}
        self._put("configmaps", name, body, exists=exists)

    def secret(self, name: str, key: str) -> str | None:
        found = self._call("GET", self._own("secrets", name), absent=(404,))
        data = ((found or {}).get("data") or {}).get(key)
        return None if data is None else base64.b64decode(data).decode("ascii", "replace").strip()

    def put_secret(self, name: str, key: str, value: str) -> None:
        packed = base64.b64encode(value.encode()).decode()
        exists = self._call("GET", self._own("secrets", name), absent=(404,)) is not None
        body = {"metadata": {"name": name, "labels": _LABELS}, "type": "Opaque", "data": {key: packed}}
        self._put("secrets", name, body, exists=exists)

    def event(self, policy: PolicyObject, notice: Notice, now: str) -> None:
        """Tell people; failing to does no harm, and is logged."""
        body = {
            "metadata": {"generateName": f"{policy.name[:200]}-", "namespace": policy.namespace},
            "eventTime": now,
            "reportingController": "nodetide.io/operator",
            "reportingInstance": _MANAGER,
            "action": "Reconcile",
            "type": "Warning" if notice.warning else "Normal",
            "reason": notice.reason,
            "note": notice.message[:1024],
            "regarding": {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "namespace": policy.namespace,
                "name": policy.name,
                "uid": policy.uid,
            },
        }
        try:
            self._call("POST", f"/apis/events.k8s.io/v1/namespaces/{policy.namespace}/events", body)
        except ClusterUnavailable as error:
            _log.warning("event not written reason=%s: %s", notice.reason, error)

    def _own(self, kind: str, name: str = "") -> str:
        return f"/api/v1/namespaces/{self._namespace}/{kind}" + (f"/{name}" if name else "")

    def _put(self, kind: str, name: str, body: Mapping[str, Any], *, exists: bool) -> None:
        if exists:
            self._call("PATCH", self._own(kind, name), body)
        else:
            self._call("POST", self._own(kind), body)

    def _list(self, path: str, accept: str = "application/json") -> Iterator[Mapping[str, Any]]:
        follow = ""
        while True:
            query = [("limit", _PAGE), *([("continue", follow)] if follow else [])]
            page = self._call("GET", path, query=query, accept=accept) or {}
            yield from page.get("items") or ()
            follow = (page.get("metadata") or {}).get("continue") or ""
            if not follow:
                return

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Sequence[tuple[str, Any]] = (),
        absent: Sequence[int] = (),
        accept: str = "application/json",
    ) -> Mapping[str, Any] | None:
        """The answer, or None where its status is one of ``absent``.

        Raises:
            ClusterUnavailable
        """
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Accept": accept, "Content-Type": kind}
        try:
            request = self._api.param_serialize(
                method, path, query_params=list(query), header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            answer: Any = self._api.call_api(*request, _request_timeout=_TIMEOUT)
            data = answer.read()
            found: Mapping[str, Any] = json.loads(data) if data else {}
        except (ApiException, HTTPError, OSError, ValueError) as error:
            raise ClusterUnavailable(f"{method} {path}: {error}") from None
        if answer.status in absent:
            return None
        if answer.status >= 400:
            raise ClusterUnavailable(f"{method} {path}: {answer.status} {found.get('message') or answer.reason}")
        return found
