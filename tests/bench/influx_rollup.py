"""What a window of a tier costs: made by upkeep, and by InfluxDB's task, from what real collectors write."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

from servers import InfluxServer, influxd
from tests.bench.figures import Figure
from tests.bench.fleet_recording import Player, record
from tests.bench.influx_filling import STREAM, Filled, post
from tests.bench.processes import cpu_seconds

from nodetide_core.catalogue import CATALOGUE
from nodetide_core.stores.influx.caller import Caller, connect
from nodetide_core.stores.influx.config import StoreConfig
from nodetide_core.stores.influx.control import Control
from nodetide_core.stores.influx.due import Run
from nodetide_core.stores.influx.flux import run_text, task_text
from nodetide_core.stores.influx.making import Maker
from nodetide_core.stores.influx.state import StateKeeper
from nodetide_core.stores.influx.store import InfluxStore
from nodetide_core.tiers import Tier

HOSTS = 50


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder, influxd(Path(folder), options=["--log-level=error"]) as server:
        config = StoreConfig(server.url, server.org, lambda: server.token)
        store, caller = InfluxStore(config), connect(config, 600.0)
        first, second = STREAM.tiers.rollups[:2]
        stop = int(time.time()) // second.window * second.window
        start = stop - 2 * first.window
        try:
            store.ensure([STREAM])
            for task in Control(caller, server.org).tasks():
                server.call("PATCH", f"/api/v2/tasks/{task.id}", {"status": "inactive"})
            filled = Filled({}, Player(record(30), start))
            hosts = [f"node-{number:03d}" for number in range(HOSTS)]
            post(server, STREAM.bucket, filled.lines(hosts, range(start, stop)))
            yield from _windows(server, caller, first, start, stop)
            yield from _windows(server, caller, second, stop - second.window, stop)
            yield _idle(server, caller, first, stop)
        finally:
            store.close()
            caller.close()


def _windows(server: InfluxServer, caller: Caller, tier: Tier, start: int, stop: int) -> Iterator[Figure]:
    """Each window by both, the task's text first."""
    maker = Maker(caller, org=server.org, catalogue=CATALOGUE)
    flux, ours, python = 0.0, 0.0, 0.0
    windows = range(start, stop, tier.window)
    for at in windows:
        text = run_text(STREAM, tier, CATALOGUE, start=at, stop=at + tier.window)
        run = Run(tier, at, at + tier.window, frozenset(), (), ended=True)
        flux += _cpu_of(server, lambda text=text: _query(server, caller, text))  # type: ignore[misc]
        before = time.process_time()
        ours += _cpu_of(server, lambda run=run: maker.make(STREAM, run, time.time()))  # type: ignore[misc]
        python += time.process_time() - before
    count, name = len(windows), f"CPU of influxd for a window of {tier.name}, {HOSTS} hosts"
    yield Figure(f"{name}, by upkeep", "s", ours / count, "by the task's text", flux / count)
    yield Figure("… CPU of upkeep itself", "s", python / count)


def _idle(server: InfluxServer, caller: Caller, tier: Tier, stop: int) -> Figure:
    """A run of the task that finds its window claimed."""
    StateKeeper(caller, server.org).claim(STREAM, tier, stop)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(stop))
    path, times = f"/api/v2/query?org={quote(server.org)}", 20
    query = {"query": task_text(STREAM, tier, CATALOGUE, name="as the task"), "now": now}
    used = _cpu_of(server, lambda: [server.call("POST", path, query) for _ in range(times)])
    return Figure("CPU of influxd for a run of a task that upkeep has relieved", "ms", used / times * 1e3)


def _query(server: InfluxServer, caller: Caller, text: str) -> None:
    headers = {"Content-Type": "application/vnd.flux", "Accept": "application/csv"}
    path = f"/api/v2/query?org={quote(server.org)}"
    if b"error,reference" in caller.send("POST", path, text.encode(), headers, doing="rolling up").body:
        raise RuntimeError("the task's text failed")


def _cpu_of(server: InfluxServer, work: Callable[[], object]) -> float:
    """Seconds, with what comes after such as collecting garbage."""
    before = cpu_seconds(server.pid)
    work()
    time.sleep(0.5)
    return cpu_seconds(server.pid) - before
