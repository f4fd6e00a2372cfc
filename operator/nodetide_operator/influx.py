"""Making InfluxDB as policies say, one by one: what is wrong with one is not the others' matter."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from nodetide_core.errors import LossRefused, StoreError, StoreRejected, StoreUnavailable
from nodetide_core.store import Stream
from nodetide_core.stores.influx.authorizations import TokenVault, keep_tokens
from nodetide_core.stores.influx.control import Control
from nodetide_core.stores.influx.desired import task_name
from nodetide_core.stores.influx.planning import (
    Action,
    CreateTask,
    DeleteTask,
    Observed,
    plan,
    streams_of,
    sweep,
)
from nodetide_core.stores.influx.query_tokens import ReaderTokens
from nodetide_core.stores.influx.tokens import grants_for
from nodetide_operator.judging import Judged
from nodetide_operator.outcomes import Outcome, SeenPart
from nodetide_operator.world import Key

__all__ = ["Influx"]

_log = logging.getLogger(__name__)

#: Seconds for which what a turn saw last is as good as new for the turn that does the rest.
_FRESH = 10.0
_NO_TASKS_SHOWN = (
    "InfluxDB does not show a task that was made: the operator's token may not read tasks (`read tasks`), so none is "
    "made; rollups go on while the operator runs"
)


class Influx:
    """Belongs to one thread.

    Args:
        owner: what this installation marks its own with.
        watches: whether the policy of a stream, by its name, is one that this installation would know of.
        budget: seconds of changing things after which `reconcile` leaves the rest for the next time, so that a
            thousand new policies do not keep one small change from being made and told of.

    Attributes:
        problem: why what dead policies have left could not be ended the last time; empty where it could.
    """

    def __init__(
        self,
        control: Control,
        owner: str,
        watches: Callable[[str], bool],
        *,
        budget: float = 10.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._control = control
        self._owner = owner
        self._watches = watches
        self._budget = budget
        self._monotonic = monotonic
        self._observed = Observed({}, ())
        self._observed_at = -math.inf
        self._unknown: tuple[Stream, ...] = ()
        self._left: frozenset[Key] = frozenset()
        #: Whether InfluxDB shows tasks to this token; None until some were shown, or should have been.
        self._shows_tasks: bool | None = None
        self.problem = ""

    def reconcile(
        self, judged: Mapping[Key, Judged], known: Callable[[str], bool] = lambda _: True
    ) -> dict[Key, Outcome]:
        """Of the policies that are good, each with how it stands now; those that are left for the next time are
        not named.

        Args:
            known: whether the policy of a stream, by its name, would be among ``judged`` if it were there.
        """
        good = {key: item for key, item in judged.items() if item.good and item.stream is not None}
        # A policy that is wrong for now, or in conflict, is not gone.
        buckets = {item.stream_name: item.stream.bucket if item.stream else None for item in judged.values()}

        def dead(stream: Stream) -> bool:
            bucket = buckets.get(stream.name, "")
            gone = bucket is not None and bucket != stream.bucket
            return gone and self._watches(stream.name) and known(stream.name)

        try:
            # First, so that what a dead policy leaves is gone before another takes its place.
            observed = self._sweep(dead, self._look())
            self._shows_tasks = True if observed.tasks else None
            outcomes, changed = self._ensure(good, observed, dead)
            if changed:
                observed = self._control.observe()
            self._observed, self._observed_at = observed, self._monotonic()
        except StoreError as error:
            return dict.fromkeys(good, Outcome(unreachable=str(error)))
        mine = [stream for stream in streams_of(observed) if stream.owner == self._owner]
        wrong = {item.stream_name for item in judged.values() if not item.good}
        self._unknown = tuple(stream for stream in mine if stream.name in wrong or not known(stream.name))
        for key in changed:
            if outcomes[key] == Outcome():
                outcomes[key] = _checked(good[key], observed, dead)
        return {key: replace(found, parts=tuple(_parts(good[key], observed))) for key, found in outcomes.items()}

    def tokens(self, vault: TokenVault, streams: Iterable[Stream], now: int) -> Sequence[str]:
        """Keep the tokens of collectors and the API for these streams, as `reconcile` has seen their buckets, for
        those of which nothing was known then, and for those whose policy was wrong, which nodes go on with.

        Returns:
            What was done, for people.

        Raises:
            StoreError
        """
        grants = grants_for([*streams, *self._unknown], self._observed)
        return keep_tokens(self._control, vault, self._owner, grants, now)

    def readers(self, tokens: ReaderTokens, streams: Iterable[Stream], now: int) -> Sequence[str]:
        """Keep the tokens that queries of these streams' alerts run with, and of those that had one, and of which
        nothing better is known now: their alerts go on.

        Returns:
            What was done, for people.

        Raises:
            StoreError
        """
        before = [stream for stream in self._unknown if tokens.held(stream.bucket) is not None]
        return tokens.renew(self._control, self._owner, [*streams, *before], self._observed, now)

    def _look(self) -> Observed:
        # Many new policies are many turns, and all that is there is thousands of objects, tasks with their texts.
        fresh = self._left and self._monotonic() < self._observed_at + _FRESH
        # From here on things change; what fails before they are seen again leaves nothing that can be relied upon.
        self._observed_at = -math.inf
        return self._observed if fresh else self._control.observe()

    def _sweep(self, dead: Callable[[Stream], bool], observed: Observed) -> Observed:
        self.problem = ""
        actions = sweep(self._owner, dead, observed)
        if not actions:
            return observed
        try:
            self._carry_out(actions)
        except StoreError as error:
            self.problem = f"what dead policies have left: {error}"
        return self._control.observe()

    def _ensure(
        self, good: Mapping[Key, Judged], observed: Observed, dead: Callable[[Stream], bool]
    ) -> tuple[dict[Key, Outcome], list[Key]]:
        """How each went, and which were changed."""
        outcomes: dict[Key, Outcome] = {}
        changed: list[Key] = []
        end = self._monotonic() + self._budget
        # Those that were left come first, or one that fails slowly would keep the others from their turn for ever.
        for key, item in sorted(good.items(), key=lambda pair: pair[0] not in self._left):
            assert item.stream is not None  # noqa: S101 - they are good
            try:
                actions = plan([item.stream], item.parts, observed, dead=dead)
                if actions:
                    if changed and self._monotonic() > end:
                        continue
                    changed.append(key)
                self._carry_out(actions)
                outcomes[key] = Outcome()
            except StoreUnavailable as error:
                outcomes[key] = Outcome(unreachable=str(error))
            except StoreRejected as error:
                outcomes[key] = Outcome(refused=str(error), loses=isinstance(error, LossRefused))
        self._left = frozenset(good.keys() - outcomes.keys())
        return outcomes, changed

    def _carry_out(self, actions: Iterable[Action]) -> None:
        for action in actions:
            if isinstance(action, CreateTask):
                self._make_task(action)
            else:
                self._control.apply([action])
            _log.info("%s", action)

    def _make_task(self, action: CreateTask) -> None:
        """To a token that may not read tasks InfluxDB shows none, and refuses nothing: whoever believes that makes
        each of them again and again."""
        if self._shows_tasks is False:
            raise StoreRejected(_NO_TASKS_SHOWN)
        (id,) = self._control.apply([action])
        if self._shows_tasks is None:
            self._shows_tasks = bool(self._control.observe().tasks)
            if not self._shows_tasks:
                self._control.apply([DeleteTask(id, action.task.name)])
                raise StoreRejected(_NO_TASKS_SHOWN)


def _checked(item: Judged, observed: Observed, dead: Callable[[Stream], bool]) -> Outcome:
    """InfluxDB leaves out of its lists what a token may not read, and says nothing."""
    assert item.stream is not None  # noqa: S101 - only good ones are asked for
    try:
        missing = plan([item.stream], item.parts, observed, dead=dead)
    except StoreRejected as error:
        return Outcome(refused=str(error))
    if not missing:
        return Outcome()
    more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
    return Outcome(
        refused=f"InfluxDB does not show what was done ({missing[0]}{more}): somebody undid it, or the operator's "
        "token may not read buckets and tasks"
    )


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
