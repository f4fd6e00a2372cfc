"""What a policy's alerts are, in a few words. Pure."""

from __future__ import annotations

from nodetide_core.policy import Policy

__all__ = ["alert_words"]


def alert_words(policy: Policy, now: float) -> str:
    """Such as ``, 6 alerts by InfluxDB, told to on-call and team, 1 silence (ended)``; empty without alerts.

    Args:
        now: Unix seconds.
    """
    if not policy.alerts:
        return ""
    words = f", {_count(len(policy.alerts), 'alert')}"
    if policy.alert_engine == "influxdb":
        words += " by InfluxDB"
    words += f", told to {_listed([receiver.name for receiver in policy.notify]) or 'nobody'}"
    if policy.silences:
        ended = sum(silence.until <= now for silence in policy.silences)
        note = f" ({ended} ended)" if 0 < ended < len(policy.silences) else " (ended)" if ended else ""
        words += f", {_count(len(policy.silences), 'silence')}{note}"
    return words


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
