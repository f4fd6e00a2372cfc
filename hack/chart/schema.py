"""``values.schema.json``: what Helm checks values against.  Strict, so that a typo is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hack.chart.keys import Key

__all__ = ["render"]


def render(keys: Sequence[Key]) -> str:
    root: dict[str, Any] = _section()
    root = {"$schema": "https://json-schema.org/draft-07/schema#", "title": "Values of the chart nodetide", **root}
    for key in keys:
        *sections, name = key.path.split(".")
        place = root
        for section in sections:
            place = place["properties"].setdefault(section, _section())
        place["properties"][name] = {"description": key.description, **key.schema}
    # Helm itself hands this to every chart that is part of another.
    root["properties"]["global"] = {"description": "What charts around this one share; not used.", "type": "object"}
    return json.dumps(root, indent=2) + "\n"


def _section() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {}}
