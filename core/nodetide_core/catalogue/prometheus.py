"""Prometheus names of catalogue fields, by that project's naming rules.

https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from nodetide_core.catalogue.model import Field, Kind, Measurement, Unit

__all__ = ["prometheus_name"]

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
