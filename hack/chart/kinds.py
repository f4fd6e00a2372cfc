"""What each key of ``values.yaml`` may hold, beyond what its default tells."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["kind_of"]

Schema = Mapping[str, Any]

_WORDS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
_OBJECT: Schema = {"type": "object"}
_OBJECTS: Schema = {"type": "array", "items": {"type": "object"}}
_NAME = r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?"
_NAMES: Schema = {"type": "array", "items": {"type": "string", "pattern": f"^{_NAME}$"}}
_PORT: Schema = {"type": "integer", "minimum": 1, "maximum": 65535}
_DURATION: Schema = {"type": "string", "pattern": "^[1-9][0-9]*(s|m|h)$"}
_SIZE: Schema = {"type": "string", "pattern": "^[1-9][0-9]*(Ki|Mi|Gi|Ti)$"}
_MAYBE_URL: Schema = {"type": "string", "pattern": "^(https?://[^/?#@]+(/[^?#]*)?)?$"}
_MAYBE_NAME: Schema = {"type": "string", "pattern": f"^({_NAME})?$"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_SOME: Schema = {"type": "integer", "minimum": 1}
_TEXT: Schema = {"type": "string", "minLength": 1}
_SECRET_KEY: Schema = {"type": "string", "pattern": "^[-._a-zA-Z0-9]+$"}

#: By the end of the path, the first that fits.
_KINDS: tuple[tuple[str, Schema], ...] = (
    ("updateStrategy", {
        "type": "object",
        "required": ["type"],
        "additionalProperties": False,
        "properties": {
            "type": {"enum": ["RollingUpdate", "OnDelete", "Recreate"]},
            "rollingUpdate": {"type": "object"},
        },
    }),
    ("resources", {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "requests": {"type": "object"}, "limits": {"type": "object"}, "claims": {"type": "array"},
        },
    }),
    ("podLabels", _WORDS), ("commonLabels", _WORDS), ("labels", _WORDS), ("nodeSelector", _WORDS),
    ("podAnnotations", _WORDS), ("annotations", _WORDS),
    ("affinity", {
        "type": "object",
        "additionalProperties": False,
        "properties": dict.fromkeys(("nodeAffinity", "podAffinity", "podAntiAffinity"), _OBJECT),
    }),
    ("defaultPolicy.spec", _OBJECT), ("alertmanager.config", _OBJECT),
    ("tolerations", _OBJECTS), ("topologySpreadConstraints", _OBJECTS), ("ingress.tls", _OBJECTS),
    ("httpRoute.parentRefs", _OBJECTS), ("networkPolicy.clients", _OBJECTS), ("networkPolicy.scrapers", _OBJECTS),
    ("extraEnv", {"type": "array", "items": {"type": "object", "required": ["name"]}}),
    ("image.pullSecrets", _NAMES), ("watchNamespaces", _NAMES), ("receiverSecrets", _NAMES),
    ("hosts", {"type": "array", "minItems": 1, "items": {"type": "string"}}),
    ("hostnames", {"type": "array", "minItems": 1, "items": {"type": "string"}}),
    ("logLevel", {"enum": ["debug", "info", "warning", "error"]}),
    ("pullPolicy", {"enum": ["Always", "IfNotPresent", "Never"]}),
    ("rootMount.propagation", {"enum": ["HostToContainer", "None"]}),
    ("service.type", {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]}),
    ("listenAddress", {"type": "string", "pattern": r"^([0-9.]+|\[[0-9a-fA-F:.]*\])$"}),
    ("service.nodePort", {"type": "integer", "minimum": 0, "maximum": 65535}),
    ("service.port", _PORT), ("metricsPort", _PORT),
    ("resync", _DURATION), ("flushInterval", _DURATION), ("serviceMonitor.interval", _DURATION),
    ("maxBytes", _SIZE), ("sizeLimit", _SIZE), ("persistence.size", _SIZE),
    ("spool.hostPath", {"type": "string", "pattern": "^(/.+)?$"}),
    ("url", _MAYBE_URL),
    # Put into YAML and into templates of Prometheus as it is.
    ("runbooks", {"type": "string", "pattern": r"""^https?://[^\s"'`{}\[\]<>|\\^#]+$"""}),
    ("defaultPolicy.name", {"type": "string", "pattern": f"^{_NAME}$"}),
    ("serviceAccount.name", _MAYBE_NAME), ("existingSecret", _MAYBE_NAME), ("caSecret", _MAYBE_NAME),
    ("nameOverride", _MAYBE_NAME), ("fullnameOverride", _MAYBE_NAME), ("storageClass", _MAYBE_NAME),
    ("priorityClassName", _MAYBE_NAME), ("className", _MAYBE_NAME),
    ("tokenKey", _SECRET_KEY), ("passwordKey", _SECRET_KEY), ("caKey", _SECRET_KEY),
    ("image.registry", {"type": "string"}), ("image.tag", {"type": "string"}), ("clusterName", {"type": "string"}),
    ("image.repository", _TEXT), ("influxdb.org", _TEXT), ("influxdb.bucket", _TEXT), ("username", _TEXT),
    ("podDisruptionBudget.maxUnavailable", {
        "type": ["integer", "string"],
        "pattern": "^([1-9][0-9]?|100)%$",
        "minimum": 1,
    }),
    ("replicas", _COUNT), ("minReplicas", _SOME), ("maxReplicas", _SOME),
    ("targetCPUUtilizationPercentage", _SOME), ("jobTtlSeconds", _COUNT), ("waitSeconds", _COUNT),
    ("terminationGracePeriodSeconds", _COUNT), ("timeoutSeconds", _SOME),
)  # fmt: skip


class UnknownKind(Exception):
    """A key's default does not tell what it may hold."""


def kind_of(path: str, default: Any) -> Schema:
    """The schema of a key's value; empty where it holds more keys.

    Raises:
        UnknownKind
    """
    for end, kind in _KINDS:
        if re.search(rf"(^|\.){re.escape(end)}$", path):
            return kind
    if isinstance(default, bool):
        return {"type": "boolean"}
    if isinstance(default, dict) and default:
        return {}
    raise UnknownKind(f"{path}: add what it may hold to hack/chart/kinds.py")
