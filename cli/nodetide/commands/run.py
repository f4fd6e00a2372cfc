"""``nodetide run``: everything for one machine, in one process."""

from __future__ import annotations

import argparse

from nodetide.exits import Exit
from nodetide.logs import announce_settings
from nodetide.standalone import Standalone
from nodetide_core.settings import Loaded

__all__ = ["main"]


def main(arguments: argparse.Namespace, loaded: Loaded) -> Exit:
    del arguments  # everything it takes is a setting
    announce_settings(loaded, "run")
    return Exit.OK if Standalone(loaded.settings).run() else Exit.FAILED
