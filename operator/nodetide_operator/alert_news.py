"""What the evaluation of a policy's alerts has shown, as far as people are told of it.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from nodetide_core.alerts.report import AlertHealth
from nodetide_core.points import Tags
from nodetide_core.policy.schema import SEVERITIES
from nodetide_operator.outcomes import Notice

__all__ = ["AlertNews", "AlertsNews", "FiringSeries", "alert_notices", "alert_status", "alerts_ready", "news_of"]

#: Characters of a series' name and of a problem in a status.
_LONGEST = 1_000
#: Events that one change of a status is worth at most.
_MOST_NOTICES = 10
#: Series named in one of them.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class FiringSeries:
    """
    Attributes:
        since: Unix seconds.
    """

    series: str
    severity: str
    since: int


@dataclass(frozen=True, slots=True)
class AlertNews:
    """One alert.  No values, which change with every evaluation.

    Attributes:
        pending, firing: of its severities and series, each for itself, as Alertmanager has them.
        severity: the highest that fires; empty where none does.
        series: the first of those that fire.
        problem: why it cannot be evaluated; empty where it can.
        evaluated: whether it ever was.
    """

    name: str
    pending: int = 0
    firing: int = 0
    severity: str = ""
    series: tuple[FiringSeries, ...] = ()
    problem: str = ""
    evaluated: bool = True


@dataclass(frozen=True, slots=True)
class AlertsNews:
    """The alerts of one policy.

    Attributes:
        unreachable: why the store could not be asked; empty where it could.
        failing: by receiver, why it cannot be told.
        suspended: whether nothing is evaluated because the policy is.
    """

    alerts: tuple[AlertNews, ...] = ()
    unreachable: str = ""
    failing: Mapping[str, str] = field(default_factory=dict)
    suspended: bool = False


def news_of(name: str, health: AlertHealth, severities: Iterable[str], problem: str) -> AlertNews:
    """
    Args:
        severities: that fire.
        problem: instead of the one that ``health`` tells.
    """
    named = (FiringSeries(_series(item.tags), item.severity, item.since) for item in health.series)
    # Cut to what a status holds, two names may be the same.
    series = {(item.series, item.severity): item for item in named}
    severity = min(severities, key=SEVERITIES.index, default="")
    return AlertNews(
        name, health.pending, health.firing, severity, tuple(series.values()), problem, health.evaluated > 0
    )


def alert_status(news: AlertsNews | None, before: Mapping[str, Any]) -> dict[str, Any]:
    """``alerts`` and ``firing`` of the status.

    Args:
        news: None before the first evaluation.
        before: the status as it was: where nothing is known yet, nothing has ended.
    """
    if news is None:
        return {name: before[name] for name in ("alerts", "firing") if name in before}
    old = {item["name"]: item for item in before.get("alerts") or ()}
    entries = []
    for alert in news.alerts:
        unknown = bool(alert.problem or news.unreachable or not alert.evaluated)
        entry = dict(_entry(alert, unknown=unknown))
        stays = not alert.evaluated and not alert.firing and not news.suspended and alert.name in old
        entries.append(old[alert.name] if stays else entry)
    return {"alerts": entries, "firing": sum(entry.get("firing", 0) for entry in entries)}


def alerts_ready(news: AlertsNews | None, *, as_before: bool) -> tuple[str, str, str]:
    """Status, reason and message of the condition.

    Args:
        news: None before the first evaluation.
        as_before: whether the spec has turned wrong since.
    """
    if news is not None and news.suspended:
        return "Unknown", "Suspended", "The policy is suspended, and so are its alerts."
    if news is not None and news.unreachable:
        return "Unknown", "InfluxUnreachable", news.unreachable
    if news is None or not any(alert.evaluated or alert.problem for alert in news.alerts):
        return "Unknown", "NotEvaluated", "The alerts have not been evaluated yet."
    broken = {alert.name: alert.problem for alert in news.alerts if alert.problem}
    told = [f"{name}: {problem}" for name, problem in (*broken.items(), *sorted(news.failing.items()))]
    if told:
        return "False", "AlertsBroken" if broken else "ReceiversFail", "; ".join(told)
    if as_before:
        return "True", "EvaluatedAsBefore", "The alerts are evaluated as the spec was before it turned wrong."
    return "True", "Evaluated", f"All {len(news.alerts)} alerts are evaluated."


def alert_notices(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Notice]:
    """What began and ended between two statuses; of hundreds of series not one by one."""
    old = {item["name"]: item for item in before.get("alerts") or ()}
    new = {item["name"]: item for item in after.get("alerts") or ()}
    found = [notice for name, item in new.items() for notice in _changes(name, old.get(name, {}), item)]
    # Where nothing is told of alerts at all, nothing is known of them.
    gone = [name for name, item in old.items() if item.get("firing") and name not in new] if "alerts" in after else []
    found += [Notice(False, "AlertResolved", f"{name} is no longer an alert of the policy.") for name in gone]
    if len(found) <= _MOST_NOTICES:
        return found
    kept, left = found[: _MOST_NOTICES - 1], found[_MOST_NOTICES - 1 :]
    more = f"{len(left)} more changes of alerts; status.alerts has all."
    return [*kept, Notice(any(notice.warning for notice in left), "AlertsChanged", more)]


def _changes(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Notice]:
    were, are = old.get("firing", 0), new.get("firing", 0)
    had, has = _named(old), _named(new)
    # Where not all are listed, others may have come into the list and gone out of it.
    whole = len(had) == were and len(has) == are
    began = len(has - had) if whole else max(0, are - were)
    ended = len(had - has) if whole else max(0, were - are)
    if began:
        yield Notice(True, "AlertFiring", f"{name} fires{_some(sorted(has - had), began)}; {are} in all.")
    if ended:
        yield Notice(False, "AlertResolved", f"{name} has ended{_some(sorted(had - has), ended)}; {are} still fire.")


def _named(entry: Mapping[str, Any]) -> set[str]:
    return {f"{item['series']} ({item['severity']})".lstrip() for item in entry.get("series") or ()}


def _some(series: Sequence[str], count: int) -> str:
    named = series[: min(_NAMED, count)]
    if not named:
        return f" for {count} series more"
    more = f" and {count - len(named)} more" if count > len(named) else ""
    return f": {'; '.join(named)}{more}"


def _entry(alert: AlertNews, *, unknown: bool) -> Iterator[tuple[str, Any]]:
    yield "name", alert.name
    state = "firing" if alert.firing else "unknown" if unknown else "pending" if alert.pending else "ok"
    yield "state", state
    yield "pending", alert.pending
    yield "firing", alert.firing
    if alert.severity:
        yield "severity", alert.severity
    if alert.series:
        yield (
            "series",
            [
                {"series": item.series, "severity": item.severity, "since": _rfc3339(item.since)}
                for item in alert.series
            ],
        )
    if alert.problem:
        yield "message", alert.problem[:_LONGEST]


def _series(tags: Tags) -> str:
    return ",".join(f"{name}={value}" for name, value in tags)[:_LONGEST]


def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
