"""Runs the tests as `make test` does: getting the real programs they need, then pytest.

In CI a missing program fails the run; elsewhere its tests skip and say how to get it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    if os.environ.get("CI") == "true":
        parts = subprocess.run([sys.executable, "hack/realparts/realparts.py"], cwd=ROOT, check=False)
        if parts.returncode:
            return parts.returncode
    # Most of the time is spent waiting for real programs, so there are more workers than cores. A file's tests share
    # such programs, so a file stays together, and so do all that share a real node (tests/conftest.py). In the order of
    # their names the long ones come first.
    workers = ["-n", "4", "--dist", "loadfile", "--no-loadscope-reorder"]
    # Warnings of a test's own child processes are its business; ours are errors (see pyproject.toml).
    tests = subprocess.run([sys.executable, "-m", "pytest", *workers, *arguments], cwd=ROOT, check=False)
    return tests.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
