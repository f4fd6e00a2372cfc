"""Whatever hosts, tags and texts are called, they come back as the data they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import InfluxServer

from nodetide_collector.sinks.influx import InfluxSink
from nodetide_core.points import Point, make_tags

pytestmark = pytest.mark.peer

TIME = 1_763_881_200
NASTY = [
    "it's \"quoted\"",
    "a,b=c d",
    "a\\,b\\ c\\",
    "'; DROP DATABASE x; --",
    '") |> drop() //',
    'from(bucket: "x") |> range(start: 0) |> to(bucket: "y")',
    "node\n1,host=evil v=1 1",
    "node\r\nAuthorization: Token x",
    "tab\tnul\x00bell\x07",
    "Größe 節点 🌊 \u202eevil",
    "# comment",
    "${env.HOME} %s {0}",
    "x" * 5_000,
    " leading and trailing ",
    "1i", "t", "NaN", "-",
]  # fmt: skip


def hosts(
    server: InfluxServer, bucket: str, ask: Callable[[InfluxServer, str, str], list[dict[str, Any]]]
) -> dict[str, dict[str, Any]]:
    return {row["host"]: row for row in ask(server, bucket, "SELECT * FROM notes GROUP BY host, label")}


def test_names_tags_and_texts_come_back(
    server: InfluxServer, bucket: str, make_sink: Callable[..., InfluxSink], ask: Callable[..., list[dict[str, Any]]]
) -> None:
    sink = make_sink(server)
    for number, text in enumerate(NASTY):
        tags = make_tags({"host": f"{number}{text}", "label": text})
        sink.write(bucket, [Point("notes", tags, {"text": text, "number": number}, TIME + number)])
    assert sink.flush(180) == 0
    assert (sink.stats().written, sink.stats().dropped) == (len(NASTY), 0)
    found = hosts(server, bucket, ask)
    for number, text in enumerate(NASTY):
        tags = dict(make_tags({"host": f"{number}{text}", "label": text}))
        row = found.pop(tags["host"])
        assert (row["label"], row["text"], row["number"]) == (tags["label"], text, number)
    assert found == {}


def test_bucket_names_are_data_too(
    server: InfluxServer, make_sink: Callable[..., InfluxSink], ask: Callable[..., list[dict[str, Any]]]
) -> None:
    sink = make_sink(server)
    for name in ("a&org=x", "b..c?d#e", "ü 'x'", "0123456789abcdef"):
        server.call("POST", "/api/v2/buckets", {"orgID": server.org_id, "name": name, "retentionRules": []})
        sink.write(name, [Point("notes", make_tags({"host": "h"}), {"text": name}, TIME)])
        assert sink.flush(180) == 0
        assert [row["text"] for row in ask(server, name, "SELECT text FROM notes")] == [name]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(
        st.text(min_size=1, max_size=20), min_size=1, max_size=20, unique_by=lambda t: dict(make_tags({"h": t}))["h"]
    )
)
def test_any_text_comes_back(
    server: InfluxServer,
    make_bucket: Callable[[InfluxServer], str],
    make_sink: Callable[..., InfluxSink],
    ask: Callable[..., list[dict[str, Any]]],
    texts: list[str],
) -> None:
    bucket = make_bucket(server)
    sink = make_sink(server)
    try:
        points = [
            Point("notes", make_tags({"host": text}), {"text": text, "number": number}, TIME)
            for number, text in enumerate(texts)
        ]
        sink.write(bucket, points)
        assert sink.flush(180) == 0
        assert (sink.stats().written, sink.stats().dropped) == (len(texts), 0)
    finally:
        sink.close()
    found = hosts(server, bucket, ask)
    for number, text in enumerate(texts):
        row = found.pop(dict(make_tags({"host": text}))["host"])
        assert (row["number"], row["text"]) == (number, text.encode("utf-8", "replace").decode())
    assert found == {}
