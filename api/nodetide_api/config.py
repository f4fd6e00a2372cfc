"""What the API can be told; read from settings by whoever composes it, never from the environment here."""

from __future__ import annotations

from dataclasses import dataclass, field

from nodetide_core.store import Stream

__all__ = ["ApiConfig"]


@dataclass(frozen=True, slots=True)
class ApiConfig:
    """Settings of the API.

    Attributes:
        token: bearer token asked for by everything but the probes and the page's own files; None asks for none.
        stale_after: seconds without a sample after which a host is called stale; never less than three
            intervals of its stream.
        max_points: points per series that ``step=auto`` aims at.
        query_timeout: seconds a query of the store may take.
        probe_timeout: seconds the store may take to answer ``/readiness`` and ``/health``.
        policy: name of the policy that answers where a request names none; None is
            `system-metrics`, or the store's first where there is none of that name.
        keep_alive: seconds of silence after which a stream sends a comment, so that proxies keep it open.
    """

    token: str | None = field(default=None, repr=False)
    stale_after: float = 10.0
    max_points: int = 1000
    query_timeout: float = 30.0
    probe_timeout: float = 2.0
    policy: str | None = None
    keep_alive: float = 15.0

    def stale_after_of(self, stream: Stream) -> float:
        """Seconds without a sample after which a host of ``stream`` is stale."""
        return max(self.stale_after, 3.0 * stream.interval)
