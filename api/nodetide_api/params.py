"""Query parameters: their names, forms and defaults, as the OpenAPI document shows them.

An unknown parameter is an error, not ignored: a misspelt ``host`` must not answer for every host.
Patterns and lists stand in the document only; the parsers behind them have better messages.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal

from fastapi import Request
from pydantic import BaseModel, Field, model_validator
from pydantic.config import JsonDict

from nodetide_api.history import STEP_PATTERN
from nodetide_api.plan import MAX_POINTS
from nodetide_api.timeparse import PERIOD_PATTERN, TIME_PATTERN
from nodetide_core.catalogue import ALIASES, CATALOGUE, Kind
from nodetide_core.errors import QueryError

__all__ = ["AlertParams", "CurrentParams", "HistoryParams", "NoParams", "PolicyParams", "SummaryParams", "no_repeats"]


def _metrics(*kinds: Kind) -> JsonDict:
    fields = [f"{m.name}.{field.name}" for m in CATALOGUE for field in m.fields if field.kind in kinds]
    return {"type": "string", "enum": list(dict.fromkeys((*ALIASES, *CATALOGUE.names, *fields)))}


_METRIC = _metrics(Kind.GAUGE, Kind.COUNTER)
_METRICS: JsonDict = {
    "anyOf": [_metrics(*Kind), {"type": "string", "pattern": ","}, {"type": "string", "maxLength": 0}]
}
_METRIC_HELP = "A short name (`cpu`, `memory`, …), a measurement, or `measurement.field`; see `/api/v1/catalogue`."

_Hosts = Annotated[
    list[str],
    Field(
        description="Host names; repeat the parameter or separate them by commas. None: all hosts.",
        examples=[["node-1"]],
    ),
]
_Tags = Annotated[
    list[str],
    Field(
        description="Tag values as `name:value`, such as `cpu:cpu0`; repeatable. Values of one tag are alternatives.",
        examples=[["cpu:cpu-total"]],
        json_schema_extra={"items": {"type": "string", "pattern": r"^[^:]+:[\s\S]+$"}},
    ),
]


class NoParams(BaseModel):
    """No parameters at all."""

    @model_validator(mode="before")
    @classmethod
    def _only_known(cls, given: Any) -> Any:
        unknown = next((name for name in given if name not in cls.model_fields), None)
        if unknown is not None:
            allowed = ", ".join(cls.model_fields) or "none"
            raise QueryError(unknown, f"is not a parameter here; allowed: {allowed}")
        return given


async def no_repeats(request: Request) -> None:
    """Dependency of routes that take one metric: of a parameter given twice, all but the last would be ignored.

    A coroutine only so that FastAPI does not take a thread for it.

    Raises:
        QueryError: a parameter other than ``host`` and ``tag`` is given more than once.
    """
    for name, count in Counter(name for name, _ in request.query_params.multi_items()).items():
        if count > 1 and name not in ("host", "tag"):
            raise QueryError(name, f"is given {count} times; allowed: once")


class PolicyParams(NoParams):
    policy: str = Field(
        "", description="Name of the MetricPolicy whose data answers; see `/api/v1/policies`. Default: the server's."
    )


class AlertParams(NoParams):
    policy: str = Field("", description="Name of the MetricPolicy whose alerts are listed. Default: every one's.")
    state: list[Literal["pending", "firing"]] = Field([], description="Repeatable. None: both.", examples=[["firing"]])
    severity: list[Literal["critical", "warning", "info"]] = Field(
        [], description="Repeatable. None: all.", examples=[["critical"]]
    )
    host: _Hosts = []
    limit: int = Field(
        1000, ge=0, le=100_000, description="Most alerts in the list; `firing` and `pending` count all.", examples=[100]
    )


class _SeriesParams(PolicyParams):
    host: _Hosts = []
    tag: _Tags = []


class CurrentParams(_SeriesParams):
    metric: list[str] = Field(
        [],
        description=f"{_METRIC_HELP} Repeatable, or separated by commas. None: everything.",
        examples=[["cpu", "memory"]],
        json_schema_extra={"items": _METRICS},
    )


class HistoryParams(_SeriesParams):
    metric: str = Field(description=_METRIC_HELP, examples=["cpu"], json_schema_extra=_METRIC)
    start_time: str = Field(
        "-1h",
        description="A span back from now (`-1h`), RFC 3339, Unix seconds or `now()`.",
        examples=["-1h"],
        json_schema_extra={"pattern": TIME_PATTERN},
    )
    end_time: str = Field(
        "now()",
        description="The same forms; the range ends before it, and `now()` is the end of the current second.",
        examples=["now()"],
        json_schema_extra={"pattern": TIME_PATTERN},
    )
    agg: Literal["mean", "min", "max", "last", "count", "rate", "increase"] = Field(
        "mean",
        description=(
            "How the values of a step become one. Gauges: `mean`, `min`, `max`, `last`, `count`. Counters: `mean` and "
            "`rate` (growth per second), `increase` (growth in the step), `last` (the total)."
        ),
    )
    step: str = Field(
        "auto",
        description="Seconds or a duration such as `30s`; `auto` gives at most about 1,000 points per series.",
        examples=["auto"],
        json_schema_extra={"pattern": STEP_PATTERN},
    )
    max_points: int | None = Field(None, ge=1, le=MAX_POINTS, description="Most points per series.", examples=[500])


class SummaryParams(_SeriesParams):
    metric: str = Field(description=_METRIC_HELP, examples=["cpu"], json_schema_extra=_METRIC)
    period: str = Field(
        "-1h",
        description="The span back from now to sum up: `-1h`, `-30m`, `-7d`.",
        examples=["-1h"],
        json_schema_extra={"pattern": PERIOD_PATTERN},
    )
