"""Where parts are kept, and the locks that keep two runs apart."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


def root() -> Path:
    own = os.environ.get("NODETIDE_CACHE")
    if own:
        return Path(own).absolute()
    shared = os.environ.get("XDG_CACHE_HOME")
    base = Path(shared).absolute() if shared else Path.home() / ".cache"
    return base / "nodetide"


def _lock_file(name: str) -> TextIO:
    file = root() / "locks" / f"{name}.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    return file.open("a")


def taken(name: str) -> TextIO | None:
    """The named lock, until it is closed or the process ends; None where somebody else has it."""
    handle = _lock_file(name)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    return handle


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the named lock; it goes with the process, however that ends."""
    with _lock_file(name) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{name}: waiting for another run ({handle.name})", file=sys.stderr, flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
