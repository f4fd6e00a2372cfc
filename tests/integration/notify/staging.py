"""A dispatcher, the real Alertmanager, and its webhook, which shows whom it would have told of what."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from servers import HttpServer
from tests.fakes.alert_memory import ToldMemory
from tests.fakes.notify_rig import policy_with
from tests.fakes.receiving import PATIENCE, Receiving

from nodetide_core.alerts.notify.dispatcher import Dispatcher
from nodetide_core.alerts.notify.model import ActiveAlert
from nodetide_core.alerts.notify.receiver import Times

__all__ = ["Clock", "Stage", "config"]


def config(webhook: Receiving, interval: str = "200ms", *, late: str = "", group_wait: str = "50ms") -> dict[str, Any]:
    """Each alert is told of alone, at once, and again after a day at the earliest.

    Args:
        late: host of whose alerts is told ``group_wait`` later.
    """
    routes: list[Mapping[str, Any]] = [{"matchers": [f'host="{late}"'], "group_wait": group_wait}] if late else []
    route = {
        "receiver": "here",
        "group_by": ["..."],
        "group_wait": "50ms",
        "group_interval": interval,
        "repeat_interval": "24h",
        "routes": routes,
    }
    hook = {"url": f"{webhook.url}/hook", "send_resolved": True}
    return {"route": route, "receivers": [{"name": "here", "webhook_configs": [hook]}]}


@dataclass
class Clock:
    """The real one, and what it was put forward; waits after failures are the shortest."""

    ahead: float = 0.0

    def times(self) -> Times:
        return Times(time.monotonic, lambda: time.time() + self.ahead, lambda: 0.0)


@dataclass
class Stage:
    server: HttpServer
    webhook: Receiving
    make: Callable[..., Dispatcher]
    clock: Clock = field(default_factory=Clock)
    memory: ToldMemory = field(default_factory=ToldMemory)

    def __post_init__(self) -> None:
        self.policies = [policy_with({"name": "am", "type": "alertmanager", "url": self.server.url})]
        self.restart()

    def restart(self) -> None:
        self.dispatcher = self.make(self.memory, times=self.clock.times())

    def configure(self, config: Mapping[str, Any]) -> None:
        """For its next start."""
        (self.server.data.parent / "alertmanager.yml").write_text(json.dumps(config))

    def tell(self, *alerts: ActiveAlert) -> None:
        self.dispatcher.update(self.policies, {"p": alerts})

    def settled(self) -> None:
        """Wait until Alertmanager has taken all there is."""
        end = time.monotonic() + PATIENCE
        while not (health := self.dispatcher.health()["p", "am"]).ok or health.waiting:
            assert time.monotonic() < end, health
            time.sleep(0.01)

    def pass_time(self, seconds: float, *alerts: ActiveAlert) -> None:
        """So much later, to us, in turns of half a minute."""
        for _ in range(int(seconds // 30)):
            self.clock.ahead += 30
            self.tell(*alerts)
            self.settled()

    def notified(self) -> list[tuple[str, str, str]]:
        return [
            (one["status"], one["labels"]["host"], one["labels"]["severity"])
            for document in self.webhook.taken
            for one in document["alerts"]
        ]

    def wait_for(self, *expected: tuple[str, str, str]) -> None:
        """Until it has notified of these, in any order, and of nothing else in the second after that."""
        self.webhook.wait(lambda r: len(self.notified()) >= len(expected))
        time.sleep(1.0)  # five times the group interval
        assert sorted(self.notified()) == sorted(expected)

    def believed(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.server.call("GET", "/api/v2/alerts")
        return found
