"""The MetricPolicy reference, from its schema."""

from __future__ import annotations

from typing import Any

from nodetide_core.durations import DURATION_PATTERN
from nodetide_core.policy import API_VERSION, KIND, POLICY_SCHEMA
from nodetide_core.policy.instants import INSTANT_PATTERN

INTRO = f"""# MetricPolicy

One object says what is sampled on which nodes, how long each resolution is kept, and when to alert.
`nodetide run`, `nodetide collect` and the operator read the same YAML; `nodetide policy validate FILE`
checks it and names every problem.

```yaml
apiVersion: {API_VERSION}
kind: {KIND}
metadata:
  name: system-metrics
spec:
  collection:
    interval: 1s
    groups:                # left out: every group
      cpu: {{}}
      mem: {{}}
      disk: {{interval: 30s, exclude: ["/mnt/*"]}}
      net: {{include: ["eth*", "en*"]}}
    labels: {{rack: r12}}
  storage:
    tiers:
    - {{name: raw, retention: 24h}}
    - {{name: 5m, window: 5m, retention: 7d}}
    - {{name: 1h, window: 1h, retention: 30d}}
    - {{name: 1d, window: 1d, retention: 365d}}
```

Durations are numbers with `s`, `m`, `h`, `d` or `w`, such as `1s`, `5m`, `1h30m`. Beyond what the table says:

- a retention is at least `1h`, or `0` for ever; each window is a multiple of the one before; a tier is kept at least
  twice the next window;
- shortening a retention or dropping a tier loses data, so it needs the annotation
  `nodetide.io/allow-data-loss: "true"`;
- a group's interval is no shorter than the policy's; names are unique;
- an alert of type `threshold` or `flux` has at least one of `critical`, `warning` and `info`, and each one of `above`,
  `below`, `outside` and `inside`; a `deadman` needs none, and takes them without bounds (`critical: {{}}`);
- a silence has at least one label to match, and ends; receivers are not told, the page and the API still show it;
- `alertEngine: influxdb` leaves out what InfluxDB has nothing like ([0010](../adr/0010-alerts.md)): `for`,
  `keepFiringFor`, `recover`, `predictAfter`, `groupBy`, `silences` and `alertmanager`.

| Field | Type | Default | Meaning |
|---|---|---|---|
"""

_WRITTEN_AS = {DURATION_PATTERN: "duration", INSTANT_PATTERN: "time"}


def render() -> str:
    return INTRO + "\n".join(_rows(POLICY_SCHEMA, "spec"))


def _rows(schema: dict[str, Any], path: str) -> list[str]:
    rows = []
    required = schema.get("required", ())
    for name, inner in schema.get("properties", {}).items():
        here = f"{path}.{name}"
        default = (
            f"`{inner['default']}`".replace("True", "true").replace("False", "false") if "default" in inner else ""
        )
        note = "required" if name in required else default
        rows.append(f"| `{here}` | {_type(inner)} | {note} | {inner['description']} |")
        rows += _rows(inner, here)
        if inner["type"] == "array":
            rows += _rows(inner["items"], f"{here}[]")
    return rows


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema["type"] == "array":
        return f"list of {schema['items']['type']}, at most {schema['maxItems']}"
    if schema["type"] == "integer":
        return f"integer, {schema['minimum']} to {schema['maximum']}"
    if "additionalProperties" in schema:
        return f"map of text, at most {schema['maxProperties']}"
    return _WRITTEN_AS.get(schema.get("pattern", ""), str(schema["type"]))
