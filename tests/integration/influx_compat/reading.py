"""What a bucket holds, as InfluxDB itself tells it: InfluxQL over plain HTTP, nothing of our store's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from servers import InfluxServer
from tests.integration.things import Things, is_of

#: A measurement and its tags.
Series = tuple[str, frozenset[tuple[str, str]]]
#: Readings of one field by time.
Readings = Mapping[int, Any]


@dataclass(frozen=True)
class Held:
    """All of a bucket.

    Attributes:
        types: InfluxDB's types (``float``, ``integer``, ``string`` …) by measurement and field.
        series: by series and field the readings, whose time is in nanoseconds.
    """

    types: Mapping[tuple[str, str], frozenset[str]]
    series: Mapping[Series, Mapping[str, Readings]]

    @property
    def measurements(self) -> frozenset[str]:
        return frozenset(measurement for measurement, _ in self.types)


def without_others(held: Held, there: Things) -> Held:
    """The same without series of mounts, disks and interfaces that are not among these."""
    kept = {key: fields for key, fields in held.series.items() if is_of(there, key[0], dict(key[1]))}
    return Held(held.types, kept)


def seconds_held(server: InfluxServer, bucket: str, measurement: str) -> int:
    """How many different times the measurement has."""
    rows = [row for row, *_ in _rows(server, bucket, f'SELECT * FROM "{measurement}"')]
    return len({row["time"] for row in rows})


def read(server: InfluxServer, bucket: str) -> Held:
    """Everything the bucket holds."""
    types: dict[tuple[str, str], set[str]] = {}
    for row, measurement, _ in _rows(server, bucket, "SHOW FIELD KEYS"):
        types.setdefault((measurement, row["fieldKey"]), set()).add(row["fieldType"])
    series: dict[Series, dict[str, dict[int, Any]]] = {}
    for measurement in {measurement for measurement, _ in types}:
        for row, _, tags in _rows(server, bucket, f'SELECT * FROM "{measurement}" GROUP BY *'):
            # A tag that this series lacks and another has comes as an empty one, which InfluxDB cannot hold.
            key = measurement, frozenset((name, value) for name, value in tags.items() if value)
            for field, value in row.items():
                if field != "time" and value is not None:
                    series.setdefault(key, {}).setdefault(field, {})[row["time"]] = value
    return Held({key: frozenset(found) for key, found in types.items()}, series)


def _rows(server: InfluxServer, bucket: str, query: str) -> Iterator[tuple[dict[str, Any], str, dict[str, str]]]:
    """Each row by column, with its measurement and tags."""
    answer = server.call("GET", f"/query?{urlencode({'db': bucket, 'epoch': 'ns', 'q': query})}")
    (result,) = answer["results"]
    assert "error" not in result and not result.get("partial"), result
    for part in result.get("series", []):
        assert not part.get("partial"), "the answer was cut off"
        for values in part["values"]:
            yield dict(zip(part["columns"], values, strict=True)), part["name"], part.get("tags", {})
