"""The metric reference, from the catalogue."""

from __future__ import annotations

from nodetide_core.catalogue import ALIASES, CATALOGUE, Kind, Measurement, Platform, prometheus_name
from nodetide_core.durations import format_duration

INTRO = """# Metrics

Measurement, tag and field names follow Telegraf's, so that dashboards made for it work;
[Telegraf compatibility](telegraf-compatibility.md) lists what differs. Every point carries the tag `host`,
`cluster` where one is set, and the labels of its policy. Counters only grow (until the node restarts);
the API gives them as rates.

In the tiers `5m`, `1h` and `1d` a gauge `f` is the mean, beside `f_min`, `f_max` and `f_count`; a
counter `f` is its last value, beside `f_increase` and `f_seconds`, the time over which that increase
was seen: the rate is `f_increase / f_seconds`.
"""

ALERTS = """## Alerts

The API's `/metrics` has, besides the newest samples, `nodetide_alert_state`: 1 for an alert of a policy that is
pending, 2 for one that fires; of others there is none. Its labels are those that receivers are told: `alertname`,
`severity`, `policy`, `namespace`, the tags of the series, and the alert's own `labels`; each spelled with underscores
where Prometheus does not take it, and of two that come out alike the first.
"""


def render() -> str:
    aliases = [
        f"| `{alias.name}` | {', '.join(f'`{alias.selection.measurement}.{f}`' for f in alias.selection.fields)} "
        f"| {alias.help} |"
        for alias in ALIASES.values()
    ]
    return "\n".join(
        [
            INTRO,
            "## Short names\n",
            "What the API's `metric` takes beside `measurement` and `measurement.field`.\n",
            "| Name | Fields | Meaning |",
            "|---|---|---|",
            *aliases,
            "",
            *(_section(measurement) for measurement in CATALOGUE),
            ALERTS,
        ]
    )


def _section(measurement: Measurement) -> str:
    facts = []
    if measurement.interval:
        facts.append(f"Sampled every {format_duration(measurement.interval)} unless the policy says otherwise.")
    facts.append("On Linux and macOS." if measurement.platform is Platform.ANY else "On Linux.")
    if measurement.filter_tag:
        facts.append(f"`include` and `exclude` match the tag `{measurement.filter_tag}`.")
    tags = [f"- `{tag.name}`: {tag.help}" for tag in measurement.tags]
    rows = [
        f"| `{f.name}` | {f.type.value} | {f.kind.value} | {'' if f.kind is Kind.INFO else f.unit.value} | {f.help} "
        f"| `{prometheus_name(measurement, f)}` |"
        for f in measurement.fields
    ]
    lines = [f"## `{measurement.name}`\n", measurement.help, "", " ".join(facts), ""]
    if tags:
        lines += ["Tags:", "", *tags, ""]
    return "\n".join(
        [*lines, "| Field | Type | Kind | Unit | Meaning | Prometheus |", "|---|---|---|---|---|---|", *rows, ""]
    )
