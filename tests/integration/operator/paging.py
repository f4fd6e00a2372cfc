"""Points that follow a script, and a person on call behind a real Alertmanager."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from servers import HttpServer, alertmanager
from tests.integration.operator.org import Org

__all__ = ["Call", "Feeder", "Pager", "on_call"]

#: By host, lines for a second of the script; none where a host is silent.
Script = Callable[[int], Mapping[str, str]]


class Call(NamedTuple):
    """What the person was told, and when."""

    at: float
    alert: str
    severity: str
    host: str
    status: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


class Pager:
    """A webhook of Alertmanager's."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 60

            def do_POST(self) -> None:
                told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for alert in told["alerts"]:
                    labels = alert["labels"]
                    outer.calls.append(
                        Call(time.time(), labels["alertname"], labels["severity"], labels.get("host", ""),
                             alert["status"], labels, alert["annotations"])
                    )  # fmt: skip
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def heard(self) -> dict[tuple[str, str, str], list[str]]:
        """By alert, severity and host, what was said in order."""
        found: dict[tuple[str, str, str], list[str]] = {}
        for call in list(self.calls):
            found.setdefault((call.alert, call.severity, call.host), []).append(call.status)
        return found

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(60)


@contextmanager
def on_call(folder: Path) -> Iterator[tuple[HttpServer, Pager]]:
    """Each alert is told of alone, at once, and again after hours at the earliest."""
    pager = Pager()
    config = {
        "route": {
            "receiver": "pager", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s",
            "repeat_interval": "4h",
        },
        "receivers": [{"name": "pager", "webhook_configs": [{"url": pager.url, "send_resolved": True}]}],
    }  # fmt: skip
    try:
        with alertmanager(folder, config) as server:
            yield server, pager
    finally:
        pager.stop()


class Feeder:
    """Writes what the script says of each second as it passes, as collectors do: what cannot be written now is kept.

    Attributes:
        start: Unix seconds of the script's second 0.
    """

    def __init__(self, org: Org, bucket: str, start: int, script: Script) -> None:
        self.start = start
        self._org = org
        self._bucket = bucket
        self._script = script
        self._kept: list[str] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def now(self) -> float:
        """Of the script."""
        return time.time() - self.start

    def wait_until(self, second: float) -> None:
        time.sleep(max(0.0, second - self.now()))

    def __enter__(self) -> Feeder:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(120)

    def _run(self) -> None:
        done = int(self.now()) - 15
        while not self._end.is_set():
            for second in range(done, int(self.now()) + 1):
                at = self.start + second
                self._kept += [f"mem,host={host} {fields} {at}" for host, fields in self._script(second).items()]
                done = second + 1
            try:
                if self._kept:
                    self._org.write(self._bucket, "\n".join(self._kept))
                    self._kept.clear()
            except OSError:
                pass
            self._end.wait(0.2)
