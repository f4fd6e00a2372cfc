"""What influxd takes of the disk for an hour of real lines, when the shard is as compact as it gets."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from servers import influxd
from tests.bench.figures import Figure
from tests.bench.fleet_recording import Player, record
from tests.bench.fleet_server import disk_bytes, settle_down

from nodetide_core.lineprotocol import Encoder
from nodetide_core.store import Stream
from nodetide_core.stores.influx.config import StoreConfig
from nodetide_core.stores.influx.store import InfluxStore
from nodetide_core.stores.influx.verdict import write_path

HOSTS = 10
_HOUR, _TOGETHER, _BUCKET = 3_600, 10, "bench"
#: Else influxd waits 10 min for writes to go on before it makes files of them, and 4 h before it compacts these.
_COLD = ("--storage-cache-snapshot-write-cold-duration=10s", "--storage-compact-full-write-cold-duration=15s")


def measure() -> Iterator[Figure]:
    recording = record(30)
    values = HOSTS * _HOUR * recording.fields_per_second
    start = (int(time.time()) // _HOUR - 2) * _HOUR
    player, encoder = Player(recording, start), Encoder(cache=100_000)
    with tempfile.TemporaryDirectory() as name, influxd(Path(name), options=["--log-level=error", *_COLD]) as server:
        store = InfluxStore(StoreConfig(server.url, server.org, lambda: server.token))
        try:
            store.ensure([Stream("bench", _BUCKET)])
        finally:
            store.close()
        empty = disk_bytes(server)
        for at in range(start, start + _HOUR, _TOGETHER):
            points = [
                point
                for host in range(HOSTS)
                for second in range(at, at + _TOGETHER)
                for point in player.points(f"node-{host:04d}", second)
            ]
            server.call("POST", write_path(server.org, _BUCKET), encoder.encode(points))
        settle_down(server)
        size = disk_bytes(server) - empty
    yield Figure("values that differ from the one before", "%", 100 * recording.changing)
    yield Figure("disk for a value, an hour's shard compacted", "B", size / values)
    yield Figure("disk for 24 h of a host", "MB", size / values * recording.fields_per_second * 86_400 / 1e6)
