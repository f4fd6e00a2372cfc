"""What must be in InfluxDB so that streams are kept: buckets and tasks.  Pure.

The operator, `nodetide init` and `InfluxStore.ensure` all use the same three steps: `desired`, then
`nodetide_core.stores.influx.planning.plan` against what `control.Control` observes, then
`Control.apply`.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

from nodetide_core.catalogue import Catalogue
from nodetide_core.errors import StoreRejected
from nodetide_core.store import Stream
from nodetide_core.stores.influx.flux import task_text
from nodetide_core.stores.influx.ownership import describe_part, describe_stream

__all__ = ["Bucket", "Part", "Task", "desired", "digest_of", "task_name"]

_HOUR, _DAY = 3_600, 86_400
#: InfluxDB refuses a leading underscore and quotes; a slash would end the name where InfluxQL looks for it.
_NAME = re.compile(r'[^_"/\\][^"/\\]{0,254}')


@dataclass(frozen=True, slots=True)
class Bucket:
    """
    Attributes:
        retention: seconds; 0 keeps for ever.
        shard: seconds of one shard group.
    """

    name: str
    retention: int
    shard: int
    description: str


@dataclass(frozen=True, slots=True)
class Task:
    """
    Attributes:
        digest: of its Flux, by which two are told apart: a thousand policies have 30 MB of texts.
        write: gives the Flux; of a task that was only seen, nobody needs it.
    """

    name: str
    digest: str
    description: str
    write: Callable[[], str] = field(default=str, compare=False, repr=False)


def digest_of(flux: str) -> str:
    return hashlib.sha256(flux.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Part:
    """One tier of a stream: its bucket and, but for raw, the task that fills it.

    Attributes:
        base: the raw bucket of the stream.
        window: by which a tier is known, whatever its name.
    """

    base: str
    window: int
    bucket: Bucket
    task: Task | None


def desired(streams: Sequence[Stream], catalogue: Catalogue) -> tuple[Part, ...]:
    """The parts of all streams, raw first in each.

    Raises:
        StoreRejected: tiers that cannot be, a retention or name that InfluxDB does not take, or two
            streams that want the same bucket.
    """
    parts = tuple(part for stream in streams for part in _parts(stream, catalogue))
    names = Counter(part.bucket.name for part in parts)
    for name, count in names.items():
        if count > 1:
            raise StoreRejected(f"the bucket {name} is asked for {count} times; every tier needs one of its own")
    return parts


def task_name(bucket: str) -> str:
    """Of the task that fills a tier's bucket."""
    return f"nodetide {bucket}"


def _parts(stream: Stream, catalogue: Catalogue) -> list[Part]:
    _check(stream)
    found = []
    for tier in stream.tiers.tiers:
        raw = tier.window == 0
        name = tier.bucket(stream.bucket)
        description = describe_stream(stream) if raw else describe_part(stream.bucket, stream.owner)
        task = None
        if not raw:
            named = task_name(name)
            write = partial(task_text, stream, tier, catalogue, name=named)
            task = Task(named, digest_of(write()), description, write)
        found.append(
            Part(
                stream.bucket,
                tier.window,
                Bucket(name, tier.retention, _shard(tier.retention), description),
                task,
            )
        )
    return found


def _check(stream: Stream) -> None:
    tiers = stream.tiers.tiers
    if not tiers or tiers[0].window != 0 or len({tier.name for tier in tiers}) != len(tiers):
        raise StoreRejected(f"{stream.bucket}: the first tier must be raw, with no window, and names be unique")
    for before, tier in pairwise(tiers):
        if tier.window <= before.window or (before.window and tier.window % before.window):
            raise StoreRejected(f"{stream.bucket}: the window of {tier.name} must be a multiple of {before.name}'s")
    for tier in tiers:
        name = tier.bucket(stream.bucket)
        if 0 < tier.retention < _HOUR:
            raise StoreRejected(f"{name}: InfluxDB keeps points at least 1h, or for ever (0), not {tier.retention} s")
        if not _NAME.fullmatch(name) or not name.isprintable():
            raise StoreRejected(
                f'{name!r} cannot be a bucket: 1 to 255 printable characters without ", / and \\, the first one not _'
            )
    if stream.tiers.counter_gap < 1:
        raise StoreRejected(f"{stream.bucket}: counter_gap must be at least 1 s")


def _shard(retention: int) -> int:
    """As InfluxDB chooses by itself; asked for all the same, so that a later version cannot choose otherwise."""
    if 0 < retention < 2 * _DAY:
        return _HOUR
    return _DAY if 0 < retention < 180 * _DAY else 7 * _DAY
