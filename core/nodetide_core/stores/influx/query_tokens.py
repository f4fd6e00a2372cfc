"""Tokens that Flux of users runs with: what it may read is the rights of its policy, not of who evaluates."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Protocol

from nodetide_core.errors import StoreError, StoreRejected
from nodetide_core.store import Stream
from nodetide_core.stores.influx.authorizations import keep_tokens
from nodetide_core.stores.influx.control import Control
from nodetide_core.stores.influx.planning import Observed
from nodetide_core.stores.influx.token import TokenSource
from nodetide_core.stores.influx.tokens import readers_for

__all__ = ["GivenToken", "QueryTokens", "ReaderTokens"]


class QueryTokens(Protocol):
    """
    Attributes:
        scope: what may be read, for people.
    """

    @property
    def scope(self) -> str: ...

    def of(self, bucket: str) -> str:
        """The token for queries of the policy with this raw bucket.

        Raises:
            StoreRejected: there is none, and why.
        """

    def refused(self, bucket: str, token: str) -> str:
        """Be told that InfluxDB does not take it; what becomes of that, for people."""


class GivenToken:
    """One that a person has made, for the queries of all policies."""

    scope = "NODETIDE_FLUX_TOKEN may not read it, or it is not there"

    def __init__(self, token: TokenSource) -> None:
        self._token = token

    def of(self, bucket: str) -> str:
        del bucket
        token = self._token()
        if not token:
            raise StoreRejected("the query is not asked, for NODETIDE_FLUX_TOKEN is empty")
        return token

    def refused(self, bucket: str, token: str) -> str:
        del bucket, token
        return "check NODETIDE_FLUX_TOKEN"


class ReaderTokens:
    """For each policy that asks one that may read the policy's own buckets, and nothing else.

    Nobody but the process that made them has use for them, so they are in its memory alone, and the next process
    makes others. Safe between threads; `renew` belongs to one.

    Args:
        missed: called when one is missing, for `renew` to be called soon.
    """

    scope = "it may read the buckets of its own policy, and no others"

    def __init__(self, missed: Callable[[], None] = lambda: None) -> None:
        self._missed = missed
        self._lock = threading.Lock()
        self._tokens: dict[str, str] = {}
        self._problem = ""
        #: Whether there may be tokens in InfluxDB that nobody wants.
        self._left = True

    def of(self, bucket: str) -> str:
        found = self.held(bucket)
        if found is None:
            raise StoreRejected(
                "the query is not asked, for there is no token that may read the policy's buckets and nothing else: "
                + (self._problem or "it has not been made yet")
            )
        return found

    def refused(self, bucket: str, token: str) -> str:
        with self._lock:
            if self._tokens.get(bucket) == token:
                del self._tokens[bucket]
        self._missed()
        return "another is being made"

    def renew(
        self, control: Control, owner: str, streams: Iterable[Stream], observed: Observed, now: int
    ) -> tuple[str, ...]:
        """Make those of the policies with these streams, and end all others of the same installation.

        Args:
            owner: the installation.
            now: Unix seconds.

        Returns:
            What was done, for people.

        Raises:
            StoreUnavailable, StoreRejected: as `keep_tokens`; `of` tells of it, too, where there is none from before.
        """
        streams = tuple(streams)
        if not streams and not self._left:
            return ()
        grants = readers_for(streams, observed)
        try:
            done = keep_tokens(control, self, f"{owner} alerts", grants, now, alone=True)
        except StoreError as error:
            self._problem = str(error)
            raise
        with self._lock:
            self._tokens = {grant.name: self._tokens[grant.name] for grant in grants if grant.name in self._tokens}
        self._problem = ""
        self._left = bool(streams)
        return done

    # A vault of tokens

    def held(self, name: str) -> str | None:
        with self._lock:
            return self._tokens.get(name)

    def keep(self, name: str, token: str) -> None:
        with self._lock:
            self._tokens[name] = token
