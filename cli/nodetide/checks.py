"""Alerts that InfluxDB evaluates itself, kept without Kubernetes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from nodetide_core.errors import StoreRejected
from nodetide_core.policy import Policy, SecretRef
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.checks.changes import Change
from nodetide_core.stores.influx.checks.keeping import ChecksKeeper, Planned
from nodetide_core.stores.influx.checks.marking import Mark
from nodetide_core.stores.influx.checks.observed import Observed
from nodetide_core.stores.influx.control import Control

__all__ = ["OWNER", "LocalChecks"]

_log = logging.getLogger(__name__)

#: Of what is made here, among that of other installations in the same organization.
OWNER = "nodetide-upkeep"


class LocalChecks:
    """Belongs to one thread.

    Args:
        caller: what ``control`` calls by.
        secrets: gives what a ``secretRef`` holds.
    """

    def __init__(self, caller: Caller, control: Control, secrets: Callable[[Policy, SecretRef], str]) -> None:
        self._keeper = ChecksKeeper(caller, control.organization)
        self._secrets = secrets
        self._observed: Observed | None = None
        self._left = True

    def look(self, policies: Sequence[Policy]) -> None:
        """Observe, and end what is there for policies that are gone; nothing, where nobody asks for it.

        Raises:
            StoreRejected, StoreUnavailable
        """
        self._observed = None
        asked = any(policy.alert_engine == "influxdb" for policy in policies)
        if not asked and not self._left:
            return
        observed = self._keeper.observe()
        buckets = {policy.storage.bucket for policy in policies}

        def gone(mark: Mark) -> bool:
            return mark.owner == OWNER and mark.bucket not in buckets

        for done in self._keeper.sweep(gone, observed):
            _log.info("%s", done)
        self._left = asked or any(mark.owner == OWNER for mark in observed.marks())
        self._observed = observed

    def keep(self, policy: Policy) -> None:
        """As `look` has found it.

        Raises:
            StoreRejected: an alert or a receiver is in trouble; the others are as they should be.
            StoreUnavailable
        """
        if self._observed is None:
            return
        kept = self._keeper.keep(self._plan(policy, self._observed), self._observed)
        for done in kept.done:
            _log.info("%s", done)
        if kept.troubles:
            raise StoreRejected("; ".join(map(str, kept.troubles)))

    def plan(self, policy: Policy) -> Planned:
        """What to do about one policy now.

        Raises:
            StoreRejected, StoreUnavailable
        """
        return self._plan(policy, self._keeper.observe())

    def apply(self, change: Change) -> None:
        """
        Raises:
            StoreRejected, StoreUnavailable
        """
        self._keeper.apply(change)

    def _plan(self, policy: Policy, observed: Observed) -> Planned:
        return self._keeper.plan(policy, policy.stream, OWNER, observed, self._secrets)
