"""Where a cluster's Services are."""

from __future__ import annotations

SERVICES = "10.96.0.0/16"
APISERVER = "10.96.0.1"
"""The first one is always the apiserver's."""
DNS = "10.96.0.10"
