"""The Secrets that policies' receivers name, in the policies' own namespaces."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from nodetide_core.policy import Policy, SecretRef
from nodetide_operator.apiserver import ClusterError, ClusterUnavailable

__all__ = ["ReceiverSecrets", "SecretReader"]

#: Seconds for which what was read holds, for sending; for telling that it is there; and where nobody asks any more.
_FRESH, _THERE, _KEPT = 30.0, 300.0, 3_600.0


class SecretReader(Protocol):
    def secret_data(self, namespace: str, name: str) -> Mapping[str, str] | None:
        """What a Secret holds, by key; None where there is none.

        Raises:
            ClusterUnavailable, ClusterRefused
        """


@dataclass(frozen=True, slots=True)
class _Read:
    """
    Attributes:
        data: None where there is no such Secret.
        refused: why it may not be read; empty where it may.
    """

    at: float
    data: Mapping[str, str] | None
    refused: str = ""


class ReceiverSecrets:
    """Safe to share between threads.  No message holds what a Secret does."""

    def __init__(self, cluster: SecretReader, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._cluster = cluster
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._read: dict[tuple[str, str], _Read] = {}
        self._asked: dict[tuple[str, str], float] = {}
        self._silent_until = -math.inf

    def __call__(self, policy: Policy, ref: SecretRef) -> str:
        """A `nodetide_core.alerts.notify.attempt.Secrets`.

        Raises:
            LookupError: it is not there, or may not be read.
            OSError: the apiserver does not answer, and never has for this Secret.
        """
        return self._value(policy, ref, _FRESH)

    def problem(self, policy: Policy, ref: SecretRef) -> str:
        """Why a receiver could not be told; empty where nothing is known to be wrong. Of an apiserver that does not
        answer this waits for one time-out in five minutes, whatever is asked."""
        ask = self._monotonic() >= self._silent_until
        try:
            found = self._value(policy, ref, _THERE, ask=ask)
            return "" if found.strip() else f"secret {ref.name}, key {ref.key}: it is empty"
        except LookupError as error:
            return f"secret {ref.name}, key {ref.key}: {error.args[0]}"
        except OSError:
            return ""  # of which reconciling tells

    def _value(self, policy: Policy, ref: SecretRef, age: float, *, ask: bool = True) -> str:
        found = self._secret((policy.namespace, ref.name), ref.key, age, ask)
        if found.refused:
            raise LookupError(found.refused)
        if found.data is None:
            raise LookupError(f"there is no such Secret in namespace {policy.namespace}")
        if ref.key not in found.data:
            raise LookupError("the Secret has no such key")
        return found.data[ref.key]

    def _secret(self, place: tuple[str, str], key: str, age: float, ask: bool) -> _Read:
        now = self._monotonic()
        with self._lock:
            self._asked[place] = now
            known = self._read.get(place)
        if known is not None:
            # What is missing is looked for sooner.
            good = known.data is not None and key in known.data
            if not ask or now - known.at < (age if good else _FRESH):
                return known
        if not ask:
            raise OSError("the apiserver does not answer")
        try:
            found = _Read(now, self._cluster.secret_data(*place))
        except ClusterUnavailable as error:
            self._silent_until = self._monotonic() + _THERE
            if known is None:
                raise OSError(str(error)) from None
            return known
        except ClusterError as error:
            found = _Read(now, None, str(error))
        self._silent_until = -math.inf
        with self._lock:
            self._read[place] = found
            for old in [old for old, asked in self._asked.items() if now - asked >= _KEPT]:
                del self._asked[old]
                self._read.pop(old, None)
        return found
