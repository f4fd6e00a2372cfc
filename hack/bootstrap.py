"""Makes the project's Python environment from a committed lock: ``python3 hack/bootstrap.py run|dev|bench``.

Needs nothing but Python 3.10 or newer.  The environment is ``.venv`` in the repository (or
``$NODETIDE_VENV``).  Every package is checked against the lock's hashes; when lock and environment
already agree, nothing is done.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SETS = ("run", "dev", "bench")
OLDEST, NEWEST_TESTED = (3, 10), (3, 13)


class Failed(Exception):
    """A step failed; the message says what to do."""


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in SETS:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        bootstrap(arguments[0], Path(os.environ.get("NODETIDE_VENV", ROOT / ".venv")))
    except Failed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def bootstrap(wanted: str, venv: Path) -> None:
    """Makes or completes the environment; does nothing where it is as the lock says."""
    if sys.version_info < OLDEST:
        raise Failed(f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed, and this is {sys.version.split()[0]}.")
    python, stamp, lock = venv / "bin" / "python", venv / ".nodetide-lock", lock_of(wanted)
    have = stamp.read_text().strip() if stamp.is_file() and works(python) else ""
    # A larger set holds the smaller ones, so `make run` after `make test` has nothing to do.
    if any(have == f"{bigger}={fingerprint(lock_of(bigger))}" for bigger in SETS[SETS.index(wanted) :]):
        return
    started = time.monotonic()
    if not works(python):
        make(venv)
    say(f"installing {count(lock)} locked packages ({show(lock)})")
    install(python, lock)
    stamp.write_text(f"{wanted}={fingerprint(lock)}\n")
    say(f"ready in {time.monotonic() - started:.0f} s")


def make(venv: Path) -> None:
    """An empty environment in place of whatever was there."""
    if sys.version_info[:2] > NEWEST_TESTED:
        say(f"note: Python {sys.version_info[0]}.{sys.version_info[1]} is newer than what Nodetide is tested on.")
    say(f"making {show(venv)} with Python {sys.version.split()[0]}")
    if run([sys.executable, "-m", "venv", "--clear", str(venv)]) != 0:
        raise Failed("Python's venv module does not work. On Debian and Ubuntu: apt-get install python3-venv")


def install(python: Path, lock: Path) -> None:
    """The locked packages, then nodetide itself."""
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--no-deps"]
    locked = ["--require-hashes", "-r", str(lock)]
    if run([*pip, "--only-binary", ":all:", *locked]) != 0:
        # Some platforms lack a wheel; the hash of the source is in the lock as well.
        say("no ready-made package for everything here; building what is missing")
        if run([*pip, *locked]) != 0:
            raise Failed(f"pip could not install {show(lock)}; its message is above. Is a package index reachable?")
    if run([*pip, "--no-build-isolation", "--editable", str(ROOT)]) != 0:
        raise Failed("nodetide itself could not be installed; pip's message is above.")


def lock_of(name: str) -> Path:
    return ROOT / "requirements" / f"{name}.txt"


def fingerprint(lock: Path) -> str:
    """Of the lock, the project's metadata and the Python: a change in one of them installs again."""
    parts = (lock.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), str(sys.version_info[:2]).encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def works(python: Path) -> bool:
    """Whether the environment's Python starts and is this one's version (a copied folder's is not)."""
    if not python.exists():
        return False
    code = "import sys, pip; print(*sys.version_info[:2])"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.split() == [str(part) for part in sys.version_info[:2]]


def count(lock: Path) -> int:
    return sum(1 for line in lock.read_text().splitlines() if line[:1].isalnum())


def run(command: list[str]) -> int:
    return subprocess.run(command, check=False, cwd=ROOT).returncode


def show(path: Path) -> str:
    return os.path.relpath(path, Path.cwd())


def say(text: str) -> None:
    print(f"==> {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
