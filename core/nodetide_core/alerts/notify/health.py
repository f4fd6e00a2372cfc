"""How a receiver is doing, for statuses, metrics and the log."""

from __future__ import annotations

import logging
from dataclasses import dataclass

__all__ = ["Condition", "Health"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Health:
    """
    Attributes:
        error: what is wrong; empty if the last message was taken, or there was none.
        sent: messages that were taken; those to Alertmanager that say the same again, too.
        failed: requests that were not.
        refused: messages given up, because the receiver says that it will never take them.
        missed: alerts that ended, or did and began again, before the receiver could be told.
        waiting: messages to be sent now.
    """

    error: str = ""
    sent: int = 0
    failed: int = 0
    refused: int = 0
    missed: int = 0
    waiting: int = 0

    @property
    def ok(self) -> bool:
        return not self.error


class Condition:
    """Whether a receiver takes messages; logged when that changes.

    Args:
        name: of the receiver and its policy, for the log.
    """

    def __init__(self, name: str) -> None:
        self.error = ""
        self._name = name

    def fails(self, reason: str, waiting: int) -> None:
        """
        Args:
            waiting: messages that are kept.
        """
        if reason != self.error:
            _log.error("receiver %s cannot be told of alerts: %s; waiting=%d", self._name, reason, waiting)
            self.error = reason

    def refuses(self, what: str, reason: str) -> None:
        """
        Args:
            what: which message is lost.
        """
        _log.error("receiver %s refuses a message, which is given up: %s: %s", self._name, what, reason)
        self.error = f"a message was refused: {reason}"

    def works(self) -> None:
        if self.error:
            _log.info("receiver %s is told of alerts again", self._name)
            self.error = ""
