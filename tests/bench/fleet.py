"""A fleet against the real influxd: so many hosts, each with a real sink, at one pass a second.

``NODETIDE_FLEET_HOSTS`` (1000) and ``NODETIDE_FLEET_MINUTES`` (2) say how many and how long,
after ``NODETIDE_FLEET_RAMP`` (60) seconds in which they come one after the other; ``NODETIDE_FLEET_FLUSH`` (5) after
how many seconds a host writes, and ``NODETIDE_FLEET_ROLLUPS`` whether nothing is rolled up (``none``), one window
after the writes (``after``), or by the tasks beside them (``tasks``).  But for the last, the hosts' clocks are
shifted so that an hour ends, and with it a shard, half-way.  See docs/capacity.md.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path

from servers import InfluxServer, influxd
from servers.process import bound
from tests.bench.figures import Figure
from tests.bench.fleet_counting import count
from tests.bench.fleet_figures import Run, of_balance, of_rollup, of_writing
from tests.bench.fleet_recording import Player, Recording, record
from tests.bench.fleet_rollups import by_hand, pause_tasks, runs_since
from tests.bench.fleet_server import Watch, disk_bytes, refused_writes, written_bytes
from tests.bench.fleet_worker import DRAIN, Order, Report

from nodetide_core.policy import default_policy
from nodetide_core.stores.influx.config import StoreConfig
from nodetide_core.stores.influx.store import InfluxStore

HOSTS = int(os.environ.get("NODETIDE_FLEET_HOSTS", "1000"))
MINUTES = float(os.environ.get("NODETIDE_FLEET_MINUTES", "2"))
RAMP = int(os.environ.get("NODETIDE_FLEET_RAMP", "60"))
FLUSH = int(os.environ.get("NODETIDE_FLEET_FLUSH", "5"))
ROLLUPS = os.environ.get("NODETIDE_FLEET_ROLLUPS", "none")

_RECORDED, _HOUR = 30, 3_600
#: Seconds for a worker to start, and for a host of it to get ready.
_START, _READY = 5, 0.01
#: Bytes of the disk that a value may take, at its worst, and that are left free.
_VALUE, _SPARE = 20, 2 * 2**30


def measure() -> Iterator[Figure]:
    if ROLLUPS not in ("none", "after", "tasks"):
        raise ValueError(f"NODETIDE_FLEET_ROLLUPS must be none, after or tasks, not {ROLLUPS!r}")
    recording = record(_RECORDED)
    stream = default_policy().stream
    with tempfile.TemporaryDirectory() as name, influxd(Path(name), options=["--log-level=error"]) as server:
        _check_disk(Path(name), recording)
        store = InfluxStore(StoreConfig(server.url, server.org, lambda: server.token))
        try:
            store.ensure([stream])
        finally:
            store.close()
        if ROLLUPS != "tasks":
            pause_tasks(server)
        run = _run(server, Path(name), recording, stream.bucket)
        yield from of_writing(run)
        if ROLLUPS == "tasks":
            for each in runs_since(server, run.start):
                yield Figure(f"{each.name}: a run, {each.status}", "s", each.seconds)
        start, stop = run.start + run.shift, run.stop + run.shift
        player = Player(recording, start)
        expected = {host: player.expected(begin + run.shift, stop) for host, begin in _hosts(run.start).items()}
        yield from of_balance(count(server, stream.bucket, expected, start, stop), run)
        if ROLLUPS == "after":
            yield from of_rollup(by_hand(server, stream, start, stop), run)


def _run(server: InfluxServer, folder: Path, recording: Recording, bucket: str) -> Run:
    seconds = RAMP + round(60 * MINUTES)
    before = disk_bytes(server)
    start = int(time.time() + _START + _READY * HOSTS)
    turn = (start + RAMP + (seconds - RAMP) // 2) // 10 * 10
    shift = 0 if ROLLUPS == "tasks" else turn // _HOUR * _HOUR - turn
    workers = min(os.cpu_count() or 1, HOSTS)
    with ExitStack() as stack:
        spools = Path(stack.enter_context(_spools()))
        running = []
        for number in range(workers):
            order = Order(
                url=server.url, org=server.org, token=server.token, bucket=bucket, folder=spools / str(number),
                recording=recording, hosts=dict(islice(_hosts(start).items(), number, None, workers)),
                start=start, stop=start + seconds, shift=shift, flush=FLUSH,
            )  # fmt: skip
            file = folder / f"order-{number}"
            file.touch(0o600)
            file.write_bytes(pickle.dumps(order))
            running.append(stack.enter_context(_worker(file)))
        time.sleep(max(0.0, start - time.time()))
        watch = stack.enter_context(Watch(server))
        limit = seconds + DRAIN + 60
        reports = [Report(**json.loads(each.communicate(timeout=limit)[0])) for each in running]
        drained = int(time.time())
    return Run(
        hosts=HOSTS, flush=FLUSH, start=start, full=start + RAMP, stop=start + seconds, shift=shift,
        drained=drained, recording=recording, watch=watch, reports=reports, refused=refused_writes(server),
        disk=disk_bytes(server) - before, written=written_bytes(server),
    )  # fmt: skip


def _hosts(start: int) -> dict[str, int]:
    """The hosts, and the second from which on each is there."""
    return {f"node-{number:04d}": start + number * RAMP // HOSTS for number in range(HOSTS)}


@contextmanager
def _worker(file: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = bound([sys.executable, "-m", "tests.bench.fleet_worker", str(file)])
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _spools() -> tempfile.TemporaryDirectory[str]:
    """In memory where that is possible: nodes have disks of their own, and don't make influxd's wait."""
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None)


def _check_disk(folder: Path, recording: Recording) -> None:
    needed = int(HOSTS * recording.fields_per_second * 60 * MINUTES * _VALUE) + _SPARE
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise RuntimeError(f"{folder} has {free / 1e9:.1f} GB free, and {needed / 1e9:.1f} GB may be needed")
