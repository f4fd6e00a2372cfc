"""One process of a simulated fleet: so many hosts, each with a real sink, sampled by the second.

``python -m tests.bench.fleet_worker FILE``: the file is a pickled `Order`; prints a `Report` as JSON.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import shutil
import socket
import stat
import struct
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.fleet_recording import Player, Recording

from nodetide_collector.sinks.influx import InfluxConfig, InfluxSink
from nodetide_collector.sinks.influx.sender import Times

__all__ = ["DRAIN", "LOOK", "Order", "Report"]

#: Seconds after the last sample that the sinks may take to write what they hold.
DRAIN = 600.0
#: Seconds between two looks at how old what a sink holds is.
LOOK = 5
#: Where the kernel's ``struct tcp_info`` has the bytes that the other side has acknowledged.
_ACKNOWLEDGED, _TCP_INFO_SIZE = 120, 128


@dataclass(frozen=True)
class Order:
    """What a worker is to do.

    Attributes:
        folder: for the spools; made, and removed.
        hosts: names of its hosts, and the second from which on each samples.
        start, stop: the first second, Unix time, and the one behind the last.
        shift: seconds by which the hosts' clocks are ahead.
        flush: seconds between writes of a host.
    """

    url: str
    org: str
    token: str
    bucket: str
    folder: Path
    recording: Recording
    hosts: Mapping[str, int]
    start: int
    stop: int
    shift: int
    flush: float


@dataclass(frozen=True)
class Report:
    """What it did.

    Attributes:
        points: handed to the sinks; written: taken by InfluxDB; dropped: lost by a sink; held: left at the end.
        passes: of one host for one second.
        late: passes that ended a second or more after they were due.
        worst: seconds by which the latest one did.
        oldest: for each `LOOK` seconds, the age of the oldest point in any of the spools, in seconds.
        sent: bytes that went over its connections, headers included.
        cpu: seconds that this process used while it sampled.
    """

    points: int
    written: int
    dropped: int
    held: int
    passes: int
    late: int
    worst: float
    oldest: Sequence[float]
    sent: int
    cpu: float


def work(order: Order) -> Report:
    """Sample until it is time to stop, then write what is left."""
    with _sinks(order) as sinks:
        player = Player(order.recording, order.start + order.shift)
        for host in sinks:
            player.points(host, order.start + order.shift)  # what is made once for a host is made here
        points = passes = late = 0
        worst = 0.0
        oldest = [0.0] * -(-(order.stop - order.start) // LOOK)
        time.sleep(max(0.0, order.start - time.time()))
        before = time.process_time()
        for second in range(order.start, order.stop):
            for number, (host, sink) in enumerate(sinks.items()):
                if second < order.hosts[host]:
                    continue
                # Spread over the second: the hosts of a fleet don't wait for each other.
                due = second + number / len(sinks)
                time.sleep(max(0.0, due - time.time()))
                made = player.points(host, second + order.shift)
                sink.write(order.bucket, made)
                points, passes = points + len(made), passes + 1
                behind = time.time() - due
                late += behind >= 1.0
                worst = max(worst, behind)
                if (second + number) % LOOK == 0:
                    look = (second - order.start) // LOOK
                    oldest[look] = max(oldest[look], sink.stats().spool_oldest_s)
        spent = time.process_time() - before
        until = time.monotonic() + DRAIN
        held = sum(sink.flush(max(0.0, until - time.monotonic())) for sink in sinks.values())
        stats = [sink.stats() for sink in sinks.values()]
        return Report(
            points=points,
            written=sum(each.written for each in stats),
            dropped=sum(each.dropped for each in stats),
            held=held,
            passes=passes,
            late=late,
            worst=worst,
            oldest=oldest,
            sent=_sent(),
            cpu=spent,
        )


@contextmanager
def _sinks(order: Order) -> Iterator[dict[str, InfluxSink]]:
    times = Times(wall=lambda: time.time() + order.shift)
    made = {}
    try:
        for host in order.hosts:
            config = InfluxConfig(
                url=order.url, org=order.org, token=lambda: order.token, host=host,
                spool_dir=order.folder / host, flush_interval=order.flush,
            )  # fmt: skip
            made[host] = InfluxSink(config, times=times)
        yield made
    finally:
        for sink in made.values():
            sink.close()
        shutil.rmtree(order.folder, ignore_errors=True)


def _sent() -> int:
    """Bytes sent over the TCP connections of this process, as far as they are still open."""
    total = 0
    for path in Path("/proc/self/fd").iterdir():
        descriptor = int(path.name)
        try:
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                continue
        except OSError:  # the one that listed the directory
            continue
        with socket.socket(fileno=os.dup(descriptor)) as one:
            if one.family == socket.AF_INET and one.type == socket.SOCK_STREAM:
                info = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_SIZE)
                total += struct.unpack_from("Q", info, _ACKNOWLEDGED)[0]
    return total


def main(file: str) -> None:
    logging.disable(logging.CRITICAL)  # a thousand sinks say the same
    order = pickle.loads(Path(file).read_bytes())
    print(json.dumps(asdict(work(order))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
