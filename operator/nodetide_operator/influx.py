"""Making InfluxDB as policies say, one by one: what is wrong with one is not the others' matter."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from nodetide_core.errors import LossRefused, StoreError, StoreRejected, StoreUnavailable
from nodetide_core.store import Stream
from nodetide_core.stores.influx.authorizations import TokenVault, keep_tokens
from nodetide_core.stores.influx.control import Control
from nodetide_core.stores.influx.desired import task_name
from nodetide_core.stores.influx.planning import Action, Observed, plan, sweep
from nodetide_core.stores.influx.tokens import grants_for
from nodetide_operator.judging import Judged
from nodetide_operator.outcomes import Outcome, SeenPart
from nodetide_operator.world import Key

__all__ = ["Influx"]

_log = logging.getLogger(__name__)


class Influx:
    """
    Args:
        owner: what this installation marks its own with.
        watches: whether the policy of a stream, by its name, is one that this installation would know of.
    """

    def __init__(self, control: Control, owner: str, watches: Callable[[str], bool]) -> None:
        self._control = control
        self._owner = owner
        self._watches = watches
        self._observed = Observed({}, ())

    def reconcile(self, judged: Mapping[Key, Judged]) -> dict[Key, Outcome]:
        """Of the policies that are good, each with how it stands now."""
        good = {key: item for key, item in judged.items() if item.good and item.stream is not None}
        try:
            observed = self._control.observe()
        except StoreError as error:
            return dict.fromkeys(good, Outcome(unreachable=str(error)))
        # A policy that is wrong for now, or in conflict, is not gone.
        buckets = {item.stream_name: item.stream.bucket if item.stream else None for item in judged.values()}

        def dead(stream: Stream) -> bool:
            bucket = buckets.get(stream.name, "")
            return self._watches(stream.name) and bucket is not None and bucket != stream.bucket

        outcomes: dict[Key, Outcome] = {}
        changed = False
        for key, item in good.items():
            assert item.stream is not None  # noqa: S101 - they are good
            try:
                actions = plan([item.stream], item.parts, observed, dead=dead)
                changed = changed or bool(actions)
                self._carry_out(actions)
                outcomes[key] = Outcome()
            except StoreUnavailable as error:
                outcomes[key] = Outcome(unreachable=str(error))
            except StoreRejected as error:
                outcomes[key] = Outcome(refused=str(error), loses=isinstance(error, LossRefused))
        try:
            actions = sweep(self._owner, dead, observed)
            self._carry_out(actions)
            if changed or actions:
                observed = self._control.observe()
        except StoreError as error:
            _log.warning("sweeping: %s", error)
        self._observed = observed
        return {
            key: Outcome(found.unreachable, found.refused, found.loses, tuple(_parts(good[key], observed)))
            for key, found in outcomes.items()
        }

    def tokens(self, vault: TokenVault, streams: Iterable[Stream], now: int) -> Sequence[str]:
        """Keep the tokens of collectors and the API for these streams, as `reconcile` has seen their buckets.

        Returns:
            What was done, for people.

        Raises:
            StoreError
        """
        return keep_tokens(self._control, vault, self._owner, grants_for(streams, self._observed), now)

    def _carry_out(self, actions: Iterable[Action]) -> None:
        for action in actions:
            self._control.apply([action])
            _log.info("%s", action)


def _parts(item: Judged, observed: Observed) -> Iterable[SeenPart]:
    assert item.stream is not None  # noqa: S101 - only good ones are asked for
    tasks = {seen.task.name: seen.id for seen in observed.tasks_of.get(item.stream.bucket, ())}
    tiers = {tier.window: tier.name for tier in item.stream.tiers.tiers}
    for part in item.parts:
        seen = observed.buckets.get(part.bucket.name)
        named = "" if part.task is None else task_name(part.bucket.name)
        yield SeenPart(
            tier=tiers[part.window],
            bucket=part.bucket.name,
            bucket_id="" if seen is None else seen.id,
            retention=part.bucket.retention if seen is None else seen.bucket.retention,
            task=named,
            task_id=tasks.get(named, ""),
        )
