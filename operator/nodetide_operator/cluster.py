"""What the operator reads from and writes to Kubernetes: lists, its ConfigMap and Secrets, statuses, Events."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nodetide_core.policy import API_VERSION, KIND
from nodetide_operator.apiserver import ApiClient, Apiserver, ClusterError, ClusterRefused
from nodetide_operator.outcomes import Notice
from nodetide_operator.world import PolicyObject

__all__ = ["Cluster", "Listed"]

_log = logging.getLogger(__name__)

_PLURAL = "metricpolicies"
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_MANAGER = "nodetide-operator"
#: Of what it makes anew after somebody has deleted it. None that a chart sets: Helm refuses to upgrade a release when
#: another has given a label of it another value.
_LABELS = {"app.kubernetes.io/created-by": _MANAGER}
#: Bytes of an Event's text that Kubernetes takes.
_NOTE = 1024


@dataclass(frozen=True, slots=True)
class Listed:
    """
    Attributes:
        policies: as the apiserver has them.
        unlisted: by namespace, why its policies may not be listed.
    """

    policies: Sequence[Mapping[str, Any]]
    unlisted: Mapping[str, str] = field(default_factory=dict)


class Cluster:
    """Safe to share between threads.

    Args:
        namespace: the operator's own.
    """

    def __init__(self, api: ApiClient, namespace: str) -> None:
        self._server = Apiserver(api)
        self._namespace = namespace

    def policies(self, namespaces: Sequence[str]) -> Listed:
        """All policies of these namespaces; of every one where none is named.

        A namespace that is not there yet may be one where a right is missing: what is wrong with one is not
        the others' matter.

        Raises:
            ClusterUnavailable
            ClusterRefused: no namespace may be listed; or the kind is not there, which does not mean that
                there are no policies, for it may be there in another version.
        """
        if not namespaces:
            return Listed([_slim(item) for item in self._server.items(f"/apis/{API_VERSION}/{_PLURAL}")])
        found: list[Mapping[str, Any]] = []
        unlisted: dict[str, str] = {}
        for name in namespaces:
            try:
                found += map(_slim, self._server.items(f"/apis/{API_VERSION}/namespaces/{name}/{_PLURAL}"))
            except ClusterRefused as error:
                unlisted[name] = str(error)
                if error.status != 403 or len(unlisted) == len(namespaces):
                    raise
        return Listed(found, unlisted)

    def nodes(self) -> Iterator[Mapping[str, Any]]:
        """Names and labels, and nothing else: whole nodes are large."""
        return self._server.items("/api/v1/nodes", accept=_METADATA)

    def patch_status(self, policy: PolicyObject, status: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Put ``status`` in place of the one before; the policy then, or None where it is another by now, or gone.

        Raises:
            ClusterUnavailable, ClusterRefused
        """
        path = f"/apis/{API_VERSION}/namespaces/{policy.namespace}/{_PLURAL}/{policy.name}/status"
        gone = {name: None for name in policy.status if name not in status}
        # A uid is not looked at here, so a version tells apart what was made anew under the same name.
        body = {"metadata": {"resourceVersion": policy.version}, "status": {**gone, **status}}
        return self._server.call("PATCH", path, body, absent=(404, 409))

    def settings(self, name: str) -> Mapping[str, Any] | None:
        """The ConfigMap, or None where there is none."""
        return self._server.call("GET", self._own("configmaps", name), absent=(404,))

    def put_settings(self, name: str, content: Mapping[str, Any], *, exists: bool) -> None:
        """
        Args:
            content: ``data`` and ``binaryData``.
        """
        body = {"metadata": {"name": name, "labels": _LABELS}, "data": None, "binaryData": None, **content}
        self._put("configmaps", name, body, exists=exists)

    def secret(self, name: str, key: str) -> str | None:
        found = self._server.call("GET", self._own("secrets", name), absent=(404,))
        data = ((found or {}).get("data") or {}).get(key)
        return None if data is None else base64.b64decode(data).decode("ascii", "replace").strip()

    def secret_data(self, namespace: str, name: str) -> Mapping[str, str] | None:
        """Of a Secret of any namespace, by key, as text; None where there is none.

        Raises:
            ClusterUnavailable, ClusterRefused
        """
        found = self._server.call("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}", absent=(404,))
        if found is None:
            return None
        return {
            key: base64.b64decode(value).decode("utf-8", "replace") for key, value in (found.get("data") or {}).items()
        }

    def put_secret(self, name: str, key: str, value: str) -> None:
        packed = base64.b64encode(value.encode()).decode()
        exists = self._server.call("GET", self._own("secrets", name), absent=(404,)) is not None
        # Without a type: that of one that is there cannot be changed.
        body = {"metadata": {"name": name, "labels": _LABELS}, "data": {key: packed}}
        self._put("secrets", name, body, exists=exists, hide=(value, packed))

    def event(self, policy: PolicyObject, notice: Notice, now: str) -> None:
        """Tell people; failing to does no harm, and is logged."""
        body = {
            "metadata": {"generateName": f"{policy.name[:200].rstrip('.-')}-", "namespace": policy.namespace},
            "eventTime": now,
            "reportingController": "nodetide.io/operator",
            "reportingInstance": _MANAGER,
            "action": "Reconcile",
            "type": "Warning" if notice.warning else "Normal",
            "reason": notice.reason,
            "note": notice.message.encode()[:_NOTE].decode(errors="ignore"),
            "regarding": {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "namespace": policy.namespace,
                "name": policy.name,
                "uid": policy.uid,
            },
        }
        try:
            self._server.call("POST", f"/apis/events.k8s.io/v1/namespaces/{policy.namespace}/events", body)
        except ClusterError as error:
            _log.warning("event not written reason=%s: %s", notice.reason, error)

    def _own(self, kind: str, name: str = "") -> str:
        return f"/api/v1/namespaces/{self._namespace}/{kind}" + (f"/{name}" if name else "")

    def _put(self, kind: str, name: str, body: Mapping[str, Any], *, exists: bool, hide: Sequence[str] = ()) -> None:
        if exists:
            # Its labels are whoever's made it: the chart's, whose next upgrade would be refused otherwise.
            self._server.call("PATCH", self._own(kind, name), {**body, "metadata": {"name": name}}, hide=hide)
        else:
            self._server.call("POST", self._own(kind), body, hide=hide)


def _slim(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without what is the largest part of it, and nobody's matter here: who wrote which field."""
    metadata = item.get("metadata")
    if not metadata:
        return item
    return {**item, "metadata": {name: value for name, value in metadata.items() if name != "managedFields"}}
