"""Flux of users, looked at before it is evaluated: a wrong query takes nothing's place."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from operator import is_

from nodetide_core.alerts.rules import AlertName
from nodetide_core.errors import StoreRejected, StoreUnavailable
from nodetide_core.policy import Alert, Policy

__all__ = ["FluxGate"]

#: What is wrong with a query; None where nothing is.
Check = Callable[[str], Awaitable[str | None]]


class FluxGate:
    """Remembers what it has looked at.

    Attributes:
        problems: of alerts whose query is wrong.
    """

    def __init__(self, check: Check) -> None:
        self._check = check
        self._verdicts: dict[str, str | None] = {}
        self._good: dict[AlertName, Alert] = {}
        self.problems: dict[AlertName, str] = {}

    def pass_on(self, policies: Sequence[Policy]) -> list[Policy]:
        """The policies, with the last good version of alerts whose query is wrong now; one that never was good stays
        as it is, for its failing to be told, and what is remembered of it to be kept."""
        texts = {alert.flux for policy in policies for alert in policy.alerts if alert.flux is not None}
        self._verdicts = {text: verdict for text, verdict in self._verdicts.items() if text in texts}
        unknown = sorted(texts - self._verdicts.keys())
        if unknown:
            asyncio.run(self._look(unknown))
        before, self._good = self._good, {}
        self.problems = {}
        return [_with(policy, self._passed(policy, before)) for policy in policies]

    def _passed(self, policy: Policy, before: Mapping[AlertName, Alert]) -> list[Alert]:
        found: list[Alert] = []
        for index, alert in enumerate(policy.alerts):
            name = AlertName(policy.storage.bucket, alert.name)
            problem = None if alert.flux is None else self._verdicts.get(alert.flux)
            good = alert if problem is None else before.get(name)
            if problem is not None:
                self.problems[name] = f"spec.alerts[{index}].flux: {problem}"
            if good is not None:
                self._good[name] = good
            found.append(good or alert)
        return found

    async def _look(self, texts: Sequence[str]) -> None:
        for text in texts:
            try:
                self._verdicts[text] = await self._check(text)
            except StoreRejected as error:
                self._verdicts[text] = str(error)
            except StoreUnavailable:
                return  # looked at the next time; until then it is evaluated as it is, or fails as all do


def _with(policy: Policy, alerts: Sequence[Alert]) -> Policy:
    # The same object, for whoever looks whether anything has changed.
    return policy if all(map(is_, alerts, policy.alerts)) else replace(policy, alerts=tuple(alerts))
