"""What the rollups of a fleet cost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from servers import InfluxServer
from tests.bench.processes import cpu_seconds

from nodetide_core.catalogue import CATALOGUE
from nodetide_core.store import Stream
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.flux import run_text
from nodetide_core.stores.influx.http import Transport

__all__ = ["Rollup", "TaskRun", "by_hand", "pause_tasks", "runs_since"]

#: Seconds that a run may take.
_PATIENCE = 1_200.0


@dataclass(frozen=True)
class Rollup:
    """Seconds that a window took, by the clock and of CPU."""

    seconds: float
    cpu: float


@dataclass(frozen=True)
class TaskRun:
    """One run of a task, as influxd tells of it."""

    name: str
    status: str
    seconds: float


def pause_tasks(server: InfluxServer) -> None:
    """No task runs any more."""
    for task in _tasks(server):
        server.call("PATCH", f"/api/v2/tasks/{task['id']}", {"status": "inactive"})


def runs_since(server: InfluxServer, start: int) -> list[TaskRun]:
    """Runs begun since then, all ended: what is under way is waited for."""
    end = time.monotonic() + _PATIENCE
    while True:
        runs = [
            (task["name"], run)
            for task in _tasks(server)
            for run in server.call("GET", f"/api/v2/tasks/{task['id']}/runs").get("runs", [])
            if "startedAt" in run and _seconds(run["startedAt"]) >= start
        ]
        if all("finishedAt" in run for _, run in runs) or time.monotonic() > end:
            return [
                TaskRun(name, run["status"], _seconds(run["finishedAt"]) - _seconds(run["startedAt"]))
                for name, run in sorted(runs, key=lambda pair: pair[1]["startedAt"])
                if "finishedAt" in run
            ]
        time.sleep(1)


def by_hand(server: InfluxServer, stream: Stream, start: int, stop: int) -> Rollup:
    """Make the window of the first tier that has most of a range, with nobody else asking.

    It is the text that its task runs, which makes two windows at a time.
    """
    tier = stream.tiers.rollups[0]
    first, last = start // tier.window * tier.window, stop // tier.window * tier.window
    window = max(range(first, last + 1, tier.window), key=lambda at: min(stop, at + tier.window) - max(start, at))
    text = run_text(stream, tier, CATALOGUE, start=window, stop=window + tier.window)
    caller = Caller(Transport(server.url, timeout=_PATIENCE), lambda: server.token)
    headers = {"Content-Type": "application/vnd.flux", "Accept": "application/csv"}
    before, began = cpu_seconds(server.pid), time.monotonic()
    try:
        reply = caller.send(
            "POST", f"/api/v2/query?org={quote(server.org)}", text.encode(), headers, doing="rolling up"
        )
    finally:
        caller.close()
    if b"error,reference" in reply.body:
        raise RuntimeError(reply.body.decode())
    return Rollup(time.monotonic() - began, cpu_seconds(server.pid) - before)


def _tasks(server: InfluxServer) -> Iterator[dict[str, str]]:
    yield from server.call("GET", f"/api/v2/tasks?org={quote(server.org)}&limit=500")["tasks"]


def _seconds(text: str) -> float:
    """Unix seconds; influxd tells nanoseconds, which Python before 3.11 does not take."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")
