"""TLS with an authority of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers import InfluxServer, influxd
from servers.certs import Authority

from nodetide_collector.sinks.influx import InfluxSink
from nodetide_core.points import Point

pytestmark = pytest.mark.peer

MakeSink = Callable[..., InfluxSink]
Second = Callable[[int], list[Point]]


@pytest.fixture(scope="module")
def secure(needs_parts: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    needs_parts("influxd")
    with influxd(tmp_path_factory.mktemp("influxd-tls"), tls=True) as server:
        yield server


def test_the_given_authority_is_trusted(
    secure: InfluxServer,
    make_bucket: Callable[[InfluxServer], str],
    make_sink: MakeSink,
    second: Second,
    seconds_held: Callable[[InfluxServer, str], list[int]],
) -> None:
    bucket = make_bucket(secure)
    sink = make_sink(secure)
    for number in range(100):
        sink.write(bucket, second(number))
    assert sink.flush(180) == 0
    secure.restart()
    for number in range(100, 200):
        sink.write(bucket, second(number))
    assert sink.flush(180) == 0
    assert seconds_held(secure, bucket) == list(range(200))


def test_no_other_is_and_data_is_kept_until_the_file_is_right(
    secure: InfluxServer,
    make_bucket: Callable[[InfluxServer], str],
    make_sink: MakeSink,
    second: Second,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    told: Callable[..., None],
) -> None:
    bucket = make_bucket(secure)
    file = tmp_path / "ca.crt"
    file.write_bytes(Authority.create(tmp_path / "other").certificate.read_bytes())
    sink = make_sink(secure, ca_file=file)
    sink.write(bucket, second(0))
    told(sink, "its certificate is not trusted")
    assert sink.flush(0.5) == 2
    assert str(file) in caplog.text
    assert secure.ca is not None
    file.write_bytes(secure.ca.read_bytes())
    assert sink.flush(180) == 0


def test_the_systems_authorities_do_not_trust_it(
    secure: InfluxServer, make_sink: MakeSink, second: Second, told: Callable[..., None]
) -> None:
    sink = make_sink(secure, ca_file=None)
    sink.write("b", second(0))
    told(sink, "the system's certificates")
    assert sink.flush(0.5) == 2
