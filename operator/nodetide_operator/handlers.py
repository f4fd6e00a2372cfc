"""Kopf's part: it watches, and tells `nodetide_operator.world.World` what it sees.

Its own handling of changes (annotations, finalizers, progress in the object) is not used: what
matters is the state, not the change, and a policy must look to its user as the user wrote it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from typing import Any

import kopf

from nodetide_core.policy import API_VERSION
from nodetide_operator.world import World

__all__ = ["Watch"]

_GROUP, _, _VERSION = API_VERSION.partition("/")


class Watch:
    """Watches policies and nodes, in a thread of its own.

    Args:
        namespaces: whose policies; empty: those of every namespace.
    """

    def __init__(self, world: World, namespaces: Sequence[str]) -> None:
        self._namespaces = tuple(namespaces)
        self._registry = _registry(world)
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    @property
    def failure(self) -> str:
        """Why it has ended though nobody asked for it; empty while it runs."""
        if self._stop.is_set() or self._thread.is_alive():
            return ""
        return f"the watch has ended: {self._failure!r}" if self._failure else "the watch has ended"

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float) -> None:
        self._stop.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        # It tells of every event it hands over.
        logging.getLogger("kopf").setLevel(logging.WARNING)
        try:
            asyncio.run(self._watch())
        except BaseException as error:  # noqa: BLE001 - liveness tells of it
            self._failure = error

    async def _watch(self) -> None:
        await kopf.operator(
            registry=self._registry,
            settings=_settings(),
            standalone=True,
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            stop_flag=self._stop,
        )


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    # The server ends a watch in time, the client a watch that hangs: a stall must not last.
    settings.watching.server_timeout = 600
    settings.watching.client_timeout = 610
    settings.watching.connect_timeout = 30
    settings.networking.request_timeout = 30
    settings.posting.enabled = False
    # Which kinds and namespaces there are is known beforehand, and watching for more needs rights.
    settings.scanning.disabled = True
    return settings


def _registry(world: World) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**found: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**found) or kopf.login_with_kubeconfig(**found)

    @kopf.on.event(_GROUP, _VERSION, "metricpolicies", registry=registry)
    def policy(event: kopf.RawEvent, **_: Any) -> None:
        world.policy_seen(event["object"], deleted=event["type"] == "DELETED")

    @kopf.on.event("", "v1", "nodes", registry=registry)
    def node(event: kopf.RawEvent, **_: Any) -> None:
        world.node_seen(event["object"], deleted=event["type"] == "DELETED")

    return registry
