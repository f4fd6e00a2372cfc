"""Policies from a file or directory, watched and taken anew when they change."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from nodetide_core.policy import Policy, default_policy, load_policies

__all__ = ["PolicySource"]

log = logging.getLogger(__name__)

#: Per file: name, inode, size, times of change. A ConfigMap volume swaps a symlink, which changes inodes.
_Signature: TypeAlias = tuple[tuple[str, int, int, int, int], ...] | str


class PolicySource:
    """Reads policies, and looks cheaply for changes.

    Args:
        path: a file or directory as `nodetide_core.policy.load_policies` takes it; None for the
            default policy, which never changes.
        bucket: bucket of the default policy, in place of its own.

    Attributes:
        errors: versions of the files that could not be taken.
        ok: whether the newest version is the one in use.
    """

    def __init__(self, path: Path | None, bucket: str | None = None) -> None:
        self._path = path
        self._bucket = bucket
        self._seen: _Signature | None = None
        self.errors = 0
        self.ok = True

    def load(self) -> Sequence[Policy]:
        """The policies now.

        Raises:
            PolicyError: they are wrong.
        """
        if self._path is None:
            return [default_policy(self._bucket)]
        # Before the files are read, so that a change in between is seen by the next poll.
        self._seen = _signature(self._path)
        return load_policies(self._path)

    def poll(self) -> Sequence[Policy] | None:
        """New policies if the files have changed and are right, else None.

        A version that is wrong is logged and counted once; what ran goes on.
        """
        if self._path is None or _signature(self._path) == self._seen:
            return None
        try:
            policies = self.load()
        except Exception as error:  # noqa: BLE001 - whatever is in the files, what ran goes on
            self.errors += 1
            self.ok = False
            log.error("policies not applied, the former ones go on path=%s error=%r", self._path, str(error))
            return None
        self.ok = True
        names = ",".join(f"{policy.name}@{policy.hash}" for policy in policies)
        log.info("policies applied path=%s policies=%s", self._path, names)
        return policies


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
