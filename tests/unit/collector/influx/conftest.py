"""Stand-ins for InfluxDB and for time, and batches that tell themselves apart."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence

import pytest

from nodetide_collector.sinks.influx.frames import Batch
from nodetide_core.errors import StoreUnavailable
from nodetide_core.stores.influx.http import Reply
from nodetide_core.stores.influx.packed import pack

#: A whole hour.
START = 1_700_002_800


class FakeTime:
    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return START + self.now


class FakeInflux:
    """Takes lines as influxd does, as far as a test says what goes wrong.

    ``answers`` are given first, one a request: a Reply, or text for a request without an answer.
    """

    def __init__(self) -> None:
        self.answers: list[Reply | str] = []
        self.lines: list[bytes] = []
        self.requests: list[tuple[str, dict[str, str], bytes]] = []

    def __call__(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        assert method == "POST"
        self.requests.append((path, headers, body))
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, str):
                raise StoreUnavailable(answer)
            if answer.status != 204:
                return answer
        self.lines += unzip(body).splitlines(keepends=True)
        return reply(204)


def unzip(data: bytes) -> bytes:
    """All members of a gzip file."""
    found = b""
    while data:
        member = zlib.decompressobj(31)
        found += member.decompress(data) + member.flush()
        data = member.unused_data
    return found


def reply(status: int, code: str = "", message: str = "", **headers: str) -> Reply:
    body = json.dumps({"code": code, "message": message}).encode() if code else b""
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def batch(names: Sequence[str], time: int = START) -> Batch:
    """A line per name, all of one time."""
    return Batch(pack("".join(f"m,n={name} v=1 {time}\n" for name in names).encode(), len(names)), time, time)


def names(lines: Sequence[bytes]) -> list[str]:
    """The names that `batch` was given."""
    return [line.split(b"=")[1].split(b" ")[0].decode() for line in lines]


@pytest.fixture
def fake_time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def influx() -> FakeInflux:
    return FakeInflux()


@pytest.fixture(name="reply")
def reply_fixture() -> Callable[..., Reply]:
    return reply


@pytest.fixture(name="batch")
def batch_fixture() -> Callable[..., Batch]:
    return batch


@pytest.fixture(name="names")
def names_fixture() -> Callable[[Sequence[bytes]], list[str]]:
    return names


@pytest.fixture(name="unzip")
def unzip_fixture() -> Callable[[bytes], bytes]:
    return unzip


@pytest.fixture
def start() -> int:
    return START
