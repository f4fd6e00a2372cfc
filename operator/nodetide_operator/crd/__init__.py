"""The CustomResourceDefinition of MetricPolicy, made from core's schema; pure data, no Kubernetes client.

``spec`` is core's schema with what Kubernetes adds (defaults, list types, CEL rules), ``rules`` says
in CEL what `nodetide_core.policy.rules` says in Python, ``status`` is what the operator reports.
"""

from nodetide_operator.crd.definition import definition
from nodetide_operator.crd.render import render

__all__ = ["definition", "render"]
