"""What the operator does for InfluxDB, without Kubernetes: keeps it as policies of files say."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from nodetide.checks import OWNER, LocalChecks
from nodetide_collector.policies import PolicySource
from nodetide_core.errors import LossRefused, StoreError
from nodetide_core.policy import ALLOW_DATA_LOSS, Policy
from nodetide_core.stores.influx.authorizations import TokenVault, keep_tokens
from nodetide_core.stores.influx.control import Control
from nodetide_core.stores.influx.planning import Observed
from nodetide_core.stores.influx.query_tokens import ReaderTokens
from nodetide_core.stores.influx.store import InfluxStore
from nodetide_core.stores.influx.tokens import grants_for
from nodetide_core.stores.upkeep import Upkeep

__all__ = ["Keeper"]

_log = logging.getLogger(__name__)

#: Seconds between two looks for what was changed in InfluxDB by hand.
_AGAIN = 60.0


class Keeper:
    """
    Args:
        vault: where tokens for collectors and the API are kept; None makes none.
        on_policies: told the policies when they change, after their buckets were made.
        checks: keeps the alerts that InfluxDB evaluates itself; None keeps none.
        readers: tokens for the queries of alerts; None makes none, and leaves those that there are.
        own_readers: whether policies are given such a token each; else those that there are are ended.
        clock: Unix seconds.
    """

    def __init__(
        self,
        source: PolicySource,
        store: InfluxStore,
        control: Control,
        vault: TokenVault | None,
        *,
        on_policies: Callable[[Sequence[Policy]], None] = lambda _: None,
        checks: LocalChecks | None = None,
        readers: ReaderTokens | None = None,
        own_readers: bool = True,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._checks = checks
        self._readers = readers
        self._own_readers = own_readers
        self._source = source
        self._store = store
        self._control = control
        self._vault = vault
        self._on_policies = on_policies
        self._clock = clock
        self._monotonic = monotonic
        self._upkeep = Upkeep(store, clock=clock)
        self._policies: Sequence[Policy] | None = None
        self._due = 0.0
        self._told: dict[str, str] = {}
        self._stopping = False

    def turn(self) -> bool:
        """Look for changes, repair, roll up what is due; whether all of it worked.

        What fails is logged when it begins or changes and when it ends, and tried again at the next turn.

        Raises:
            PolicyError: there is nothing to begin with, for the policies are wrong.
        """
        # What fails may do so because of what was changed by hand, such as a bucket that was deleted.
        changed = self._look()
        if changed or not self._works() or self._monotonic() >= self._due:
            self._due = self._monotonic() + _AGAIN
            self._repair()
        if changed:
            self._on_policies(self._policies or ())
        self._upkeep.turn()
        return self._works() and self._source.ok

    def _works(self) -> bool:
        return not self._told and self._upkeep.state.error is None

    def stop(self) -> None:
        """From another thread: the turn under way ends after what it is about, and nothing more is logged."""
        self._stopping = True
        self._upkeep.stop()

    def _look(self) -> bool:
        found = self._source.load() if self._policies is None else self._source.poll()
        if found is None:
            return False
        self._policies = found
        # What is wrong with a policy that is gone is wrong no more.
        self._told = {}
        return True

    def _repair(self) -> None:
        for policy in self._policies or ():
            # One by one, for what is wrong with one is not the others' matter.
            self._try(f"policy {policy.name}", lambda policy=policy: self._ensure(policy))  # type: ignore[misc]
        if self._checks is not None:
            self._keep_checks(self._checks)
        if self._vault is not None:
            vault = self._vault
            self._try("tokens", lambda: self._tokens(vault))
        if self._readers is not None:
            self._keep_readers(self._readers)

    def _ensure(self, policy: Policy) -> None:
        try:
            self._store.ensure([policy.stream])
        except LossRefused as error:
            raise LossRefused(f'{error}: it needs the annotation {ALLOW_DATA_LOSS}: "true"') from None

    def _keep_checks(self, checks: LocalChecks) -> None:
        policies = self._policies or ()
        self._try("alerts in InfluxDB", lambda: checks.look(policies))
        for policy in policies:
            self._try(f"alerts of policy {policy.name}", lambda policy=policy: checks.keep(policy))  # type: ignore[misc]

    def _tokens(self, vault: TokenVault) -> None:
        grants = grants_for([policy.stream for policy in self._policies or ()], self._control.observe())
        for done in keep_tokens(self._control, vault, OWNER, grants, int(self._clock())):
            _log.info("%s", done)

    def _keep_readers(self, readers: ReaderTokens) -> None:
        asking = [policy.stream for policy in self._policies or () if policy.asks_flux and self._own_readers]
        # The alerts that have none tell of it; where it never works, there is nothing to hurry for.
        with suppress(StoreError):
            observed = Observed(self._control.buckets(), ()) if asking else Observed({}, ())
            for done in readers.renew(self._control, OWNER, asking, observed, int(self._clock())):
                _log.info("%s", done)

    def _try(self, what: str, action: Callable[[], None]) -> None:
        try:
            action()
        except (StoreError, OSError) as error:
            self._failed(what, str(error))
        except Exception as error:  # noqa: BLE001 - whatever nobody foresaw, the rest must go on
            self._failed(what, f"{type(error).__name__}: {error}", unforeseen=True)
        else:
            if self._told.pop(what, None) is not None:
                _log.info("%s: works again", what)

    def _failed(self, what: str, message: str, *, unforeseen: bool = False) -> None:
        if self._told.get(what) != message and not self._stopping:
            _log.error("%s: %s", what, message, exc_info=unforeseen)
        self._told[what] = message
