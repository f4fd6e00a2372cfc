"""Every setting of every command, in one dataclass."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nodetide_core.settings import values
from nodetide_core.settings.values import Address

__all__ = ["Setting", "Settings", "all_settings"]


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known of a setting: for the parser, ``--help`` and the reference in the docs.

    Attributes:
        may_come_later: of a secret that is read again when its file changes: the file need not be there yet, if its
            directory is. In Kubernetes a Secret may be made after the pod that mounts it.
    """

    name: str
    help: str
    allowed: str
    parse: Callable[[str], Any]
    commands: tuple[str, ...]
    secret: bool = False
    may_come_later: bool = False
    shown_default: str = ""


def _setting(name: str, help: str, parse: Callable[[str], Any], default: Any, *commands: str, **more: Any) -> Any:
    allowed = more.pop("allowed", (parse.__doc__ or "").strip().rstrip("."))
    spec = Setting(name, help, allowed, parse, commands, **more)
    if callable(default):
        return dataclasses.field(default_factory=default, metadata={"setting": spec})
    return dataclasses.field(default=default, metadata={"setting": spec})


#: Commands that talk to InfluxDB.
_INFLUXDB = ("collect", "serve", "upkeep", "operate", "policy plan", "policy apply")


def _host_name() -> str:
    return socket.gethostname()


def _data_dir() -> Path:
    try:
        return Path("~/.local/share/nodetide").expanduser()
    except RuntimeError:  # a container's user without an entry or a HOME
        return Path("/var/lib/nodetide")


def _spool_dir() -> Path:
    return _data_dir() / "spool"


@dataclass(frozen=True, slots=True)
class Settings:
    """Values of all settings; each field's metadata holds its `Setting`."""

    influxdb_url: str | None = _setting(
        "INFLUXDB_URL",
        "InfluxDB 2.7 or newer. Without it, `collect` writes lines to its output, `serve` reads the embedded store.",
        values.parse_url,
        None,
        *_INFLUXDB,
    )
    influxdb_token: str | None = _setting(
        "INFLUXDB_TOKEN",
        "API token of InfluxDB; read again when its file changes. The file may come later, if its directory is there.",
        values.parse_text,
        None,
        *_INFLUXDB,
        secret=True,
        may_come_later=True,
    )
    influxdb_org: str | None = _setting(
        "INFLUXDB_ORG", "Organization in InfluxDB, by name or id.", values.parse_text, None, *_INFLUXDB
    )
    influxdb_bucket: str | None = _setting(
        "INFLUXDB_BUCKET",
        "Bucket of the default policy; a policy of your own names its bucket itself.",
        values.parse_text,
        None,
        "run",
        "collect",
        "upkeep",
        "policy plan",
        "policy apply",
    )
    influxdb_ca_file: Path | None = _setting(
        "INFLUXDB_CA_FILE",
        "Certificates to trust for InfluxDB, instead of the system's.",
        values.parse_path,
        None,
        *_INFLUXDB,
    )
    spool_dir: Path = _setting(
        "NODETIDE_SPOOL_DIR",
        "Where points wait until InfluxDB has taken them; of this process alone.",
        values.parse_path,
        _spool_dir,
        "collect",
        shown_default="`~/.local/share/nodetide/spool`",
    )
    spool_max_bytes: int = _setting(
        "NODETIDE_SPOOL_MAX_BYTES",
        "Most that waits there for each bucket; past it the oldest points are dropped, and counted.",
        values.parse_size,
        256 * 2**20,
        "collect",
        shown_default="`256Mi`",
    )
    flush_interval: int = _setting(
        "NODETIDE_FLUSH_INTERVAL",
        "Time between writes to InfluxDB: a point is written at most so late.",
        values.parse_seconds,
        5,
        "collect",
        shown_default="`5s`",
    )
    policy: Path | None = _setting(
        "NODETIDE_POLICY",
        "MetricPolicy file, or a directory of them, read again when it changes. Without it: everything, once a second.",
        values.parse_path,
        None,
        "run",
        "collect",
        "upkeep",
    )
    node_settings: Path | None = _setting(
        "NODETIDE_NODE_SETTINGS",
        "Directory where the operator's ConfigMap is mounted, which then says what this node collects instead of "
        "NODETIDE_POLICY; read again when it changes.",
        values.parse_path,
        None,
        "collect",
    )
    token_dir: Path | None = _setting(
        "NODETIDE_TOKEN_DIR",
        "Where `upkeep` keeps tokens that it makes in InfluxDB: `collector` may write to the policies' buckets and "
        "nothing else, `api` may read them and nothing else. None if unset.",
        values.parse_path,
        None,
        "upkeep",
    )
    secrets_dir: Path | None = _setting(
        "NODETIDE_SECRETS_DIR",
        "Directory of secrets: a file `NAME/KEY` for each `secretRef` of a policy's receivers, read again for each "
        "notification; and files called as secret settings are.",
        values.parse_path,
        None,
        "run",
        "upkeep",
        "policy plan",
        "policy apply",
    )
    flux_token: str | None = _setting(
        "NODETIDE_FLUX_TOKEN",
        "Read-only token of InfluxDB for the queries of all alerts of type `flux`. If unset, each policy gets one that "
        "may read its own buckets. Read again when its file changes.",
        values.parse_text,
        None,
        "upkeep",
        "operate",
        secret=True,
        may_come_later=True,
    )
    host_name: str = _setting(
        "NODETIDE_HOST_NAME",
        "The `host` tag: in Kubernetes the node's name.",
        values.parse_text,
        _host_name,
        "run",
        "collect",
        shown_default="the machine's host name",
    )
    cluster: str | None = _setting(
        "NODETIDE_CLUSTER",
        "The cluster's name: the `cluster` tag of points and label of alerts, none if unset; and what keeps apart "
        "clusters that share an organization of InfluxDB.",
        values.parse_text,
        None,
        "run",
        "collect",
        "upkeep",
        "operate",
    )
    namespace: str | None = _setting(
        "NODETIDE_NAMESPACE",
        "The operator's own namespace, where it keeps its ConfigMap and Secrets.",
        values.parse_text,
        None,
        "operate",
        shown_default="the pod's",
    )
    watch_namespaces: tuple[str, ...] | None = _setting(
        "NODETIDE_WATCH_NAMESPACES",
        "Namespaces whose MetricPolicies are reconciled; `*` is all of them.",
        values.parse_namespaces,
        None,
        "operate",
        shown_default="NODETIDE_NAMESPACE",
    )
    settings_map: str = _setting(
        "NODETIDE_SETTINGS_MAP",
        "Name of the ConfigMap that the operator writes and collectors mount.",
        values.parse_text,
        "nodetide-node-settings",
        "operate",
    )
    token_secrets: str = _setting(
        "NODETIDE_TOKEN_SECRETS",
        "Beginning of the names of the Secrets that hold the tokens which the operator makes: `-collector` and `-api` "
        "are added.",
        values.parse_text,
        "nodetide-token",
        "operate",
    )
    resync: int = _setting(
        "NODETIDE_RESYNC",
        "Time between two looks at everything, for what was changed by hand.",
        values.parse_seconds,
        60,
        "operate",
        shown_default="`60s`",
    )
    operator_listen: Address = _setting(
        "NODETIDE_OPERATOR_LISTEN",
        "Where the operator serves `/metrics`, `/liveness` and `/readiness`.",
        values.parse_address,
        Address("0.0.0.0", 8080),  # noqa: S104 - in a pod
        "operate",
    )
    proc_root: Path = _setting(
        "NODETIDE_PROC_ROOT", "Where the host's `/proc` is mounted.", values.parse_path, Path("/proc"), "run", "collect"
    )
    sys_root: Path = _setting(
        "NODETIDE_SYS_ROOT", "Where the host's `/sys` is mounted.", values.parse_path, Path("/sys"), "run", "collect"
    )
    root: Path = _setting(
        "NODETIDE_ROOT", "Where the host's `/` is mounted.", values.parse_path, Path("/"), "run", "collect"
    )
    data_dir: Path = _setting(
        "NODETIDE_DATA_DIR",
        "Directory of the embedded store.",
        values.parse_path,
        _data_dir,
        "run",
        "serve",
        shown_default="`~/.local/share/nodetide`",
    )
    listen: Address = _setting(
        "NODETIDE_LISTEN",
        "Where API and page listen.",
        values.parse_address,
        Address("127.0.0.1", 8000),
        "run",
        "serve",
    )
    api_token: str | None = _setting(
        "NODETIDE_API_TOKEN",
        "Bearer token that API calls must carry; open if unset.",
        values.parse_text,
        None,
        "run",
        "serve",
        secret=True,
    )
    output: Path | None = _setting(
        "NODETIDE_OUTPUT",
        "Where `collect` writes line protocol when there is no INFLUXDB_URL.",
        values.parse_output,
        None,
        "collect",
        shown_default="`-`",
    )
    metrics_listen: Address | None = _setting(
        "NODETIDE_METRICS_LISTEN",
        "Where the collector serves its own Prometheus `/metrics`.",
        values.parse_off_or_address,
        None,
        "collect",
        shown_default="`off`",
    )
    sample_window: int = _setting(
        "NODETIDE_SAMPLE_WINDOW",
        "With `--once`: time between the two readings that rates and usages need.",
        values.parse_seconds,
        1,
        "collect",
        shown_default="`1s`",
    )
    log_level: str = _setting(
        "NODETIDE_LOG_LEVEL",
        "How much is logged.",
        values.parse_level,
        "info",
        "run",
        "collect",
        "serve",
        "upkeep",
        "operate",
    )


def all_settings() -> Iterator[tuple[str, Setting, Any]]:
    """(attribute, setting, default) of every setting, in the order of the dataclass."""
    for item in dataclasses.fields(Settings):
        default = item.default if item.default is not dataclasses.MISSING else None
        yield item.name, item.metadata["setting"], default
