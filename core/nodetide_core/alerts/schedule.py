"""When an alert is evaluated. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nodetide_core.tiers import align_down

__all__ = ["DELAY", "RETRY", "Course", "due_at", "failed", "next_look", "succeeded"]

#: Seconds after its time that an evaluation is made, so that the newest points are there.
DELAY = 1
#: Seconds after which one that failed is made again.
RETRY = 5


@dataclass(frozen=True, slots=True)
class Course:
    """How far the evaluations of an alert are.

    Attributes:
        last: time of the last one that succeeded; 0 before the first.
        asked_since: time of the first since which none at a multiple of ``every`` was missed.
        retry_at: not before; after a failure.
    """

    last: int = 0
    asked_since: int = 0
    retry_at: float = 0.0


def due_at(course: Course, every: int, step: int | None, now: float) -> tuple[int, bool] | None:
    """The time of the evaluation that is due, and whether it lies between two multiples of ``every``; None: there is
    none. Of several that were missed the newest alone is made.

    Args:
        step: the next time at which ``for`` or ``keepFiringFor`` ends, after the last evaluation.
    """
    latest = int(now) - DELAY
    if now < course.retry_at:
        return None
    regular = align_down(latest, every)
    # Far behind the last one the clock was set back.
    if regular > course.last or regular < course.last - every:
        return regular, False
    if step is not None and course.last < step <= latest:
        return step, True
    return None


def next_look(course: Course, every: int, step: int | None) -> float:
    """When `due_at` will next say that one is due."""
    regular = align_down(course.last, every) + every
    return max(course.retry_at, min(regular, step if step is not None else regular) + DELAY)


def succeeded(course: Course, every: int, at: int) -> Course:
    missed = not 0 <= at - align_down(course.last, every) <= every
    return Course(at, at if missed else course.asked_since)


def failed(course: Course, now: float) -> Course:
    return replace(course, retry_at=now + RETRY)
