"""One module per resource; each makes its router from the app's services."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter

from nodetide_api.routes import (
    alerts,
    catalogue,
    current,
    history,
    nodes,
    policies,
    probes,
    prometheus,
    stream,
    summary,
)
from nodetide_api.services import Services

__all__ = ["ROUTERS"]

ROUTERS: tuple[Callable[[Services], APIRouter], ...] = (
    current.router,
    history.router,
    summary.router,
    stream.router,
    nodes.router,
    catalogue.router,
    policies.router,
    alerts.router,
    probes.router,
    prometheus.router,
)
