"""The operator's reconciler in this process, so that a test can end it between any two calls of a server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kubernetes import client
from tests.integration.operator.kube import client_configuration
from tests.integration.operator.site import Site

from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.config import StoreConfig
from nodetide_core.stores.influx.control import Control
from nodetide_core.stores.influx.http import Reply, Transport
from nodetide_operator.alerting import Charge
from nodetide_operator.cluster import Cluster
from nodetide_operator.config import OperatorConfig
from nodetide_operator.influx import Influx
from nodetide_operator.knowledge import Knowledge, Shared
from nodetide_operator.reconciling import Reconciler, TurnReport
from nodetide_operator.vault import SecretVault
from nodetide_operator.world import World

__all__ = ["Fuse", "Inside", "Killed", "inside"]


class Killed(BaseException):
    """As by SIGKILL: nothing that handles errors must handle it."""


class Fuse:
    """
    Attributes:
        calls: made since it was set.
    """

    def __init__(self) -> None:
        self.calls = 0
        self._limit: int | None = None

    def set(self, limit: int | None = None) -> None:
        """Let so many calls pass, and end the operator before the next one; all of them where there is no limit."""
        self.calls, self._limit = 0, limit

    def passes(self) -> None:
        if self.calls == self._limit:
            raise Killed
        self.calls += 1


class _Transport(Transport):
    def __init__(self, url: str, fuse: Fuse) -> None:
        super().__init__(url)
        self._fuse = fuse

    def request(self, *arguments: Any, **more: Any) -> Reply:
        self._fuse.passes()
        return super().request(*arguments, **more)


class _Api(client.ApiClient):
    def __init__(self, configuration: client.Configuration, fuse: Fuse) -> None:
        super().__init__(configuration)
        self._fuse = fuse

    def call_api(self, *arguments: Any, **more: Any) -> Any:
        self._fuse.passes()
        return super().call_api(*arguments, **more)


class Inside:
    """
    Attributes:
        now: what the reconciler takes for the time; Unix seconds.
    """

    def __init__(self, site: Site, token: str) -> None:
        self.fuse = Fuse()
        self.now = time.time()
        self._transport = _Transport(site.org.server.url, self.fuse)
        self._api = _Api(client_configuration(site.kube.plane, site.account_token), self.fuse)
        self._cluster = Cluster(self._api, site.namespace)
        self._caller = Caller(self._transport, lambda: token)
        self._config = OperatorConfig(
            StoreConfig(site.org.server.url, site.org.name, lambda: token), site.namespace, (site.namespace,)
        )
        self.restart()

    def restart(self) -> None:
        """An operator that knows nothing yet."""
        influx = Influx(Control(self._caller, self._config.influx.org), self._config.owner, self._config.watches)
        self._reconciler = Reconciler(
            self._config, self._cluster, influx, vault=SecretVault(self._cluster, self._config.token_prefix),
            world=World(), knowledge=Knowledge(), charge=Shared(Charge()), alerts=Shared({}), clock=lambda: self.now,
        )  # fmt: skip

    def turn(self) -> TurnReport:
        """One look at everything."""
        return self._reconciler.turn(relist=True)

    def turn_until_killed(self, calls: int) -> bool:
        """Whether it was, after so many calls; then what comes next is another operator."""
        self.fuse.set(calls)
        try:
            self.turn()
        except Killed:
            self.restart()
            return True
        finally:
            self.fuse.set()
        return False

    def close(self) -> None:
        self._transport.close()
        self._api.rest_client.pool_manager.clear()


@contextmanager
def inside(site: Site, influx_token: str = "") -> Iterator[Inside]:
    """With the rights of the site's operator."""
    made = Inside(site, influx_token or site.org.token)
    try:
        yield made
    finally:
        made.close()
