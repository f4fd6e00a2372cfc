"""``nodetide policy``: what policies say, and what they make of an InfluxDB."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from nodetide.alert_words import alert_words
from nodetide.checks import LocalChecks
from nodetide.exits import Exit
from nodetide.influx import store_config
from nodetide.secret_files import secret_files
from nodetide_core.alerts.prometheus import policy_rules
from nodetide_core.alerts.prometheus_text import rule_file, rule_objects
from nodetide_core.catalogue import CATALOGUE
from nodetide_core.durations import format_duration
from nodetide_core.errors import LossRefused, PolicyError, Problem, StoreRejected
from nodetide_core.policy import LOSS_HINT, Policy, default_policy, load_policies
from nodetide_core.settings import Loaded
from nodetide_core.stores.influx.caller import connect
from nodetide_core.stores.influx.checks.keeping import Planned
from nodetide_core.stores.influx.control import Control
from nodetide_core.stores.influx.desired import desired
from nodetide_core.stores.influx.planning import Action, Observed, loss
from nodetide_core.stores.influx.planning import plan as plan_actions
from nodetide_core.tiers import describe

__all__ = ["apply", "plan", "render", "validate"]


def validate(paths: Iterable[Path]) -> Exit:
    """Checks every path; problems go to standard error, one a line."""
    outcome = Exit.OK
    for path in paths:
        try:
            for policy in load_policies(path):
                print(f"{path}: {summary(policy, time.time())}")
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


def summary(policy: Policy, now: float) -> str:
    """One line for people.

    Args:
        now: Unix seconds.
    """
    collection = policy.collection
    every = format_duration(collection.interval)
    return (
        f"{policy.name} is valid: {len(collection.groups)} groups every {every}, "
        f"bucket {policy.storage.bucket} ({describe(policy.storage.tiers)}){alert_words(policy, now)}"
    )


def render(paths: Sequence[Path], *, objects: bool) -> Exit:
    """Prints the alerts of policies as rules of Prometheus, and says what of them is not there.

    Args:
        objects: as objects of the Prometheus operator, not as a file.
    """
    rules = [policy_rules(policy) for path in paths for policy in load_policies(path)]
    print(rule_objects(rules) if objects else rule_file(rules), end="")
    for text in (text for one in rules for text in one.missing):
        print(f"warning: {text}", file=sys.stderr)
    return Exit.OK


def plan(paths: Sequence[Path], loaded: Loaded) -> Exit:
    """Prints what `apply` would do, and what of it loses data."""
    policies = _policies(paths, loaded)
    with _control(loaded) as (control, checks):
        observed = control.observe()
        outcomes = [_print_plan(policy, observed, checks) for policy in policies]
    return Exit.OK if all(outcomes) else Exit.FAILED


def apply(paths: Sequence[Path], loaded: Loaded) -> Exit:
    """Carries out the plan of every policy; one that is refused does not keep the others from theirs."""
    policies = _policies(paths, loaded)
    outcome = Exit.OK
    with _control(loaded) as (control, checks):
        for policy in policies:
            try:
                actions = _actions(policy, control.observe())
                for action in actions:
                    control.apply([action])
                    print(f"{policy.name}: {action}", flush=True)
                planned = checks.plan(policy)
                for change in planned.changes:
                    checks.apply(change)
                    print(f"{policy.name}: {change}", flush=True)
            except StoreRejected as error:
                outcome = Exit.FAILED
                hint = f"; {_annotation(policy)}" if isinstance(error, LossRefused) else ""
                print(f"{policy.name}: refused: {error}{hint}", file=sys.stderr)
            else:
                print(f"{policy.name}: {'done' if actions or planned.changes else 'nothing to do'}", flush=True)
                if not _print_troubles(policy, planned):
                    outcome = Exit.FAILED
    return outcome


def _policies(paths: Sequence[Path], loaded: Loaded) -> list[Policy]:
    if not paths:
        return [default_policy(loaded.settings.influxdb_bucket)]
    found = [policy for path in paths for policy in load_policies(path)]
    # Of one path this is known already; of two, one would take the other's bucket only when carried out.
    desired([policy.stream for policy in found], CATALOGUE)
    return found


@contextmanager
def _control(loaded: Loaded) -> Iterator[tuple[Control, LocalChecks]]:
    config = store_config(loaded)
    caller = connect(config, config.timeout)
    control = Control(caller, config.org)
    try:
        yield control, LocalChecks(caller, control, secret_files(loaded.settings.secrets_dir))
    finally:
        caller.close()


def _actions(policy: Policy, observed: Observed, *, lose: bool | None = None) -> tuple[Action, ...]:
    stream = policy.stream if lose is None else replace(policy.stream, allow_data_loss=lose)
    return plan_actions([stream], desired([stream], CATALOGUE), observed)


def _print_plan(policy: Policy, observed: Observed, checks: LocalChecks) -> bool:
    """Whether `apply` would do it."""
    try:
        actions = _actions(policy, observed, lose=True)
        planned = checks.plan(policy)
    except StoreRejected as error:
        print(f"{policy.name}: refused: {error}", file=sys.stderr)
        return False
    losses = 0
    for action in actions:
        lost = loss(action)
        losses += lost is not None
        print(f"{policy.name}: {action}" + (f"  (LOSES {lost})" if lost else ""))
    for change in planned.changes:
        print(f"{policy.name}: {change}")
    if not actions and not planned.changes:
        print(f"{policy.name}: nothing to do")
    whole = _print_troubles(policy, planned)
    if losses and not policy.stream.allow_data_loss:
        print(f"{policy.name}: refused, for it loses data; {_annotation(policy)}", file=sys.stderr)
        return False
    return whole


def _print_troubles(policy: Policy, planned: Planned) -> bool:
    """Whether there are none."""
    for trouble in planned.wanted.troubles:
        print(f"{policy.name}: {trouble}", file=sys.stderr)
    return not planned.wanted.troubles


def _annotation(policy: Policy) -> str:
    return f"{LOSS_HINT} on {policy.name}"
