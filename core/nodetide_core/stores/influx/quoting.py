"""Names and values inside query texts. Whatever comes from outside goes through here or through a bound parameter."""

from __future__ import annotations

from datetime import datetime, timezone

__all__ = ["flux_string", "flux_time", "influxql_name"]

_INFLUXQL = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
#: `$` begins an interpolation.
_FLUX = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t", "$": r"\x24"})


def influxql_name(name: str) -> str:
    """A measurement, field, tag or bucket in InfluxQL."""
    return f'"{name.translate(_INFLUXQL)}"'


def flux_string(text: str) -> str:
    """A string literal of Flux."""
    return f'"{text.translate(_FLUX)}"'


def flux_time(time: int) -> str:
    """A time literal of Flux, from Unix seconds."""
    return datetime.fromtimestamp(time, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
