"""``nodetide policy``: what policies say, and what they make of an InfluxDB."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from nodetide.exits import Exit
from nodetide.influx import store_config
from nodetide_core.catalogue import CATALOGUE
from nodetide_core.durations import format_duration
from nodetide_core.errors import LossRefused, PolicyError, Problem, StoreRejected
from nodetide_core.policy import LOSS_HINT, Policy, default_policy, load_policies
from nodetide_core.settings import Loaded
from nodetide_core.stores.influx.caller import connect
from nodetide_core.stores.influx.control import Control
from nodetide_core.stores.influx.desired import desired
from nodetide_core.stores.influx.planning import Action, Observed, loss
from nodetide_core.stores.influx.planning import plan as plan_actions
from nodetide_core.tiers import describe

__all__ = ["apply", "plan", "validate"]


def validate(paths: Iterable[Path]) -> Exit:
    """Checks every path; problems go to standard error, one a line."""
    outcome = Exit.OK
    for path in paths:
        try:
            for policy in load_policies(path):
                print(f"{path}: {summary(policy)}")
        except PolicyError as error:
            outcome = Exit.FAILED
            for problem in error.problems:
                print(_place(path, problem), file=sys.stderr)
    return outcome


def _place(path: Path, problem: Problem) -> str:
    """A problem names its file already where there is one to name; then only the folder is missing."""
    folder = path if path.is_dir() else path.parent
    named = problem.path.startswith(path.name) or path.is_dir()
    return f"{folder}/{problem}" if named and problem.path else f"{path}: {problem}"


def summary(policy: Policy) -> str:
    """One line for people."""
    collection = policy.collection
    every = format_duration(collection.interval)
    alerts = f", {len(policy.alerts)} alerts" if policy.alerts else ""
    return (
        f"{policy.name} is valid: {len(collection.groups)} groups every {every}, "
        f"bucket {policy.storage.bucket} ({describe(policy.storage.tiers)}){alerts}"
    )


def plan(paths: Sequence[Path], loaded: Loaded) -> Exit:
    """Prints what `apply` would do, and what of it loses data."""
    policies = _policies(paths, loaded)
    with _control(loaded) as control:
        observed = control.observe()
    outcomes = [_print_plan(policy, observed) for policy in policies]
    return Exit.OK if all(outcomes) else Exit.FAILED


def apply(paths: Sequence[Path], loaded: Loaded) -> Exit:
    """Carries out the plan of every policy; one that is refused does not keep the others from theirs."""
    policies = _policies(paths, loaded)
    outcome = Exit.OK
    with _control(loaded) as control:
        for policy in policies:
            try:
                actions = _actions(policy, control.observe())
                for action in actions:
                    control.apply([action])
                    print(f"{policy.name}: {action}", flush=True)
            except StoreRejected as error:
                outcome = Exit.FAILED
                hint = f"; {_annotation(policy)}" if isinstance(error, LossRefused) else ""
                print(f"{policy.name}: refused: {error}{hint}", file=sys.stderr)
            else:
                print(f"{policy.name}: {'done' if actions else 'nothing to do'}", flush=True)
    return outcome


def _policies(paths: Sequence[Path], loaded: Loaded) -> list[Policy]:
    if not paths:
        return [default_policy(loaded.settings.influxdb_bucket)]
    found = [policy for path in paths for policy in load_policies(path)]
    # Of one path this is known already; of two, one would take the other's bucket only when carried out.
    desired([policy.stream for policy in found], CATALOGUE)
    return found


@contextmanager
def _control(loaded: Loaded) -> Iterator[Control]:
    config = store_config(loaded)
    caller = connect(config, config.timeout)
    try:
        yield Control(caller, config.org)
    finally:
        caller.close()


def _actions(policy: Policy, observed: Observed, *, lose: bool | None = None) -> tuple[Action, ...]:
    stream = policy.stream if lose is None else replace(policy.stream, allow_data_loss=lose)
    return plan_actions([stream], desired([stream], CATALOGUE), observed)


def _print_plan(policy: Policy, observed: Observed) -> bool:
    """Whether `apply` would do it."""
    try:
        actions = _actions(policy, observed, lose=True)
    except StoreRejected as error:
        print(f"{policy.name}: refused: {error}", file=sys.stderr)
        return False
    losses = 0
    for action in actions:
        lost = loss(action)
        losses += lost is not None
        print(f"{policy.name}: {action}" + (f"  (LOSES {lost})" if lost else ""))
    if not actions:
        print(f"{policy.name}: nothing to do")
    if losses and not policy.stream.allow_data_loss:
        print(f"{policy.name}: refused, for it loses data; {_annotation(policy)}", file=sys.stderr)
        return False
    return True


def _annotation(policy: Policy) -> str:
    return f"{LOSS_HINT} on {policy.name}"
