"""Become the given program, and die with the process that asked for it: PARENT PROGRAM ARGUMENT...

Run as a script between fork and exec: a `preexec_fn` would do this in a copy of a process
that may have threads, which is unsafe, and Python says so in a warning.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, argv: list[str]) -> None:
    """Replace this process by `argv`, to be killed as soon as `parent` is gone."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:  # gone before the line above
        sys.exit(1)
    # Whoever started us in the background may have SIGINT ignored, and a shell could not trap it then.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
