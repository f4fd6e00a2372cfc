"""Prometheus names of catalogue fields and of tags, by that project's naming rules.

https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

import re

from nodetide_core.catalogue.model import Field, Kind, Measurement, Unit

__all__ = ["label_name", "prometheus_name"]

_NOT_A_LABEL = re.compile(r"[^a-zA-Z0-9_]")
_UNITLESS = (Unit.COUNT, Unit.NONE)


def prometheus_name(measurement: Measurement, field: Field) -> str:
    """``nodetide_<measurement>_<field>[_<unit>][_total]``.

    The unit is left out where the field's own name already says it (``bytes_sent``,
    ``usage_percent``); counters end in ``_total``.
    """
    name = f"nodetide_{measurement.name}_{field.name}".replace("-", "_")
    if field.unit not in _UNITLESS and field.unit.value not in name.split("_"):
        name += f"_{field.unit.value}"
    if field.kind is Kind.COUNTER:
        name += "_total"
    return name


def label_name(key: str) -> str:
    """The label that a tag becomes: what Prometheus does not take is spelled with underscores."""
    name = _NOT_A_LABEL.sub("_", key)
    return f"tag_{name.lstrip('_')}" if not name or name[0].isdigit() or name.startswith("__") else name
