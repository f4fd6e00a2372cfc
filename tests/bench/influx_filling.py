"""A real influxd with 200 hosts: all that collectors write in a minute, a few series for a day, 30 days in tiers."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping

from servers import InfluxServer
from tests.bench.fleet_recording import Player, record

from nodetide_core.lineprotocol import Encoder
from nodetide_core.store import Stream
from nodetide_core.stores.influx.caller import connect
from nodetide_core.stores.influx.config import StoreConfig
from nodetide_core.stores.influx.control import Control
from nodetide_core.stores.influx.state import StateKeeper
from nodetide_core.stores.influx.store import InfluxStore
from nodetide_core.tiers import DEFAULT_TIERS, align_down

__all__ = ["BUCKET", "DEEP", "HOSTS", "STREAM", "Filled", "fill", "post"]

MINUTE, HOUR, DAY = 60, 3_600, 86_400
RAW, FIVE_MINUTES, ONE_HOUR, ONE_DAY = DEFAULT_TIERS.tiers
BUCKET = "bench"
STREAM = Stream("bench", BUCKET)
HOSTS = tuple(f"node-{number:03d}" for number in range(200))
#: Hosts with a whole day of raw samples, in two series.
DEEP = HOSTS[:10]


class Filled:
    """
    Attributes:
        until: up to when tiers are filled, by name.
    """

    def __init__(self, until: Mapping[str, int], player: Player) -> None:
        self.until = until
        self._player = player
        self._encoder = Encoder()

    def lines(self, hosts: Iterable[str], seconds: Iterable[int]) -> Iterator[str]:
        """What collectors write."""
        for at in seconds:
            for host in hosts:
                yield from self._encoder.lines(self._player.points(host, at))


def fill(server: InfluxServer, now: int) -> Filled:
    """Make the stream and fill it up to ``now``; its tasks are paused, to take no part in what is measured."""
    config = StoreConfig(server.url, server.org, lambda: server.token)
    store = InfluxStore(config)
    try:
        store.ensure([STREAM])
    finally:
        store.close()
    caller = connect(config, 60.0)
    try:
        for task in Control(caller, server.org).tasks():
            server.call("PATCH", f"/api/v2/tasks/{task.id}", {"status": "inactive"})
        until = {tier.name: align_down(now, tier.window) for tier in (FIVE_MINUTES, ONE_HOUR)}
        filled = Filled(until, Player(record(10), now - MINUTE))
        post(server, BUCKET, _day(now))
        post(server, BUCKET, filled.lines(HOSTS, range(now - MINUTE, now)))
        for tier, span in ((FIVE_MINUTES, 2 * DAY), (ONE_HOUR, 29 * DAY)):
            stop = until[tier.name]
            times = range(align_down(now - span, tier.window), stop, tier.window)
            post(server, tier.bucket(BUCKET), (line for at in times for host in HOSTS for line in _rolled(host, at)))
            StateKeeper(caller, server.org).done(STREAM, tier, (), stop)
        return filled
    finally:
        caller.close()


def _day(now: int) -> Iterator[str]:
    for at in range(now - DAY, now - MINUTE):
        for host in DEEP:
            yield f"cpu,cpu=cpu-total,host={host} usage_active={at % 997 / 10} {at}"
            yield f"net,host={host},interface=eth0 bytes_recv={at * 1_000}i,bytes_sent={at * 900}i {at}"


def _rolled(host: str, at: int) -> list[str]:
    gauge = f"usage_active={at % 997 / 10},usage_active_min=0.5,usage_active_max=99.5,usage_active_count=300i"
    counters = ",".join(
        f"{name}={at * 1_000}i,{name}_increase=300000i,{name}_seconds=300i" for name in ("bytes_recv", "bytes_sent")
    )
    return [f"cpu,cpu=cpu-total,host={host} {gauge} {at}", f"net,host={host},interface=eth0 {counters} {at}"]


def post(server: InfluxServer, bucket: str, lines: Iterable[str]) -> None:
    """Write lines, ten thousand at a time."""
    path = f"/api/v2/write?org={server.org}&bucket={bucket}&precision=s"
    rest = iter(lines)
    while batch := list(itertools.islice(rest, 10_000)):
        server.call("POST", path, "\n".join(batch))
