"""How Nodetide's data differs from Telegraf's, from the catalogue."""

from __future__ import annotations

from collections.abc import Iterator

from nodetide_core.catalogue import CATALOGUE
from nodetide_core.catalogue.telegraf import (
    DIFFERENCES,
    OTHER_VALUES,
    REST,
    TELEGRAF_INPUTS,
    TELEGRAF_VERSION,
    Difference,
    What,
    Writer,
)
from nodetide_core.policy.defaults import EXCLUDED, EXCLUDED_FS_TYPES

_INTRO = f"""# Telegraf compatibility

Dashboards and alerts made for what Telegraf writes with `outputs.influxdb_v2` find the same in the raw bucket
of a policy: the same measurements, tags, fields and types, values that agree, at whole seconds. Point them at
that bucket. What differs is listed here, all of it; where a dashboard uses it, the tables say what to use instead.

It is tested, in `tests/integration/influx_compat/`: Telegraf {TELEGRAF_VERSION} and `nodetide collect` write to one
InfluxDB at the same time, about the host of the tests and about one of files that has what the other may lack
(LVM, NVMe, sensors, users, throttled CPUs). Everything is read back and compared, series by series and reading
by reading. A difference that is not listed fails the test, and so does a listed one that is gone.
"""

_INPUTS = f"""## What is compared

These inputs, every second:

```toml
{TELEGRAF_INPUTS}```

Options that are not named are Telegraf's defaults. What is behind those that are off by default (`core_tags`,
`device_tags`, `percpu` of conntrack, `ksm` …) and behind Telegraf's hundreds of other inputs is Telegraf's alone:
run it beside Nodetide for that.

Unless a policy says otherwise, Nodetide samples {{slow}}
every 10 s.
"""


def render() -> str:
    return "\n".join(
        [
            _INTRO,
            _INPUTS.format(slow=", ".join(f"`{m.name}`" for m in CATALOGUE if m.interval == 10)),
            "## What Telegraf writes and Nodetide does not\n",
            *_table(Writer.TELEGRAF),
            "\n### Excluded by default\n",
            "A policy's `include` brings them in; its `excludeFsTypes` replaces the list of file systems.\n",
            *_excluded(),
            "\n## What Nodetide writes and Telegraf does not\n",
            "Beside the labels of the policy and `cluster`, which are tags of every series where they are set:\n",
            *_table(Writer.NODETIDE),
            "\n## What both write, with other values\n",
            "| Fields | How |",
            "|---|---|",
            *(f"| {_names(other.measurement, other.fields)} | {other.text} |" for other in OTHER_VALUES),
        ]
    )


def _table(writer: Writer) -> Iterator[str]:
    yield "| Measurement | What | Names | Why, or what to use instead |"
    yield "|---|---|---|---|"
    for found in DIFFERENCES:
        if found.writer is writer:
            yield f"| `{found.measurement}` | {_what(found)} | {_listed(found)} | {found.reason} |"


def _what(found: Difference) -> str:
    return "all of it" if found.what is What.MEASUREMENT else found.what.value


def _listed(found: Difference) -> str:
    if found.what is What.SERIES:
        return "; ".join(found.names)
    if found.names == (REST,):
        return f"all but {', '.join(f'`{f.name}`' for f in CATALOGUE[found.measurement].fields)}"
    return ", ".join(f"`{name}`" for name in found.names)


def _excluded() -> Iterator[str]:
    yield "| Measurement | Tag | Values |"
    yield "|---|---|---|"
    rows = [(group, CATALOGUE[group].filter_tag, globs) for group, globs in EXCLUDED.items()]
    for group, tag, globs in sorted([*rows, ("disk", "fstype", EXCLUDED_FS_TYPES)]):
        yield f"| `{group}` | `{tag}` | {', '.join(f'`{glob}`' for glob in globs)} |"


def _names(measurement: str, fields: tuple[str, ...]) -> str:
    return ", ".join(f"`{measurement}.{field}`" for field in fields) or f"`{measurement}`"
