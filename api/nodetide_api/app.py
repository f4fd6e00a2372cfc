"""Puts the API together from its parts; reads nothing from the environment."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

from fastapi import FastAPI

from nodetide_api.auth import BearerToken
from nodetide_api.config import ApiConfig
from nodetide_api.docs import mount_docs
from nodetide_api.flights import Flights
from nodetide_api.live import Live
from nodetide_api.openapi import describe
from nodetide_api.page.routes import mount_page
from nodetide_api.problems import install_problems
from nodetide_api.routes import ROUTERS
from nodetide_api.services import Check, Services
from nodetide_api.telemetry import Instrumented, Telemetry
from nodetide_core import __version__
from nodetide_core.store import StoreReader

__all__ = ["create_app"]


def create_app(
    store: StoreReader,
    config: ApiConfig,
    *,
    clock: Callable[[], float] = time.time,
    checks: Mapping[str, Check] | None = None,
    evaluating: Callable[[], bool] = lambda: False,
) -> FastAPI:
    """The whole API over one store.

    Args:
        clock: Unix seconds.
        checks: other parts of the same process that ``/health`` tells of, by name; each says ``ok`` or what is
            wrong, at once.
        evaluating: whether this process evaluates alerts.

    ``app.state.stop_streams`` is to be called, in the event loop, before a server waits for its connections
    to end: a stream ends only then.
    """
    flights = Flights()
    live = Live(store, config, clock)
    telemetry = Telemetry(flights, live)
    services = Services(store, config, clock, flights, live, telemetry, dict(checks or {}), evaluating)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        live.close()

    app = FastAPI(title="Nodetide", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.stop_streams = live.close
    for router in ROUTERS:
        app.include_router(router(services))
    mount_docs(app)
    mount_page(app)
    # The last one added stands outermost.
    install_problems(app)
    if config.token is not None:
        app.add_middleware(BearerToken, token=config.token)
    app.add_middleware(Instrumented, telemetry=telemetry)

    @lru_cache(maxsize=1)
    def document() -> dict[str, Any]:
        return describe(app, token=config.token is not None)

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way to replace it
    return app
