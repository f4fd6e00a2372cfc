"""Tokens that may do one thing to a few buckets: which must be made and which must go.  Pure.

InfluxDB cannot change what a token may do, so a token whose buckets have changed is replaced.  The
one before it works on for a while, until everybody has read the new one.  Later versions keep only
hashes of tokens, so nothing here reads one back: a token is known by a fingerprint in its
description.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["GRACE", "Grant", "SeenToken", "TokenPlan", "describe_token", "fingerprint", "grants_for", "plan_tokens"]

#: Seconds that a replaced token works on: a Secret may take 90 s to reach a pod.
GRACE = 600
_MARK = "Nodetide makes this token: "


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


def grants_for(raw: Iterable[str], every: Iterable[str]) -> tuple[Grant, Grant]:
    """What collectors and the API need, and no more.

    Args:
        raw: ids of the buckets that collectors write to.
        every: ids of the buckets that the API reads.
    """
    return Grant("collector", write=frozenset(raw)), Grant("api", read=frozenset(every))


def fingerprint(token: str) -> str:
    """Enough to know a token by, and nothing to find it with."""
    return hashlib.sha256(token.encode()).hexdigest()[:16]


def describe_token(owner: str, name: str, known_by: str = "") -> str:
    """A token's description.

    Args:
        owner: who makes it: an installation of Nodetide among others in the same organization.
        known_by: its `fingerprint`; empty as long as it is not handed over.
    """
    return f"{_MARK}{owner}/{name} {known_by}".rstrip()


def plan_tokens(
    owner: str, grants: Sequence[Grant], seen: Iterable[SeenToken], held: Mapping[str, str], now: int
) -> TokenPlan:
    """What to do so that for each grant one good token is held.

    Args:
        held: by a grant's name, the fingerprint of the token that is kept for it.
        now: Unix seconds.
    """
    mine = [(token, *_parsed(token.description)) for token in seen]
    make: list[Grant] = []
    delete: list[str] = []
    wanted = {grant.name: grant for grant in grants if grant.read or grant.write}
    for name, grant in wanted.items():
        known_by = held.get(name, "")
        good = [
            token for token, whose, known in mine if known_by and (whose, known) == (f"{owner}/{name}", known_by)
            and _serves(token, grant)
        ]  # fmt: skip
        if not good:
            make.append(grant)
            continue
        settled = good[0].created + GRACE <= now
        delete += [
            token.id for token, whose, known in mine
            if whose == f"{owner}/{name}" and token is not good[0]
            # What was never handed over is of no use to anybody, but may be about to be.
            and (settled or (not known and token.created + GRACE <= now))
        ]  # fmt: skip
    delete += [
        token.id for token, whose, _ in mine if whose.startswith(f"{owner}/") and whose[len(owner) + 1 :] not in wanted
    ]
    return TokenPlan(tuple(make), tuple(delete))


def _serves(token: SeenToken, grant: Grant) -> bool:
    return token.active and not token.more and (token.read, token.write) == (grant.read, grant.write)


def _parsed(description: str) -> tuple[str, str]:
    """Whose token it is (``owner/name``) and its fingerprint; empty where it is not ours."""
    if not description.startswith(_MARK):
        return "", ""
    whose, _, known_by = description[len(_MARK) :].partition(" ")
    return whose, known_by
