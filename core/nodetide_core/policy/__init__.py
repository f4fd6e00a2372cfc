"""MetricPolicy: the one object users write, from text to typed spec.

``schema`` says what may be written, ``validate`` checks it with precise messages, ``rules`` holds
what spans several fields, ``spec`` is the typed result and ``load`` reads files.
"""

from nodetide_core.policy.load import load_policies
from nodetide_core.policy.parse import DEFAULT_NAME, default_policy, parse_policy
from nodetide_core.policy.schema import API_VERSION, KIND, POLICY_SCHEMA
from nodetide_core.policy.spec import (
    ALLOW_DATA_LOSS,
    LOSS_HINT,
    Alert,
    Collection,
    GroupSpec,
    Level,
    NodeSelector,
    Notify,
    Policy,
    Requirement,
    SecretRef,
    Silence,
    Storage,
)

__all__ = [
    "ALLOW_DATA_LOSS",
    "API_VERSION",
    "DEFAULT_NAME",
    "KIND",
    "LOSS_HINT",
    "POLICY_SCHEMA",
    "Alert",
    "Collection",
    "GroupSpec",
    "Level",
    "NodeSelector",
    "Notify",
    "Policy",
    "Requirement",
    "SecretRef",
    "Silence",
    "Storage",
    "default_policy",
    "load_policies",
    "parse_policy",
]
