"""Where parts are kept, and the locks that keep two runs apart."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def root() -> Path:
    own = os.environ.get("NODETIDE_CACHE")
    if own:
        return Path(own).absolute()
    shared = os.environ.get("XDG_CACHE_HOME")
    base = Path(shared).absolute() if shared else Path.home() / ".cache"
    return base / "nodetide"


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the named lock; it goes with the process, however that ends."""
    file = root() / "locks" / f"{name}.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{name}: waiting for another run ({file})", file=sys.stderr, flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
