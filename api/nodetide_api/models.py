"""What the API answers, as types: OpenAPI, the docs and the live page all rest on these.

Times in answers are RFC 3339 in UTC for single moments and Unix seconds in columns (``t``).
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "AlertAnswer",
    "Alerts",
    "CatalogueAnswer",
    "CatalogueField",
    "CatalogueMeasurement",
    "Current",
    "CurrentHost",
    "CurrentSeries",
    "Health",
    "History",
    "HistorySeries",
    "Node",
    "Nodes",
    "Policies",
    "PolicyAnswer",
    "Problem",
    "StreamStatus",
    "Summary",
    "SummarySeries",
    "TierAnswer",
]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(_Answer):
    """RFC 9457 problem document, ``application/problem+json``."""

    type: str = Field("about:blank", description="Names the kind of problem; a page of the docs explains it.")
    title: str = Field(description="The kind of problem in a few words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong this time, and what is allowed.")
    parameter: str | None = Field(None, description="The query parameter that is wrong, where one is.")
    instance: str | None = Field(None, description="Identifies this one occurrence in the server's log (status 500).")


class Health(_Answer):
    status: Literal["ok", "degraded", "unavailable"]
    version: str
    checks: dict[str, str] = Field(description="`ok`, or what is wrong, by part.")


class CurrentSeries(_Answer):
    measurement: str
    tags: dict[str, str] = Field(description="Without `host`.")
    time: str
    values: dict[str, float | int | str] = Field(description="Newest value by field; counters as their total.")
    rates: dict[str, float] = Field(description="Growth per second by counter field, since the sample before.")


class CurrentHost(_Answer):
    host: str
    time: str = Field(description="Time of the host's newest sample.")
    age_seconds: float
    stale: bool = Field(description="Whether the newest sample is older than `stale_after_seconds`.")
    series: list[CurrentSeries]


class Current(_Answer):
    """Also the data of each `sample` event of `/api/v1/metrics/stream`."""

    time: str = Field(description="The server's time of the answer.")
    stale_after_seconds: float
    hosts: list[CurrentHost]
    units: dict[str, str] = Field(description="Unit by `measurement.field`.")


class StreamStatus(_Answer):
    """The data of each `status` event of `/api/v1/metrics/stream`: said when the store fails and when it recovers."""

    status: Literal["ok", "unavailable"]
    detail: str
    time: str


class HistorySeries(_Answer):
    host: str
    measurement: str
    field: str
    tags: dict[str, str] = Field(description="Without `host`.")
    kind: Literal["gauge", "counter"]
    unit: str = Field(description="Unit of `v`: a counter's rate has its unit per second.")
    t: list[int] = Field(description="Start of each step that has data, Unix seconds.")
    v: list[float | None]


class History(_Answer):
    metric: str
    start: str
    end: str
    step_seconds: int
    aggregate: str
    tier: str = Field(description="The coarsest tier read; newer parts may come from finer ones.")
    series: list[HistorySeries]


class SummarySeries(_Answer):
    host: str
    measurement: str
    field: str
    tags: dict[str, str]
    kind: Literal["gauge", "counter"]
    unit: str
    min: float
    max: float
    mean: float
    p50: float
    p95: float
    p99: float
    last: float
    count: int = Field(description="Samples behind the numbers; for a counter, the steps that have a rate.")


class Summary(_Answer):
    metric: str
    start: str
    end: str
    tier: str
    resolution_seconds: int = Field(
        description="Width of the steps that the percentiles are taken over: from coarse tiers they are of means."
    )
    series: list[SummarySeries]


class Node(_Answer):
    host: str
    last_seen: str
    age_seconds: float
    stale: bool


class Nodes(_Answer):
    nodes: list[Node]


class TierAnswer(_Answer):
    name: str
    bucket: str
    window_seconds: int = Field(description="0 for raw.")
    retention_seconds: int = Field(description="0 keeps for ever.")
    rolled_up_to: str | None = Field(description="Time up to which the tier is complete; null for raw.")


class PolicyAnswer(_Answer):
    name: str
    bucket: str
    interval_seconds: int
    tiers: list[TierAnswer]


class Policies(_Answer):
    policies: list[PolicyAnswer]


class AlertAnswer(_Answer):
    name: str
    severity: str
    state: Literal["pending", "firing"] = Field(
        description="`pending`: the level is reached, for less than the alert's `for`."
    )
    policy: str
    tags: dict[str, str] = Field(description="Of the series, those that the alert is grouped by.")
    labels: dict[str, str] = Field(description="As receivers are told: the tags, the alert's own labels and its name.")
    annotations: dict[str, str] = Field(description="Text for people: `summary`, `description`, `runbook_url`, others.")
    value: float | None = Field(
        description="In the metric's unit, when the alert last changed, or up to ten minutes ago; null: not finite."
    )
    since: str = Field(description="When the level was reached, without a break since.")
    starts_at: str | None = Field(description="When it began to fire; null while it is pending.")
    silenced: bool = Field(description="Receivers are not told of it.")


class Alerts(_Answer):
    evaluated: bool = Field(description="Whether anybody has evaluated alerts lately.")
    firing: int = Field(description="How many fire, of those that match, listed or not.")
    pending: int
    alerts: list[AlertAnswer]


class CatalogueField(_Answer):
    name: str
    type: Literal["float", "integer", "string"]
    unit: str
    kind: Literal["gauge", "counter", "info"]
    help: str
    prometheus: str = Field(description="Its name at `/metrics`.")


class CatalogueMeasurement(_Answer):
    name: str
    help: str
    tags: dict[str, str] = Field(description="Meaning by tag.")
    fields: list[CatalogueField]


class CatalogueAnswer(_Answer):
    aliases: dict[str, str] = Field(description="Short names that `metric` takes, and what they mean.")
    measurements: list[CatalogueMeasurement]
