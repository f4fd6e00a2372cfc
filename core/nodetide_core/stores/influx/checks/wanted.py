"""What must be in InfluxDB so that it evaluates a policy's alerts and tells its receivers.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from nodetide_core.catalogue import Catalogue
from nodetide_core.durations import format_duration
from nodetide_core.errors import NodetideError, StoreRejected
from nodetide_core.points import make_tags
from nodetide_core.policy import Alert, Notify, Policy, SecretRef
from nodetide_core.store import Stream
from nodetide_core.stores.influx.checks.marking import Mark
from nodetide_core.stores.influx.checks.routing import SEVERITY, Route, fixed_labels, matching, route_of
from nodetide_core.stores.influx.checks.scripts import Script
from nodetide_core.stores.influx.checks.sealing import Secret
from nodetide_core.stores.influx.checks.texts import check_text
from nodetide_core.stores.influx.flux_reads import FluxForbidden

__all__ = ["Check", "Endpoint", "Rule", "Trouble", "Wanted", "wanted"]

#: What InfluxDB's JSON takes for the name of a secret instead of a secret.
_REFERENCE = "secret: "
#: Characters of addresses that could end or break a Flux string, as every server reads them too.
_IN_ADDRESSES = str.maketrans({"$": "%24", '"': "%22", "\\": "%5C"})


@dataclass(frozen=True, slots=True)
class Check:
    """
    Attributes:
        alert: whose it is.
        text: Flux, without the check's id.
    """

    name: str
    alert: str
    text: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    Attributes:
        settings: fields of InfluxDB's object, the secret left out.
        field: its field for the secret; empty where it has none.
    """

    name: str
    settings: Mapping[str, str]
    field: str = ""
    secret: Secret | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """
    Attributes:
        endpoint: by name.
        every: seconds.
        tags: of the statuses that it tells of.
        levels: InfluxDB's; told when a series gets there from another, and when it gets from anywhere to ``ok``.
    """

    name: str
    endpoint: str
    type: str
    every: int
    tags: tuple[tuple[str, str], ...]
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an alert or a receiver cannot be as the policy has it.

    Attributes:
        where: ``alert NAME`` or ``receiver NAME``.
    """

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    Attributes:
        held: names of checks and endpoints that stay as they are, if they are there: those of what is in trouble, but
            of Flux that must not be evaluated.
    """

    mark: Mark
    checks: tuple[Check, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    rules: tuple[Rule, ...] = ()
    held: frozenset[str] = field(default_factory=frozenset)
    troubles: tuple[Trouble, ...] = ()


def wanted(
    policy: Policy,
    stream: Stream,
    owner: str,
    catalogue: Catalogue,
    *,
    scripts: Callable[[str], Script],
    secrets: Callable[[Policy, SecretRef], str],
) -> Wanted:
    """What a policy with ``alertEngine: influxdb`` asks for; of any other, and of one that is suspended, nothing.

    One alert or receiver in trouble is left out and told of; the others are as they should be.

    Args:
        owner: the installation that keeps it.
        scripts: takes Flux of users apart, or raises StoreRejected; `FluxForbidden` where it must not be evaluated.
        secrets: gives what a reference holds, or raises OSError, LookupError or `NodetideError` with what is missing.

    Raises:
        StoreUnavailable: InfluxDB could not be asked about Flux.
    """
    mark = Mark(stream.bucket, owner, stream.name)
    if policy.alert_engine != "influxdb" or policy.suspend:
        return Wanted(mark)
    checks: list[Check] = []
    routes: dict[Route, None] = {}
    endpoints: list[Endpoint] = []
    rules: list[Rule] = []
    held: set[str] = set()
    troubles: list[Trouble] = []
    receivers = []
    for receiver in policy.notify:
        try:
            receivers.append(matching(receiver))
        except StoreRejected as error:
            troubles.append(Trouble(f"receiver {receiver.name}", str(error)))
    for alert in policy.alerts:
        name = _name(stream, alert.name)
        found = [route for receiver in receivers if (route := route_of(receiver, alert, policy)) is not None]
        routes.update(dict.fromkeys(found))
        try:
            _refuse_window(alert, stream)
            _refuse_labels(alert, policy, catalogue)
            script = scripts(alert.flux or "") if alert.type == "flux" else None
            _refuse_buckets(script, stream)
            labels = _labels(alert, policy, stream, found)
            checks.append(Check(name, alert.name, _text(name, alert, stream, catalogue, labels=labels, script=script)))
        except StoreRejected as error:
            # What may not be done must not go on either.
            if not isinstance(error, FluxForbidden):
                held.add(name)
            troubles.append(Trouble(f"alert {alert.name}", str(error)))
    for receiver in receivers:
        name = _name(stream, receiver.name)
        mine = [route for route in routes if route.receiver == receiver.name]
        rules += [_rule(name, receiver, stream, route) for route in mine]
        if not mine:
            continue
        try:
            endpoints.append(_endpoint(name, receiver, _secret(policy, receiver, secrets)))
        except StoreRejected as error:
            held.add(name)
            troubles.append(Trouble(f"receiver {receiver.name}", str(error)))
    return Wanted(mark, tuple(checks), tuple(endpoints), tuple(rules), frozenset(held), tuple(troubles))


def _name(stream: Stream, of: str) -> str:
    return f"nodetide {stream.bucket} {of}"


def _text(
    name: str, alert: Alert, stream: Stream, catalogue: Catalogue, *, labels: Mapping[str, str], script: Script | None
) -> str:
    measurement, _, field_name = (alert.metric or "").partition(".")
    known = catalogue.get(measurement)
    return check_text(
        name,
        alert,
        stream,
        measured=catalogue.field(measurement, field_name),
        tags=[tag.name for tag in known.tags] if known is not None else [],
        labels=labels,
        script=script,
    )


def _labels(alert: Alert, policy: Policy, stream: Stream, routes: Iterable[Route]) -> dict[str, str]:
    """Tags of the alert's statuses, beside those of the series; what no tag can hold is replaced as in those."""
    return {
        **dict(make_tags(alert.labels)),
        **fixed_labels(alert, policy),
        **{route.tag: _address(stream, route) for route in routes},
    }


def _address(stream: Stream, route: Route) -> str:
    """Unique for the stream, so that no rule tells of another's statuses."""
    return f"{stream.bucket} {route.name}"


def _refuse_window(alert: Alert, stream: Stream) -> None:
    retention = stream.tiers.raw.retention
    if alert.type == "threshold" and 0 < retention < alert.window:
        raise StoreRejected(
            f"its window is longer than raw points are kept ({format_duration(retention)}), and InfluxDB's check reads "
            "no others"
        )


def _refuse_buckets(script: Script | None, stream: Stream) -> None:
    """InfluxDB runs checks with all the rights of a user, so what they read is looked at here."""
    own = [tier.bucket(stream.bucket) for tier in stream.tiers.tiers]
    for name in script.reads if script is not None else ():
        if name not in own:
            what = "a bucket whose name it works out" if name is None else f"the bucket {name!r}"
            raise FluxForbidden(
                f"flux: it reads {what}; evaluated by InfluxDB, it may read the buckets of its own policy, each called "
                f"by its name as it stands: {', '.join(own)}"
            )


def _refuse_labels(alert: Alert, policy: Policy, catalogue: Catalogue) -> None:
    """A label of a status would take the place of the series' own tag, and make one series of many."""
    known = catalogue.get((alert.metric or "").partition(".")[0])
    taken = {"host", SEVERITY, *fixed_labels(alert, policy), *policy.collection.labels, *policy.collection.node_labels}
    taken |= {tag.name for tag in known.tags} if known is not None else set()
    for key in alert.labels:
        if key in taken:
            raise StoreRejected(f"the label {key!r} is a tag that statuses have already; choose another name")
        if not key or key.startswith("_"):
            raise StoreRejected(f"the label {key!r} cannot be a tag of InfluxDB's: it is empty or begins with _")


def _secret(policy: Policy, receiver: Notify, secrets: Callable[[Policy, SecretRef], str]) -> Secret | None:
    """
    Raises:
        StoreRejected
    """
    ref = receiver.secret_ref
    if ref is None:
        return None
    where = f"secret {ref.name}, key {ref.key}"
    try:
        text = secrets(policy, ref).strip()
    except (OSError, LookupError, NodetideError) as error:
        # Of a KeyError the text is in quotes.
        said = error.args[0] if isinstance(error, LookupError) and error.args else error
        raise StoreRejected(f"{where}: {said}") from None
    if not text or text.startswith(_REFERENCE):
        raise StoreRejected(f"{where}: it is empty, or begins with {_REFERENCE!r}, which InfluxDB does not take")
    return Secret(text)


def _endpoint(name: str, receiver: Notify, secret: Secret | None) -> Endpoint:
    if receiver.type == "slack":
        # InfluxDB shows the address to whoever may read endpoints, but not the token: so the token is the address,
        # and this is how the rule's Flux gets at it.
        return Endpoint(name, {"type": "slack", "url": "${slack_secret}"}, "token", secret)
    if receiver.type == "pagerduty":
        if receiver.url is not None:
            raise StoreRejected("InfluxDB tells events.pagerduty.com only; leave the url out, or the engine")
        return Endpoint(name, {"type": "pagerduty", "clientURL": ""}, "routingKey", secret)
    if receiver.type != "http":
        raise StoreRejected(f"InfluxDB knows no receivers of type {receiver.type}")
    settings = {
        "type": "http",
        "method": "POST",
        "url": (receiver.url or "").translate(_IN_ADDRESSES),
        "authMethod": "none" if secret is None else "bearer",
    }
    return Endpoint(name, settings, "" if secret is None else "token", secret)


def _rule(endpoint: str, receiver: Notify, stream: Stream, route: Route) -> Rule:
    tags = ((route.tag, _address(stream, route)), *route.tags)
    return Rule(f"{endpoint} {route.name}", endpoint, receiver.type, route.every, tags, route.levels)
