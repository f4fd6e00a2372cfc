"""A receiver without threads and sockets: its clock, its store and what it answers are the test's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes import receivers
from tests.fakes.alert_memory import ToldMemory

from nodetide_core.alerts.notify.message import Request
from nodetide_core.alerts.notify.model import ActiveAlert
from nodetide_core.alerts.notify.posting import Unanswered
from nodetide_core.alerts.notify.receiver import Receiver, Times
from nodetide_core.policy import parse_policy
from nodetide_core.policy.spec import Policy, SecretRef
from nodetide_core.stores.influx.http import Reply

__all__ = ["RECEIVERS", "SECRETS", "Clock", "Rig", "Wire", "policy_with"]

SECRETS = {
    "token": "bearer-5f2c91",
    "hook": "https://hooks.example/services/T000/B000/sEcReT",
    "key": "0123456789abcdef0123456789abcdef",
}
RECEIVERS: dict[str, dict[str, Any]] = {
    "alertmanager": {"url": "http://am.example:9093", "secretRef": {"name": "s", "key": "token"}},
    "http": {"url": "http://hook.example/alerts?team=a", "secretRef": {"name": "s", "key": "token"}},
    "slack": {"secretRef": {"name": "s", "key": "hook"}},
    "pagerduty": {"secretRef": {"name": "s", "key": "key"}},
}


def policy_with(*receivers: dict[str, Any], name: str = "p", **spec: Any) -> Policy:
    """A policy with these under ``spec.notify``."""
    return parse_policy(
        {
            "apiVersion": "nodetide.io/v1alpha1",
            "kind": "MetricPolicy",
            "metadata": {"name": name},
            "spec": {"notify": list(receivers), **spec},
        }
    )


@dataclass
class Wire:
    """A `Poster`: what arrives is checked as the vendor would, and answered as told.

    Attributes:
        status: of the answers; None: there is none.
        refuse: 400 for what this says yes to.
        requests, accepted: all that came, and those answered with a success; ``taken`` is what they said.
    """

    kind: str
    status: int | None = 200
    headers: dict[str, str] = field(default_factory=dict)
    said: bytes = b"ok"
    refuse: Callable[[Any], bool] = lambda document: False
    taken: list[Any] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    accepted: list[Request] = field(default_factory=list)

    def post(self, request: Request) -> Reply:
        document = getattr(receivers, self.kind)(request.body)
        self.requests.append(request)
        if self.status is None:
            raise Unanswered("somewhere: no answer in time")
        if self.refuse(document):
            return Reply(400, {}, b"bad")
        if 200 <= self.status < 300:
            self.taken.append(document)
            self.accepted.append(request)
        return Reply(self.status, self.headers, self.said)

    def end(self) -> None: ...


@dataclass
class Clock:
    now: float = 1_700_000_000.0

    def times(self) -> Times:
        return Times(lambda: self.now, lambda: self.now, lambda: 0.5)


@dataclass
class Rig:
    """One receiver of one policy, which can be restarted."""

    policy: Policy
    wire: Wire
    clock: Clock = field(default_factory=Clock)
    memory: ToldMemory = field(default_factory=ToldMemory)
    secrets: dict[str, str] = field(default_factory=lambda: dict(SECRETS))

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.receiver = Receiver(
            self.policy,
            self.policy.notify[0],
            memory=self.memory,
            secrets=self._secret,
            poster=self.wire,
            times=self.clock.times(),
        )

    def _secret(self, policy: Policy, ref: SecretRef) -> str:
        return self.secrets[ref.key]

    def update(self, alerts: Iterable[ActiveAlert] | None) -> bool:
        return self.receiver.update(self.policy, self.policy.notify[0], alerts)

    def run(self, seconds: float = 0.0) -> None:
        """All that is due within so many seconds, at most."""
        end = self.clock.now + seconds
        for _ in range(10_000):
            wait = self.receiver.step()
            if self.clock.now + wait > end:
                self.clock.now = end
                return
            self.clock.now += wait
        raise AssertionError("it does not come to rest")

    def tell(self, *alerts: ActiveAlert, seconds: float = 0.0) -> None:
        self.update(alerts)
        self.run(seconds)
