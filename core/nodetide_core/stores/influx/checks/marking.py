"""What Nodetide writes into the descriptions of what it keeps here: whose it is, on the first line as in
`nodetide_core.stores.influx.ownership`, and on the second what tells a change by hand.  Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from nodetide_core.stores.influx.ownership import base_of, describe_part, owner_of

__all__ = ["Mark", "describe", "fingerprint", "read_mark", "read_notes"]

_POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Mark:
    """Whose an object is.

    Attributes:
        bucket: the raw bucket of the policy's stream.
        owner: the installation that keeps it; empty: nobody's in particular.
        policy: name of the stream; empty where somebody has changed the description.
    """

    bucket: str
    owner: str
    policy: str


def describe(mark: Mark, **notes: str) -> str:
    """A description; with the same notes always the same."""
    told = json.dumps({_POLICY: mark.policy, **notes}, sort_keys=True)
    return f"{describe_part(mark.bucket, mark.owner)}\n{told}"


def read_mark(description: str) -> Mark | None:
    """None: it is none of ours."""
    first = description.partition("\n")[0]
    bucket = base_of(first)
    return None if bucket is None else Mark(bucket, owner_of(first), _told(description).get(_POLICY, ""))


def read_notes(description: str) -> Mapping[str, str]:
    """Empty where there are none, or none that can be read."""
    return {name: text for name, text in _told(description).items() if name != _POLICY}


def fingerprint(text: str) -> str:
    """Enough to tell a text from another."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _told(description: str) -> dict[str, str]:
    try:
        found = json.loads(description.partition("\n")[2])
    except ValueError:
        return {}
    return {name: text for name, text in found.items() if isinstance(text, str)} if isinstance(found, dict) else {}
