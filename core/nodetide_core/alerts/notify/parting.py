"""Policies that are gone, for as long as their receivers are still told that their alerts have ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nodetide_core.alerts.machine import ENDED
from nodetide_core.policy.spec import Policy

__all__ = ["Parting"]


class Parting:
    def __init__(self) -> None:
        self._here: Mapping[str, Policy] = {}
        self._gone: dict[str, tuple[Policy, float]] = {}

    def with_gone(self, policies: Iterable[Policy], now: float) -> list[Policy]:
        """These, and those that were among them in the last `ENDED` seconds.

        Args:
            policies: one for each raw bucket.
            now: seconds of a clock that is never set back.
        """
        here = {policy.storage.bucket: policy for policy in policies}
        for bucket in self._here.keys() - here.keys():
            self._gone[bucket] = self._here[bucket], now + ENDED
        self._gone = {
            bucket: (policy, end) for bucket, (policy, end) in self._gone.items() if bucket not in here and now < end
        }
        self._here = here
        return [*here.values(), *(policy for policy, _ in self._gone.values())]
