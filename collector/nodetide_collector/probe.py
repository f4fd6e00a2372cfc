"""What a probe is: one file under ``probes/``, one class, one registration.

A probe only reads: it returns what the host says now, cumulative where the host counts.  What needs
the sample before (CPU usage, I/O utilisation) is derived afterwards, per stream, because two policies
may sample the same host at different intervals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeVar

from nodetide_collector.host import Host
from nodetide_core.points import Tags, Value

__all__ = ["Derive", "Probe", "Reading", "Registration", "Request", "Sample", "probe", "registered"]


class Sample(NamedTuple):
    """Fields of one series, without the tags that every point of a stream carries."""

    measurement: str
    tags: Tags
    fields: dict[str, Value]


@dataclass(slots=True)
class Reading:
    """What one pass of a probe gave, and what it left out and why.

    ``skipped`` counts by reason; a reason is short and bounded in number (``no such file``,
    ``malformed line``, ``statvfs timed out``), never a path or a name of which there may be many.
    """

    samples: list[Sample] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    def add(self, measurement: str, tags: Tags, fields: dict[str, Value]) -> None:
        if fields:
            self.samples.append(Sample(measurement, tags, fields))

    def skip(self, reason: str, count: int = 1) -> None:
        self.skipped[reason] += count


@dataclass(frozen=True, slots=True)
class Request:
    """What at least one stream wants of a probe, so that what nobody wants is not even looked at.

    Attributes:
        wants: whether a value of the measurement's filter tag is wanted.
        wants_fs_type: the same for file system types, for ``disk``.
        per_cpu: whether single CPUs are wanted beside the total.
    """

    wants: Callable[[str], bool] = lambda _: True
    wants_fs_type: Callable[[str], bool] = lambda _: True
    per_cpu: bool = True


class Probe(Protocol):
    """Made once with the host it reads; `read` is called once per pass, never twice at a time.

    An exception from `read` fails the pass of this group alone.  Whatever of the host is simply not
    there is skipped with a reason instead.
    """

    def __init__(self, host: Host) -> None: ...

    def read(self, request: Request) -> Reading: ...


#: Fields to add to a series, from its fields now and at the stream's sample before, and the seconds between.
Derive = Callable[[Mapping[str, Value], Mapping[str, Value], float], dict[str, Value]]


@dataclass(frozen=True, slots=True)
class Registration:
    """A probe as the collector knows it."""

    name: str
    make: type[Probe]
    timeout: float
    derive: Derive | None


_registered: dict[str, Registration] = {}
_P = TypeVar("_P", bound=type[Probe])


def probe(name: str, *, timeout: float = 2.0, derive: Derive | None = None) -> Callable[[_P], _P]:
    """Registers a probe class under the name of its measurement.

    Args:
        timeout: seconds after which a pass of it is given up and the other probes go on.
        derive: what is computed from two samples of a stream.
    """

    def register(cls: _P) -> _P:
        if name in _registered:
            raise ValueError(f"probe {name} is registered twice")
        _registered[name] = Registration(name, cls, timeout, derive)
        return cls

    return register


def registered() -> Mapping[str, Registration]:
    """All probes by name; importing `nodetide_collector.probes` fills it."""
    return _registered
