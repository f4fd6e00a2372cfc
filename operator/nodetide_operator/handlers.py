"""Kopf's part: it watches, and tells `nodetide_operator.world.World` what it sees.

Its own handling of changes (annotations, finalizers, progress in the object) is not used: what
matters is the state, not the change, and a policy must look to its user as the user wrote it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

import kopf

from nodetide_core.policy import API_VERSION
from nodetide_operator.world import World

__all__ = ["Watch"]

_log = logging.getLogger(__name__)

_GROUP, _, _VERSION = API_VERSION.partition("/")
#: Seconds before watching may begin anew, when it ended by itself.
_PAUSE = 5.0
#: Seconds that watching may take to end where other namespaces are to be watched.
_END = 10.0


class Watch:
    """Watches policies and nodes, in a thread of its own. Driven by one thread.

    Args:
        ended: called some seconds after it has ended by itself, such as when the kind was removed.
    """

    def __init__(self, world: World, ended: Callable[[], None] = lambda: None) -> None:
        self._registry = _registry(world)
        self._ended = ended
        self._run: _Run | None = None
        self._stopped = False

    @property
    def running(self) -> bool:
        return self._run is not None and not self._run.over

    def ensure(self, namespaces: Sequence[str]) -> bool:
        """Watch policies in these namespaces, in every one where none is named, unless it does; whether it begins.

        Only after they were listed: kopf looks for kinds when it begins, and never again, and one namespace that
        it may not watch ends it for all.
        """
        wanted = tuple(namespaces)
        if self._stopped or (self._run is not None and self.running and self._run.namespaces == wanted):
            return False
        if self._run is not None:
            self._run.stop(_END)
        self._run = _Run(self._registry, wanted, self._ended)
        return True

    def stop(self, timeout: float) -> None:
        self._stopped = True
        if self._run is not None:
            self._run.stop(timeout)


class _Run:
    """Kopf from its beginning to its end.

    Attributes:
        over: whether it has ended, well or not.
    """

    def __init__(self, registry: kopf.OperatorRegistry, namespaces: tuple[str, ...], ended: Callable[[], None]) -> None:
        self.namespaces = namespaces
        self.over = False
        self._registry = registry
        self._ended = ended
        self._stop = threading.Event()
        self._kopf_stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="watch", daemon=True)
        self._thread.start()

    def stop(self, timeout: float) -> None:
        self._stop.set()
        self._kopf_stop.set()
        self._thread.join(timeout)

    def _work(self) -> None:
        # It tells of every event it hands over, that it leaves signals to others, and at length of what ends it.
        logging.getLogger("kopf").setLevel(logging.WARNING)
        for name in ("running", "orchestration"):
            logging.getLogger(f"kopf._core.reactor.{name}").setLevel(logging.CRITICAL)
        why = "for no reason given"
        try:
            asyncio.run(self._watch())
        except Exception as error:  # noqa: BLE001 - whatever it is, watching begins anew
            why = str(error) or repr(error)
        stopped = self._stop.is_set()
        if not stopped:
            _log.warning("watching has ended, and begins anew after the next list: %s", why)
            stopped = self._stop.wait(_PAUSE)
        self.over = True
        if not stopped:
            self._ended()

    async def _watch(self) -> None:
        try:
            await kopf.operator(
                registry=self._registry,
                settings=_settings(),
                standalone=True,
                clusterwide=not self.namespaces,
                namespaces=self.namespaces,
                stop_flag=self._kopf_stop,
                # For peers, of which it has none. Kopf's own would be named after the user, who has no name in a pod.
                identity="nodetide-operator",  # type: ignore[arg-type]
            )
        finally:
            # Kopf leaves a thread that waits for it, and for which the loop would wait for ever.
            self._kopf_stop.set()


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    # The server ends a watch in time, the client one that hangs; where nothing changes, bookmarks come every minute.
    settings.watching.server_timeout = 600
    settings.watching.client_timeout = 610
    settings.watching.connect_timeout = 30
    settings.watching.inactivity_timeout = 150
    settings.networking.request_timeout = 30
    # What fails for longer ends the watch, so that a list looks into it, and watching begins anew.
    settings.networking.error_backoffs = (1, 2, 4)
    # Watching is no reason to kill the process, however it ends.
    settings.process.ultimate_exiting_timeout = None
    settings.posting.enabled = False
    # A list comes in pieces, and each object's events have a worker that holds the last one for as long as it waits
    # for the next: whole nodes are large, and there may be thousands.
    settings.watching.chunk_size = 100
    settings.queueing.idle_timeout = 0.02
    # Which kinds and namespaces there are is known beforehand, and watching for more needs rights.
    settings.scanning.disabled = True
    return settings


def _registry(world: World) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**found: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**found) or kopf.login_with_kubeconfig(**found)

    # Asynchronous, so that events are taken in the order in which they come, and not by threads of a pool.
    @kopf.on.event(_GROUP, _VERSION, "metricpolicies", registry=registry)
    async def policy(event: kopf.RawEvent, **_: Any) -> None:
        world.policy_seen(event["object"], deleted=event["type"] == "DELETED")

    @kopf.on.event("", "v1", "nodes", registry=registry)
    async def node(event: kopf.RawEvent, **_: Any) -> None:
        world.node_seen(event["object"], deleted=event["type"] == "DELETED")

    return registry
