from __future__ import annotations

import pytest

from nodetide_core import errors
from nodetide_core.errors import (
    ConfigError,
    LineProtocolError,
    LossRefused,
    NodetideError,
    PolicyError,
    Problem,
    QueryError,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreRejected,
    StoreUnavailable,
    TemporaryError,
)


def test_every_error_is_a_nodetide_error():
    classes = [getattr(errors, name) for name in errors.__all__]
    raised = [cls for cls in classes if issubclass(cls, BaseException)]
    assert len(raised) == len(classes) - 1  # Problem is a part of one
    assert all(issubclass(cls, NodetideError) for cls in raised)


@pytest.mark.parametrize(
    ("error", "temporary"),
    [
        (StoreUnavailable, True),
        (TemporaryError, True),
        (StoreBusy, False),
        (StoreCorrupt, False),
        (StoreRejected, False),
        (LossRefused, False),
        (StoreError, False),
        (ConfigError, False),
        (PolicyError, False),
        (QueryError, False),
        (LineProtocolError, False),
    ],
)
def test_who_retries_is_decided_by_the_class(error: type[Exception], temporary: bool):
    assert issubclass(error, TemporaryError) is temporary


def test_messages_name_what_is_wrong():
    assert str(ConfigError("INFLUXDB_URL", "is empty")) == "INFLUXDB_URL: is empty"
    assert str(QueryError("step", "must be positive")) == "step: must be positive"
    assert str(Problem("spec.x", "is wrong")) == "spec.x: is wrong"
    assert str(Problem("", "is wrong")) == "is wrong"
    assert str(PolicyError([Problem("a", "x"), Problem("b", "y")])) == "a: x; b: y"
    assert str(PolicyError([Problem("a", "x")], "file")) == "file: a: x"
    assert str(LineProtocolError("expected x", 5, "line")) == "column 5: expected x"


def test_what_callers_act_on():
    assert StoreUnavailable("down").retry_after == 5.0
    assert StoreUnavailable("down", 1.5).retry_after == 1.5
    error = PolicyError(iter([Problem("a", "x")]), "file")  # type: ignore[arg-type]
    assert error.problems == (Problem("a", "x"),)
    assert error.problems == (Problem("a", "x"),)
    assert (ConfigError("N", "p").name, ConfigError("N", "p").problem) == ("N", "p")
    assert (QueryError("q", "p").parameter, QueryError("q", "p").problem) == ("q", "p")
    wrong = LineProtocolError("r", 5, "l")
    assert (wrong.reason, wrong.column, wrong.line) == ("r", 5, "l")
