"""Logging of the commands: one line per event on standard error, ``key=value`` behind the message."""

from __future__ import annotations

import logging
import sys

from nodetide_core.settings import Loaded

__all__ = ["announce_settings", "configure"]

_log = logging.getLogger("nodetide")


def configure(level: str) -> None:
    logging.basicConfig(
        stream=sys.stderr,
        level=level.upper(),
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S%z",
        force=True,
    )


def announce_settings(loaded: Loaded, command: str) -> None:
    """The settings in force, secrets as "(set, not shown)": what a person on call asks first."""
    for item in loaded.of(command):
        _log.info("setting %s=%s (%s)", item.name, item.shown, item.source)
