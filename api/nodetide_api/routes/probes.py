"""``GET /health``, ``/readiness`` and ``/liveness``"""

from __future__ import annotations

import logging
from typing import Any

from fastapi import APIRouter, Response

from nodetide_api.answers import json_answer
from nodetide_api.limits import within
from nodetide_api.models import Health
from nodetide_api.openapi import problems_of
from nodetide_api.services import Services
from nodetide_core import __version__
from nodetide_core.errors import StoreError

__all__ = ["router"]

_log = logging.getLogger(__name__)

_OK = "ok"
_RETRY_AFTER = {"Retry-After": "5"}
_UNAVAILABLE: dict[int | str, dict[str, Any]] = {
    503: {"model": Health, "description": "The store does not answer; `checks` says how."}
}


def router(services: Services) -> APIRouter:
    routes = APIRouter(tags=["operations"])

    @routes.get(
        "/liveness",
        operation_id="getLiveness",
        summary="Whether the process answers",
        response_model=Health,
        responses=problems_of(),
    )
    async def liveness() -> Response:
        """Never fails because of the store: a restart would not mend it."""
        return json_answer(_health(_OK, {}))

    @routes.get(
        "/readiness",
        operation_id="getReadiness",
        summary="Whether queries can be answered",
        response_model=Health,
        responses=problems_of() | _UNAVAILABLE,
    )
    async def readiness() -> Response:
        """Does a real read of the store."""
        store = await _store(services)
        if store == _OK:
            return json_answer(_health(_OK, {"store": store}))
        return json_answer(_health("unavailable", {"store": store}), 503, _RETRY_AFTER)

    @routes.get(
        "/health",
        operation_id="getHealth",
        summary="How every part is",
        response_model=Health,
        responses=problems_of() | _UNAVAILABLE,
    )
    async def health() -> Response:
        """`degraded` (status 200) when queries work but samples are missing or another part complains."""
        store = await _store(services)
        if store != _OK:
            return json_answer(_health("unavailable", {"store": store, **_others(services)}), 503, _RETRY_AFTER)
        checks = {"store": store, "data": await _data(services), **_others(services)}
        return json_answer(_health(_OK if set(checks.values()) == {_OK} else "degraded", checks))

    return routes


def _health(status: str, checks: dict[str, str]) -> dict[str, Any]:
    return {"status": status, "version": __version__, "checks": checks}


def _others(services: Services) -> dict[str, str]:
    return {name: check() for name, check in services.checks.items()}


async def _store(services: Services) -> str:
    try:
        await within(services.config.probe_timeout, services.store.ready())
    except TimeoutError:
        return f"did not answer within {services.config.probe_timeout:g} s"
    except StoreError as error:
        return str(error) or type(error).__name__
    except Exception:  # noqa: BLE001 - a probe answers whatever happens
        _log.exception("the store's own check failed")
        return "failed unexpectedly; the log says how"
    return _OK


async def _data(services: Services) -> str:
    """Whether samples come in: of the host last heard of, whichever policy."""
    ages: list[tuple[float, float]] = []
    try:
        for stream in await within(services.config.probe_timeout, services.streams()):
            newest = await within(services.config.probe_timeout, services.hosts(stream))
            stale_after = services.config.stale_after_of(stream)
            ages += [(services.clock() - time, stale_after) for time in newest.values()]
    except TimeoutError:
        return f"not known: the store did not answer within {services.config.probe_timeout:g} s"
    except StoreError as error:
        return f"not known: {error}"
    if not ages:
        return "no sample yet"
    age, stale_after = min(ages)
    return _OK if age <= stale_after else f"the newest sample is {age:.0f} s old"
