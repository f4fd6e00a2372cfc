"""What Nodetide writes into the descriptions of its buckets and tasks: whose they are, and what a
stream looks like. So InfluxDB itself holds the streams, readable for people in its own UI."""

from __future__ import annotations

import json
from typing import Any

from nodetide_core.store import Stream
from nodetide_core.tiers import Tier, Tiers

__all__ = ["base_of", "describe_part", "describe_stream", "owner_of", "read_stream"]

_STREAM = "Nodetide keeps this stream: "
_PART = "Nodetide makes this for the stream of: "
_OWNER = " (kept by "


def describe_stream(stream: Stream) -> str:
    """The description of a stream's raw bucket."""
    tiers = [[tier.name, tier.window, tier.retention] for tier in stream.tiers.tiers]
    return _STREAM + json.dumps(
        {
            "name": stream.name,
            **({"owner": stream.owner} if stream.owner else {}),
            **({} if stream.kept else {"kept": False}),
            "interval": stream.interval,
            "counter_gap": stream.tiers.counter_gap,
            "tiers": tiers,
        }
    )


def describe_part(bucket: str, owner: str = "") -> str:
    """The description of a tier's bucket or task, of the stream whose raw bucket is ``bucket``."""
    return _PART + bucket + (f"{_OWNER}{owner})" if owner else "")


def read_stream(bucket: str, description: str) -> Stream | None:
    """The stream that a raw bucket's description tells of, or None where it tells of none."""
    if not description.startswith(_STREAM):
        return None
    try:
        told: dict[str, Any] = json.loads(description[len(_STREAM) :])
        tiers = tuple(Tier(str(name), int(window), int(retention)) for name, window, retention in told["tiers"])
        stream = Stream(
            str(told["name"]), bucket, Tiers(tiers, int(told["counter_gap"])), int(told["interval"]),
            owner=str(told.get("owner", "")), kept=told.get("kept") is not False,
        )  # fmt: skip
    except (ValueError, TypeError, LookupError):
        return None  # edited by hand; `ensure` writes it anew
    return stream if tiers and tiers[0].window == 0 else None


def base_of(description: str) -> str | None:
    """The raw bucket of the stream that a tier's bucket or a task is a part of, or None where it is of none."""
    return _told(description)[0] if description.startswith(_PART) else None


def owner_of(description: str) -> str:
    """The installation that keeps a tier's bucket or a task; empty where none does."""
    return _told(description)[1] if description.startswith(_PART) else ""


def _told(description: str) -> tuple[str, str]:
    told = description[len(_PART) :]
    base, mark, owner = told.rpartition(_OWNER)
    return (base, owner[:-1]) if mark and owner.endswith(")") else (told, "")
