"""Which buckets hold anything: the question, and its answer read."""

from __future__ import annotations

import pytest

from nodetide_core.errors import StoreRejected, StoreUnavailable
from nodetide_core.stores.influx.filled import filled_in, filled_text

BUCKETS = ["a", 'quo"ted', "${x}", "d"]
HEAD = b",result,table,_value\r\n"


def test_each_bucket_is_asked_for_by_its_place_and_quoted() -> None:
    first, second, third, fourth = filled_text(BUCKETS).splitlines()[-4:]
    assert first == 'one(of: "a") |> yield(name: "0")'
    assert second == 'one(of: "quo\\"ted") |> yield(name: "1")'
    assert third == 'one(of: "\\x24{x}") |> yield(name: "2")'
    assert fourth.endswith('"3")')


def test_those_with_a_row_hold_something_whatever_it_is_called() -> None:
    answer = b"\r\n".join([HEAD, HEAD + b",1,0,result\r\n", HEAD + b",3,0,error\r\n", HEAD])
    assert list(filled_in(answer, BUCKETS)) == ['quo"ted', "d"]
    assert list(filled_in(b"", BUCKETS)) == []


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (HEAD + b"\r\nerror,reference\r\nit went away,897\r\n", StoreRejected, "it went away"),
        (b"error,reference\r\nengine is closed,\r\n", StoreUnavailable, "closed"),
        (HEAD + b",9,0,cpu\r\n", StoreUnavailable, "broke off"),
        (HEAD + b",\r\n", StoreUnavailable, "broke off"),
    ],
)
def test_what_is_wrong_is_an_error(answer: bytes, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        list(filled_in(answer, BUCKETS))
