"""One policy's alert from its beginning to its end, with the evaluating process killed in between, whatever the store.

What evaluates and where the data lie is the caller's: the outcome must be the same everywhere.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.integration.standalone.process import Nodetide, until

__all__ = ["Hook", "policy_text", "tell_the_story"]

TOKEN = "hook-2b7e15"
#: Seconds of uptime that no machine reaches, so that the alert ends.
NEVER = 1e12
_POLICY = """
apiVersion: nodetide.io/v1alpha1
kind: MetricPolicy
metadata: {name: watched}
spec:
  collection: {interval: 1s, groups: {system: {}, mem: {}}}
  alerts: [ALERTS]
  notify:
  - {name: hook, type: http, url: "URL", secretRef: {name: hook, key: token}}
"""
_ALERT = """
  - name: NAME
    type: threshold
    metric: system.uptime
    every: 5s
    window: 10s
    aggregate: last
    critical: {above: BOUND}
    labels: {team: ops}
    annotations: {summary: "{{ host }} is up", runbook_url: "https://runbooks.example.com/NAME"}
"""


@dataclass
class Hook:
    """A receiver of type http on the loopback; made by ``with Hook() as hook``.

    Attributes:
        taken: what it was sent, in order.
        tokens: the Authorization headers that came with it.
    """

    taken: list[dict[str, Any]] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)

    def __enter__(self) -> Hook:
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.tokens.add(self.headers["Authorization"])
                hook.taken.append(json.loads(body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(60)
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/alerts"

    def told(self) -> list[tuple[str, str]]:
        """Name and status of each message."""
        return [(message["labels"]["alertname"], message["status"]) for message in self.taken]


def policy_text(url: str, names: Sequence[str], bound: float = 0.0) -> str:
    """A policy whose alerts of these names all fire above so many seconds of uptime."""
    alerts = "".join(_ALERT.replace("NAME", name).replace("BOUND", f"{bound:.0f}") for name in names)
    return _POLICY.replace("[ALERTS]", alerts.rstrip()).replace("URL", url)


def tell_the_story(
    hook: Hook, policy: Path, secrets: Path, evaluator: Callable[[], Nodetide], api: Callable[[], Nodetide]
) -> None:
    """
    Args:
        policy, secrets: where the processes look for them; both are written here.
        evaluator: starts what evaluates; called twice.
        api: what serves the API now.
    """
    (secrets / "hook").mkdir(parents=True)
    (secrets / "hook" / "token").write_text(f"{TOKEN}\n")
    policy.write_text(policy_text(hook.url, ["Up"]))
    one = evaluator()
    until(lambda: hook.told() == [("Up", "firing")], 180, lambda: f"{hook.taken} {one.text()}")
    first = hook.taken[0]
    assert hook.tokens == {f"Bearer {TOKEN}"}
    assert first["severity"] == "critical" and first["value"] > 0 and first["endsAt"] is None
    assert first["labels"].items() >= {"policy": "watched", "namespace": "default", "team": "ops"}.items()
    assert first["annotations"]["summary"] == f"{first['labels']['host']} is up"
    _is_shown(api(), "Up", first)
    one.process.kill()
    one.process.wait(180)

    # Killed and started anew: what it knew it knows, and it does not say it again.
    policy.write_text(policy_text(hook.url, ["Up", "Second"]))
    two = evaluator()
    # Both ask the same, so when the second has been evaluated, so has the first.
    until(lambda: ("Second", "firing") in hook.told(), 180, lambda: f"{hook.taken} {two.text()}")
    assert hook.told() == [("Up", "firing"), ("Second", "firing")]
    answer = until(lambda: _answer(api(), 2), 180, two.text)
    starts = {alert["name"]: alert["starts_at"] for alert in answer["alerts"]}
    assert starts.keys() == {"Up", "Second"} and starts["Up"] == first["startsAt"]

    # The policy is followed while it runs.
    policy.write_text(policy_text(hook.url, ["Up", "Second"], NEVER))
    until(lambda: len(hook.taken) >= 4, 180, lambda: f"{hook.taken} {two.text()}")
    assert sorted(hook.told()[2:]) == [("Second", "resolved"), ("Up", "resolved")]
    (ended,) = (message for message in hook.taken[2:] if message["labels"]["alertname"] == "Up")
    assert (ended["startsAt"], ended["id"]) == (first["startsAt"], first["id"])
    assert ended["endsAt"] >= first["startsAt"] and ended["reason"] is None
    until(lambda: _answer(api(), 0), 180, two.text)
    assert TOKEN not in one.text() + two.text()
    assert "Traceback" not in one.text() + two.text()


def _answer(api: Nodetide, firing: int) -> Any:
    answer = api.get("/api/v1/alerts")
    return answer if answer["firing"] == firing and answer["evaluated"] else None


def _is_shown(api: Nodetide, name: str, message: dict[str, Any]) -> None:
    answer = until(lambda: _answer(api, 1), 180, api.text)
    (alert,) = answer["alerts"]
    assert (alert["name"], alert["state"], alert["policy"]) == (name, "firing", "watched")
    assert (alert["labels"], alert["annotations"]) == (message["labels"], message["annotations"])
    assert (alert["starts_at"], alert["severity"]) == (message["startsAt"], message["severity"])
    assert api.get(f"/api/v1/alerts?host={alert['tags']['host']}&state=firing&severity=critical")["firing"] == 1
    assert api.get("/api/v1/alerts?host=another")["alerts"] == []
    with urlopen(api.url + "/metrics", timeout=60) as text:
        (line,) = [line for line in text.read().decode().splitlines() if line.startswith("nodetide_alert_state{")]
    assert line.endswith(" 2.0") and f'alertname="{name}"' in line and 'team="ops"' in line
