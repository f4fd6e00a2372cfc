"""How far tiers are rolled up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from nodetide_core.store import Stream
from nodetide_core.stores.influx.answers import ask
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.desired import task_name
from nodetide_core.stores.influx.ownership import base_of
from nodetide_core.stores.influx.planning import SeenTask
from nodetide_core.stores.influx.state import until_of, until_request
from nodetide_core.tiers import align_down

__all__ = ["Progress", "task_progress", "watermarks"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far upkeep has come with a stream.

    Attributes:
        behind: by tier, windows that are due and not made.
        error: why it failed the last time; empty where it did not.
        empty: whether nothing was ever written.
    """

    behind: Mapping[str, int] = field(default_factory=dict)
    error: str = ""
    empty: bool = False


def task_progress(streams: Sequence[Stream], tasks: Iterable[SeenTask]) -> dict[str, dict[int, int]]:
    """By stream's bucket and tier's window, the time that the last run of its task was for, if it succeeded."""
    by_name = {(base_of(seen.task.description), seen.task.name): seen.succeeded for seen in tasks if seen.succeeded}
    found: dict[str, dict[int, int]] = {}
    for stream in streams:
        for tier in stream.tiers.rollups:
            succeeded = by_name.get((stream.bucket, task_name(tier.bucket(stream.bucket))))
            if succeeded is not None:
                found.setdefault(stream.bucket, {})[tier.window] = succeeded
    return found


def watermarks(caller: Caller, stream: Stream, succeeded: Mapping[int, int]) -> dict[str, int]:
    """By tier name, the time up to which its windows are made.

    That is what upkeep has written down. A task that is ahead of it counts too, so that upkeep that
    stands still does not send every question to the raw points; not so where upkeep claimed what the
    task was to make.

    Raises:
        StoreUnavailable, StoreRejected
    """
    answers = ask(caller, until_request(stream), doing=f"reading how far {stream.bucket} is rolled up")
    found = {}
    for tier, answer in zip(stream.tiers.rollups, answers, strict=True):
        made, claimed = until_of(answer)
        by_task = align_down(succeeded.get(tier.window, 0), tier.window)
        if made:
            found[tier.name] = max(made, by_task if by_task > claimed else 0)
    return found
