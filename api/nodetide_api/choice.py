"""Which stream answers: the policy a request names, else the configured one, else `system-metrics`, else the first."""

from __future__ import annotations

from collections.abc import Sequence

from nodetide_core.errors import QueryError, StoreUnavailable
from nodetide_core.policy import DEFAULT_NAME
from nodetide_core.store import Stream

__all__ = ["pick_stream"]


def pick_stream(streams: Sequence[Stream], name: str, default: str | None) -> Stream:
    """The stream of policy ``name``; an empty name asks for the default one.

    Raises:
        QueryError: no stream has this name.
        StoreUnavailable: the store holds no stream at all yet.
    """
    if not streams:
        raise StoreUnavailable("the store holds no MetricPolicy yet")
    if name:
        found = next((stream for stream in streams if stream.name == name), None)
        if found is None:
            allowed = ", ".join(stream.name for stream in streams)
            raise QueryError("policy", f"{name!r} is not known; allowed: {allowed}")
        return found
    # The chart's and standalone's default, which selects every node, before whatever comes first by its name.
    wanted = default or DEFAULT_NAME
    return next((stream for stream in streams if stream.name == wanted), streams[0])
