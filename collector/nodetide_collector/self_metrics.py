"""Measurement ``collector``: what the collector says of itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nodetide_collector.health import Health
from nodetide_collector.host import SelfUsage
from nodetide_collector.probe import Sample
from nodetide_collector.sinks.sink import SinkStats
from nodetide_collector.stream import SELF
from nodetide_core.points import Tags, Value, make_tags

__all__ = ["Totals", "self_samples"]

_ALL: Tags = make_tags({"group": "all"})


@dataclass(slots=True)
class Totals:
    """Of the collector as a whole, since its start.

    Attributes:
        duration: seconds of the last tick, all groups together.
        policy_errors: policy files that could not be taken.
        policies_ok: whether the newest policy files are the ones applied.
    """

    duration: float = 0.0
    ticks_missed: int = 0
    clock_steps: int = 0
    policy_errors: int = 0
    policies_ok: bool = True


def self_samples(
    totals: Totals,
    health: Health,
    sink: SinkStats,
    usage: SelfUsage | None,
    *,
    groups: Iterable[str],
    over_budget: int,
    policy_hash: str,
) -> list[Sample]:
    """One sample for each of a stream's ``groups`` that was read by a probe, and ``all`` for the whole.

    Group ``all`` succeeds when every group's last pass did and the newest policy files are applied.
    """
    found: list[Sample] = []
    success, errors, skipped, series = totals.policies_ok, totals.policy_errors, 0, 0
    for name in groups:
        group = health.groups.get(name)
        if group is None:
            continue
        success = success and group.success
        errors += group.errors
        skipped += group.skipped
        series += group.series
        fields: dict[str, Value] = {
            "duration_ms": group.duration * 1e3,
            "success": int(group.success),
            "series": group.series,
            "errors": group.errors,
            "skipped": group.skipped,
        }
        found.append(Sample(SELF, _group_tags(name), fields))
    whole: dict[str, Value] = {
        "duration_ms": totals.duration * 1e3,
        "success": int(success),
        "series": series,
        "errors": errors,
        "skipped": skipped,
        "over_budget": over_budget,
        "spool_bytes": sink.spool_bytes,
        "spool_oldest_s": sink.spool_oldest_s,
        "points_written": sink.written,
        "points_dropped": sink.dropped,
        "ticks_missed": totals.ticks_missed,
        "clock_steps": totals.clock_steps,
        "policy_hash": policy_hash,
    }
    if usage is not None:
        whole["cpu_seconds"] = float(usage.cpu_seconds)
        whole["rss_bytes"] = usage.rss_bytes
    found.append(Sample(SELF, _ALL, whole))
    return found


def _group_tags(name: str) -> Tags:
    found = _TAGS.get(name)
    if found is None:
        found = _TAGS[name] = make_tags({"group": name})
    return found


#: Bounded by the number of groups.
_TAGS: dict[str, Tags] = {}
