"""Policies from files, watched and taken anew when they change."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

from nodetide_core.policy import Policy, default_policy, load_policies

__all__ = ["Policies", "PolicySource", "WatchedPolicies"]

log = logging.getLogger(__name__)

#: Per file: name, inode, size, times of change. A ConfigMap volume swaps a symlink, which changes inodes.
_Signature: TypeAlias = tuple[tuple[str, int, int, int, int], ...] | str


class Policies(Protocol):
    """Where a collector's policies come from."""

    @property
    def errors(self) -> int:
        """Versions of the files that could not be taken."""

    @property
    def ok(self) -> bool:
        """Whether the newest version is the one in use."""

    def load(self) -> Sequence[Policy]:
        """The policies now.

        Raises:
            PolicyError: they are wrong.
        """

    def poll(self) -> Sequence[Policy] | None:
        """New policies if they have changed and are right, else None; cheap."""


class WatchedPolicies:
    """A `Policies` of a file or directory.

    Args:
        read: the policies of a path; raises PolicyError where they are wrong.
    """

    def __init__(self, path: Path, read: Callable[[Path], Sequence[Policy]]) -> None:
        self._path = path
        self._read = read
        self._seen: _Signature | None = None
        self._errors = 0
        self._ok = True

    @property
    def errors(self) -> int:
        return self._errors

    @property
    def ok(self) -> bool:
        return self._ok

    def load(self) -> Sequence[Policy]:
        return self._take()

    def poll(self) -> Sequence[Policy] | None:
        """See `Policies.poll`; a version that is wrong is logged and counted once, and what ran goes on."""
        if _signature(self._path) == self._seen:
            return None
        try:
            policies = self._take()
        except Exception as error:  # noqa: BLE001 - whatever is in the files, what ran goes on
            self.failed()
            log.error("policies not applied, the former ones go on path=%s error=%r", self._path, str(error))
            return None
        self._ok = True
        names = ",".join(f"{policy.name}@{policy.hash}" for policy in policies)
        log.info("policies applied path=%s policies=%s", self._path, names)
        return policies

    def failed(self) -> None:
        """Count a version that could not be taken."""
        self._errors += 1
        self._ok = False

    def _take(self) -> Sequence[Policy]:
        # Before the files are read, so that a change in between is seen by the next poll.
        self._seen = _signature(self._path)
        return self._read(self._path)


class PolicySource:
    """A `Policies` of what a user names.

    Args:
        path: a file or directory as `nodetide_core.policy.load_policies` takes it; None for the
            default policy, which never changes.
        bucket: bucket of the default policy, in place of its own.
    """

    def __init__(self, path: Path | None, bucket: str | None = None) -> None:
        self._watched = None if path is None else WatchedPolicies(path, load_policies)
        self._bucket = bucket

    @property
    def errors(self) -> int:
        return 0 if self._watched is None else self._watched.errors

    @property
    def ok(self) -> bool:
        return self._watched is None or self._watched.ok

    def load(self) -> Sequence[Policy]:
        return [default_policy(self._bucket)] if self._watched is None else self._watched.load()

    def poll(self) -> Sequence[Policy] | None:
        return None if self._watched is None else self._watched.poll()


def _signature(path: Path) -> _Signature:
    try:
        if not path.is_dir():
            return (_of(path.name, path.stat()),)
        with os.scandir(path) as entries:
            return tuple(sorted(_of(e.name, e.stat()) for e in entries if not e.name.startswith(".")))
    except OSError as error:
        return type(error).__name__


def _of(name: str, status: os.stat_result) -> tuple[str, int, int, int, int]:
    return name, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
