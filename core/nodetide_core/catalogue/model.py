"""What the catalogue says of a measurement, and the questions asked of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

__all__ = ["Catalogue", "Field", "Kind", "Measurement", "Platform", "Tag", "Type", "Unit"]


class Kind(str, Enum):
    """How values behave over time, which decides how they are rolled up."""

    GAUGE = "gauge"
    COUNTER = "counter"
    INFO = "info"


class Type(str, Enum):
    """The type on the wire. InfluxDB drops a point whose field changes type, so it is fixed here."""

    FLOAT = "float"
    INT = "integer"
    STRING = "string"


class Unit(str, Enum):
    """Units, spelled as Prometheus spells base units where it has one."""

    PERCENT = "percent"
    BYTES = "bytes"
    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"
    MICROSECONDS = "microseconds"
    KILOHERTZ = "kilohertz"
    MEGABITS = "megabits"
    CELSIUS = "celsius"
    COUNT = "count"
    PAGES = "pages"
    TIMESTAMP = "timestamp"
    NONE = "none"

    @property
    def per_second(self) -> str:
        """The unit of this counter's rate."""
        if self in (Unit.COUNT, Unit.NONE):
            return "per_second"
        if self is Unit.SECONDS:
            return "ratio"
        return f"{self.value}_per_second"


class Platform(str, Enum):
    """Where a measurement can be read."""

    ANY = "any"
    LINUX = "linux"


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of a measurement, beside the ones every point carries (``host``, ``cluster``, labels)."""

    name: str
    help: str


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a measurement."""

    name: str
    type: Type
    unit: Unit
    kind: Kind
    help: str


@dataclass(frozen=True)
class Measurement:
    """A measurement: also the name of the group that a MetricPolicy switches on or off.

    Attributes:
        interval: default seconds between samples where they are dearer or slower to change than the
            policy's own interval; None means the policy's interval.
        filter_tag: the tag that ``include`` and ``exclude`` patterns of a policy match.
    """

    name: str
    help: str
    fields: tuple[Field, ...]
    tags: tuple[Tag, ...] = ()
    interval: int | None = None
    filter_tag: str | None = None
    default: bool = True
    platform: Platform = Platform.LINUX
    by_name: dict[str, Field] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {item.name: item for item in self.fields})
        if len(self.by_name) != len(self.fields):
            raise ValueError(f"{self.name} names a field twice")


class Catalogue:
    """All measurements by name."""

    def __init__(self, measurements: Iterable[Measurement]) -> None:
        self._by_name: dict[str, Measurement] = {}
        for item in measurements:
            if item.name in self._by_name:
                raise ValueError(f"{item.name} stands twice in the catalogue")
            self._by_name[item.name] = item

    def __iter__(self) -> Iterator[Measurement]:
        return iter(self._by_name.values())

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> Measurement:
        return self._by_name[name]

    def get(self, name: str) -> Measurement | None:
        return self._by_name.get(name)

    def field(self, measurement: str, name: str) -> Field | None:
        """The field, or None where the catalogue does not have it."""
        found = self._by_name.get(measurement)
        return None if found is None else found.by_name.get(name)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(self._by_name)
