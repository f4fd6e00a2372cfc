"""What the operator can be told; read from settings by whoever starts it."""

from __future__ import annotations

from dataclasses import dataclass

from nodetide_core.stores.influx.config import StoreConfig
from nodetide_core.stores.influx.token import TokenSource

__all__ = ["OperatorConfig"]


@dataclass(frozen=True, slots=True)
class OperatorConfig:
    """
    Attributes:
        influx: InfluxDB, with a token that may make buckets, tasks and tokens in its organization.
        namespace: its own, where it keeps its ConfigMap and Secrets.
        namespaces: whose policies it reconciles; empty: those of every namespace.
        cluster: the cluster's name, which keeps clusters that share an organization apart.
        settings_map: name of the ConfigMap that collectors read.
        token_prefix: of the names of the Secrets with tokens: ``PREFIX-collector`` and ``PREFIX-api``.
        flux_token: that queries of alerts run with; None: for each policy one is made that may read its buckets alone.
        listen: host and port of ``/metrics``, ``/liveness`` and ``/readiness``.
        settle: seconds that changes are gathered before they are reconciled together.
        resync: seconds between two looks at everything, for what was changed by hand.
        rollup_interval: seconds between two looks for windows that tasks have missed.
        stalled_after: seconds without a finished turn, or with something that lists show and watches do
            not tell of, after which liveness fails.
    """

    influx: StoreConfig
    namespace: str
    namespaces: tuple[str, ...] = ()
    cluster: str = ""
    settings_map: str = "nodetide-node-settings"
    token_prefix: str = "nodetide-token"  # noqa: S105 - a name
    flux_token: TokenSource | None = None
    listen: tuple[str, int] = ("0.0.0.0", 8080)  # noqa: S104 - a pod's
    settle: float = 0.2
    resync: float = 60.0
    rollup_interval: float = 30.0
    stalled_after: float = 300.0

    @property
    def owner(self) -> str:
        """What streams, tasks and tokens of this installation are marked with."""
        return f"{self.cluster}/{self.namespace}" if self.cluster else self.namespace

    def stream_name(self, namespace: str, name: str) -> str:
        """Of a policy: its name, and its namespace where that is not the operator's own."""
        return name if namespace == self.namespace else f"{namespace}/{name}"

    def watches(self, stream: str) -> bool:
        """Whether the policy of a stream, by its name, is one of those to be reconciled."""
        return not self.namespaces or self.namespace_of(stream) in self.namespaces

    def namespace_of(self, stream: str) -> str:
        """Of the policy of a stream, by its name."""
        return stream.rpartition("/")[0] or self.namespace
