"""The typed MetricPolicy. Durations are whole seconds; every default is filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nodetide_core.store import Stream
from nodetide_core.tiers import DEFAULT_TIERS, Tiers

__all__ = [
    "ALLOW_DATA_LOSS",
    "LOSS_HINT",
    "Alert",
    "Collection",
    "GroupSpec",
    "Level",
    "NodeSelector",
    "Notify",
    "Policy",
    "Requirement",
    "SecretRef",
    "Silence",
    "Storage",
]


#: Annotation that, set to "true", lets a change of tiers delete data.
ALLOW_DATA_LOSS = "nodetide.io/allow-data-loss"
#: What a person may do about a change that was refused for that, to be put behind the reason.
LOSS_HINT = f'to have it so, set the annotation {ALLOW_DATA_LOSS}: "true"'


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """How one group is sampled.

    Attributes:
        interval: seconds between samples.
        include, exclude: globs on the group's filter tag (see the catalogue).
        exclude_fs_types: globs, for group ``disk``.
        per_cpu: whether to write each CPU beside the total.
    """

    interval: int
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    exclude_fs_types: tuple[str, ...] = ()
    per_cpu: bool = True


@dataclass(frozen=True, slots=True)
class Requirement:
    """One ``matchExpressions`` entry of a label selector."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeSelector:
    """A Kubernetes label selector; empty selects every node."""

    match_labels: Mapping[str, str] = field(default_factory=dict)
    match_expressions: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a node with these labels is selected, by Kubernetes' own rules: ``NotIn`` and
        ``DoesNotExist`` also match nodes that lack the label."""
        if any(labels.get(key) != value for key, value in self.match_labels.items()):
            return False
        return all(_holds(requirement, labels) for requirement in self.match_expressions)


def _holds(requirement: Requirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    if requirement.operator == "Exists":
        return value is not None
    if requirement.operator == "DoesNotExist":
        return value is None
    if requirement.operator == "In":
        return value is not None and value in requirement.values
    return value is None or value not in requirement.values


@dataclass(frozen=True, slots=True)
class Collection:
    interval: int
    groups: Mapping[str, GroupSpec]
    labels: Mapping[str, str]
    node_labels: tuple[str, ...]
    max_series_per_node: int

    @property
    def finest(self) -> int:
        """Seconds of the fastest group."""
        return min((group.interval for group in self.groups.values()), default=self.interval)

    @property
    def slowest(self) -> int:
        """Seconds of the slowest group."""
        return max((group.interval for group in self.groups.values()), default=self.interval)


@dataclass(frozen=True, slots=True)
class Storage:
    bucket: str
    tiers: Tiers = DEFAULT_TIERS
    deletion_policy: str = "Retain"


@dataclass(frozen=True, slots=True)
class Level:
    """When a severity is reached, and when it is left again.

    Attributes:
        relation: ``above``, ``below``, ``outside`` or ``inside``.
        bounds: one number for above and below, two (low, high) for outside and inside.
        recover: the bounds that end it; None means the same as ``bounds``.
    """

    relation: str
    bounds: tuple[float, ...]
    recover: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """
    Attributes:
        predict_after: seconds ahead at which the value is compared; 0: the aggregate itself.
    """

    name: str
    type: str
    metric: str | None
    filter: Mapping[str, str]
    group_by: tuple[str, ...]
    every: int
    window: int
    aggregate: str
    predict_after: int
    levels: Mapping[str, Level]
    for_: int
    keep_firing_for: int
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    flux: str | None


@dataclass(frozen=True, slots=True)
class SecretRef:
    name: str
    key: str


@dataclass(frozen=True, slots=True)
class Notify:
    name: str
    type: str
    url: str | None
    secret_ref: SecretRef | None
    severities: tuple[str, ...]
    match: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Silence:
    """
    Attributes:
        match: labels that an alert must have to be silent.
        until: Unix seconds at which it ends.
    """

    match: Mapping[str, str]
    until: int
    comment: str


@dataclass(frozen=True, slots=True)
class Policy:
    """A MetricPolicy as a whole.

    Attributes:
        alert_engine: ``nodetide`` or ``influxdb``.
        hash: of what the user wrote under ``spec``: two policies with the same hash do the same.
    """

    name: str
    namespace: str
    suspend: bool
    node_selector: NodeSelector
    collection: Collection
    storage: Storage
    alerts: tuple[Alert, ...]
    alert_engine: str
    silences: tuple[Silence, ...]
    notify: tuple[Notify, ...]
    annotations: Mapping[str, str]
    hash: str

    @property
    def asks_flux(self) -> bool:
        """Whether Nodetide evaluates queries of its own for it."""
        own = self.alert_engine == "nodetide" and not self.suspend
        return own and any(alert.type == "flux" for alert in self.alerts)

    @property
    def stream(self) -> Stream:
        """What this policy asks of a store."""
        return Stream(
            self.name,
            self.storage.bucket,
            self.storage.tiers,
            self.collection.finest,
            allow_data_loss=self.annotations.get(ALLOW_DATA_LOSS) == "true",
        )
