"""Tokens that may do one thing to a few buckets: which must be made and which must go.  Pure.

InfluxDB cannot change what a token may do, so a token whose buckets have changed is replaced.  The
one before it works on for a while, until everybody has read the new one.  Later versions keep only
hashes of tokens, so nothing here reads one back: a token is known by a fingerprint in its
description.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nodetide_core.store import Stream
from nodetide_core.stores.influx.ownership import base_of
from nodetide_core.stores.influx.planning import Observed, streams_of

__all__ = [
    "GRACE",
    "Grant",
    "SeenToken",
    "TokenPlan",
    "describe_token",
    "fingerprint",
    "grants_for",
    "plan_tokens",
    "readers_for",
]

#: Seconds that a replaced token works on: a Secret may take 90 s to reach a pod.
GRACE = 600
_MARK = "Nodetide makes this token: "
_DESCRIPTION = re.compile(re.escape(_MARK) + "(?P<owner>.*)/(?P<name>[^/ ]+)( (?P<known_by>[0-9a-f]+))?")


@dataclass(frozen=True, slots=True)
class Grant:
    """What one token is for.

    Attributes:
        read, write: ids of buckets.
    """

    name: str
    read: frozenset[str] = frozenset()
    write: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SeenToken:
    """A token as InfluxDB lists it.

    Attributes:
        read, write: ids of buckets.
        more: whether it may do anything else.
        created: Unix seconds.
    """

    id: str
    description: str
    read: frozenset[str]
    write: frozenset[str]
    more: bool
    active: bool
    created: int


@dataclass(frozen=True, slots=True)
class TokenPlan:
    """
    Attributes:
        make: tokens to be made, and given to whoever keeps them.
        delete: ids.
    """

    make: tuple[Grant, ...] = ()
    delete: tuple[str, ...] = ()


def grants_for(streams: Iterable[Stream], observed: Observed) -> tuple[Grant, Grant]:
    """What collectors and the API need, and no more: nothing of a bucket that is not the stream's own.

    Where a policy was refused, that is of the stream as it was before.
    """
    raw: set[str] = set()
    every: set[str] = set()
    for bucket, rollups in _own(streams, observed):
        raw.add(observed.buckets[bucket].id)
        every |= rollups
    return Grant("collector", write=frozenset(raw)), Grant("api", read=frozenset(raw | every))


def readers_for(streams: Iterable[Stream], observed: Observed) -> tuple[Grant, ...]:
    """For each stream, called as its raw bucket, what reading that stream alone takes."""
    return tuple(
        Grant(bucket, read=frozenset({observed.buckets[bucket].id}) | rollups)
        for bucket, rollups in _own(streams, observed)
    )


def _own(streams: Iterable[Stream], observed: Observed) -> Iterator[tuple[str, frozenset[str]]]:
    """The raw buckets that are the streams' own, each with the ids of those of its other tiers."""
    wanted = {(stream.bucket, stream.name, stream.owner) for stream in streams}
    for told in streams_of(observed):
        if (told.bucket, told.name, told.owner) in wanted:
            tiers = (observed.buckets.get(tier.bucket(told.bucket)) for tier in told.tiers.rollups)
            ids = frozenset(seen.id for seen in tiers if seen and base_of(seen.bucket.description) == told.bucket)
            yield told.bucket, ids


def fingerprint(token: str) -> str:
    """Enough to know a token by, and nothing to find it with."""
    return hashlib.sha256(token.encode()).hexdigest()[:16]


def describe_token(owner: str, name: str, known_by: str = "") -> str:
    """A token's description.

    Args:
        owner: who makes it: an installation of Nodetide among others in the same organization.
        known_by: its `fingerprint`; empty until InfluxDB has made it.
    """
    return f"{_MARK}{owner}/{name} {known_by}".rstrip()


def plan_tokens(
    owner: str,
    grants: Sequence[Grant],
    seen: Iterable[SeenToken],
    held: Mapping[str, str],
    now: int,
    *,
    alone: bool = False,
) -> TokenPlan:
    """What to do so that for each grant one good token is held.

    Args:
        held: by a grant's name, the fingerprint of the token that is kept for it.
        now: Unix seconds.
        alone: whether who keeps them is who uses them, and has no use for the one before.
    """
    mine = [
        (token, match["name"], match["known_by"] or "")
        for token in seen
        if (match := _DESCRIPTION.fullmatch(token.description)) and match["owner"] == owner
    ]
    wanted = {grant.name: grant for grant in grants if grant.read or grant.write}
    make: list[Grant] = []
    delete = [token.id for token, name, _ in mine if name not in wanted]
    for name, grant in wanted.items():
        found = [(token, known_by) for token, of, known_by in mine if of == name]
        kept = next((token for token, known_by in found if held.get(name) == known_by and _serves(token, grant)), None)
        if kept is None:
            make.append(grant)
            continue
        # A younger one may be about to be handed over, or be another process's that runs at the same time.
        since = 0 if alone else kept.created
        delete += [token.id for token, _ in found if token is not kept and max(since, token.created) + GRACE <= now]
    return TokenPlan(tuple(make), tuple(delete))


def _serves(token: SeenToken, grant: Grant) -> bool:
    return token.active and not token.more and (token.read, token.write) == (grant.read, grant.write)
