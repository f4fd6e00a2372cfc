"""How each group fares: counted always, logged once per change and never once per second."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from nodetide_collector.passes import Outcome

__all__ = ["GroupHealth", "Health"]

log = logging.getLogger(__name__)

#: Good passes in a row after which a group is well again; a group that flaps is not worth a line each time.
_WELL_AFTER = 10
#: Reasons remembered per group, so that a probe with ever new reasons cannot fill the log.
_REASONS = 50


@dataclass(slots=True)
class GroupHealth:
    """A group's last pass, and totals since the start.

    Attributes:
        duration: seconds of the last pass.
        series: what the last pass gave, before any policy's filter.
        errors: passes that failed or timed out.
        skipped: things left out.
    """

    duration: float = 0.0
    success: bool = True
    series: int = 0
    errors: int = 0
    skipped: int = 0
    _logged_error: str = field(default="", repr=False)
    _good: int = field(default=0, repr=False)
    _reasons: set[str] = field(default_factory=set, repr=False)


class Health:
    """Belongs to one thread."""

    def __init__(self) -> None:
        self._groups: dict[str, GroupHealth] = {}

    @property
    def groups(self) -> Mapping[str, GroupHealth]:
        """By name, of every group that was ever read."""
        return self._groups

    def record(self, outcome: Outcome) -> None:
        health = self._group(outcome.group)
        health.duration = outcome.duration
        health.success = outcome.reading is not None
        if outcome.reading is None:
            health.series = 0
            health.errors += 1
            health._good = 0
            if outcome.error != health._logged_error:
                health._logged_error = outcome.error
                log.warning("probe failed group=%s error=%s detail=%r", outcome.group, outcome.error, outcome.detail)
            return
        health.series = len(outcome.reading.samples)
        self.skip(outcome.group, outcome.reading.skipped)
        health._good += 1
        if health._logged_error and health._good >= _WELL_AFTER:
            log.info("probe recovered group=%s errors=%d", outcome.group, health.errors)
            health._logged_error = ""

    def skip(self, group: str, reasons: Mapping[str, int]) -> None:
        """Count things left out; each reason is logged once per group."""
        if not reasons:
            return
        health = self._group(group)
        for reason, count in reasons.items():
            health.skipped += count
            if reason not in health._reasons and len(health._reasons) < _REASONS:
                health._reasons.add(reason)
                log.info("probe leaves something out group=%s reason=%r count=%d", group, reason, count)

    def _group(self, name: str) -> GroupHealth:
        found = self._groups.get(name)
        if found is None:
            found = self._groups[name] = GroupHealth()
        return found
