"""The newest points: between two looks few hosts have written, and only those are read again.

Each collector writes every few seconds, its report on itself with every pass; so its newest report,
one series for each host, tells whether anything else of it is new.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nodetide_core.catalogue import Catalogue
from nodetide_core.points import tag
from nodetide_core.store import Latest, Stream
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.newest import (
    horizon_of,
    read_newest,
    read_newest_and_reports,
    reports_and_hosts,
    reports_of,
)

__all__ = ["Recent"]

#: Seconds after which a host is read again whatever it reports: its points may have been overwritten, or be gone.
_KEPT = 60.0
#: Share of the hosts above which it is cheaper to ask for all than to name them.
_MOST = 0.5
#: Of what has no host, and so no report: none of Nodetide's series, so a look each minute will do.
_UNREPORTED = 0


@dataclass(frozen=True, slots=True)
class _Host:
    """
    Attributes:
        reported: time of the newest report that was there before its points were read.
        until: monotonic seconds.
    """

    reported: int
    until: float
    found: tuple[Latest, ...]


class Recent:
    """What was read of each stream; safe between threads."""

    def __init__(self, catalogue: Catalogue, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._catalogue = catalogue
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._kept: dict[Stream, Mapping[str, _Host]] = {}

    def newest(self, caller: Caller, stream: Stream, now: int, hosts: frozenset[str] = frozenset()) -> list[Latest]:
        """The newest points of all series of these hosts; see `nodetide_core.store.StoreReader.latest`.

        Args:
            hosts: none: all, and series without a host, which are looked for once a minute.

        Raises:
            StoreUnavailable, StoreRejected
        """
        horizon, read_at = horizon_of(stream, now), self._monotonic()
        with self._lock:
            before = self._kept.get(stream, {})
        young = {
            host: kept for host in hosts or before if (kept := before.get(host)) is not None and read_at < kept.until
        }
        same: dict[str, _Host] = {}
        if young.keys() <= {""}:
            reports, found = read_newest_and_reports(caller, stream, self._catalogue, horizon, hosts=hosts)
        else:
            if hosts:
                reports, every = reports_of(caller, stream.bucket, horizon, hosts), hosts
            else:
                reports, known = reports_and_hosts(caller, stream.bucket, self._catalogue, horizon)
                every = known | {""}
            same = {host: kept for host, kept in young.items() if kept.reported == reports.get(host, _UNREPORTED)}
            # Hosts without reports are read each time.
            wanted = every - same.keys()
            if not hosts and len(wanted) > _MOST * len(every):
                same = {}
            found = self._read(caller, stream, horizon, wanted if hosts or same else frozenset()) if wanted else []
        if not hosts:
            reports.setdefault("", _UNREPORTED)
        by_host: dict[str, list[Latest]] = {host: [] for host in reports if host not in same}
        for latest in found:
            by_host.setdefault(tag(latest.point.tags, "host") or "", []).append(latest)
        read = {
            host: _Host(reports[host], read_at + _KEPT, tuple(of_host))
            for host, of_host in by_host.items()
            if host in reports
        }
        with self._lock:
            # Whoever reads all forgets the hosts that are gone.
            self._kept[stream] = {**(self._kept.get(stream, {}) if hosts else same), **read}
        found += [latest for kept in same.values() for latest in kept.found if latest.point.time >= horizon]
        return sorted(found, key=lambda latest: latest.point.key)

    def _read(self, caller: Caller, stream: Stream, horizon: int, hosts: frozenset[str]) -> list[Latest]:
        names = self._catalogue.names
        return read_newest(caller, stream, self._catalogue, horizon, measurements=names, hosts=hosts)
