"""What a write costs influxd, by how it is sent: the same real lines, posted bare in other shapes, one at a time."""

from __future__ import annotations

import gzip
import http.client
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from servers import InfluxServer, influxd
from tests.bench.figures import Figure, median
from tests.bench.fleet_recording import Player, record
from tests.bench.processes import cpu_seconds

from nodetide_core.lineprotocol import Encoder
from nodetide_core.points import Point
from nodetide_core.stores.influx.packed import join, pack
from nodetide_core.stores.influx.verdict import write_path

HOSTS, SECONDS, ROUNDS = 100, 30, 3

#: Lines of one host at one second.
_Tick: TypeAlias = Sequence[str]


def _as_sinks_do(ticks: Sequence[_Tick]) -> bytes:
    return join([pack(_text([lines]), len(lines)) for lines in ticks])


def _quickly(ticks: Sequence[_Tick]) -> bytes:
    return b"".join(pack(_text([lines]), len(lines)).data for lines in ticks)


def _thoroughly(ticks: Sequence[_Tick]) -> bytes:
    return gzip.compress(_text(ticks), 9)


def _text(ticks: Sequence[_Tick]) -> bytes:
    return "".join(f"{line}\n" for lines in ticks for line in lines).encode()


def _same(points: list[Point]) -> list[Point]:
    return points


def _unsorted(points: list[Point]) -> list[Point]:
    return [point._replace(tags=tuple(reversed(point.tags))) for point in points]


def _less_of_itself(points: list[Point]) -> list[Point]:
    return [point for point in points if point.measurement != "collector" or ("group", "all") in point.tags]


@dataclass(frozen=True)
class _Way:
    """
    Attributes:
        pack: makes the body of a request.
        hosts, seconds: of the lines in a request.
        change: what is done to the points of a host and second.
    """

    name: str
    pack: Callable[[Sequence[_Tick]], bytes] = _as_sinks_do
    hosts: int = 1
    seconds: int = 5
    change: Callable[[list[Point]], list[Point]] = _same


_USUAL = _Way("as the sink sends, every 5 s")
_WAYS = (
    _USUAL,
    _Way("every second", seconds=1),
    _Way("every 10 s", seconds=10),
    _Way("every 15 s", seconds=15),
    _Way("20 hosts in a request", hosts=20),
    _Way("gzip level 1, second by second", pack=_quickly),
    _Way("gzip level 9", pack=_thoroughly),
    _Way("not compressed", pack=_text),
    _Way("tags not sorted", change=_unsorted),
    _Way("of measurement collector only group all", change=_less_of_itself),
)


def measure() -> Iterator[Figure]:
    recording = record(30)
    cpu: dict[str, list[float]] = {way.name: [] for way in _WAYS}
    wire: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, influxd(Path(folder), options=["--log-level=error"]) as server:
        start = int(time.time()) // 3600 * 3600 - 7200
        player, encoder = Player(recording, start), Encoder(cache=1_000_000)
        _post(server, _bodies(player, encoder, start, _USUAL))  # series are made here, for all alike
        for _ in range(ROUNDS):
            for way in _WAYS:
                start += SECONDS  # new points every time
                bodies = _bodies(player, encoder, start, way)
                before = cpu_seconds(server.pid)
                _post(server, bodies)
                cpu[way.name].append((cpu_seconds(server.pid) - before) / (HOSTS * SECONDS))
                wire[way.name] = sum(map(len, bodies)) / (HOSTS * SECONDS)
    usual = 1e3 * median(cpu[_USUAL.name])
    for name, taken in cpu.items():
        label = f"influxd, CPU for a host and second: {name} ({wire[name]:.0f} B)"
        yield Figure(label, "ms", 1e3 * median(taken), _USUAL.name, usual)


def _bodies(player: Player, encoder: Encoder, start: int, way: _Way) -> list[bytes]:
    """Requests, in the order of time."""
    found = []
    for at in range(start, start + SECONDS, way.seconds):
        for first in range(0, HOSTS, way.hosts):
            ticks = [
                encoder.lines(way.change(player.points(f"node-{host:04d}", second)))
                for host in range(first, first + way.hosts)
                for second in range(at, at + way.seconds)
            ]
            found.append(way.pack(ticks))
    return found


def _post(server: InfluxServer, bodies: Sequence[bytes]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    path = write_path(server.org, server.bucket)
    for body in bodies:
        headers = {"Authorization": f"Token {server.token}"}
        if body.startswith(b"\x1f\x8b"):
            headers["Content-Encoding"] = "gzip"
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        if answer.read() or answer.status != 204:
            raise RuntimeError(f"influxd answered {answer.status}")
    connection.close()
