"""What probes and Prometheus get."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

import pytest

from nodetide_core.errors import ListenError
from nodetide_operator.metrics import Metrics
from nodetide_operator.outcomes import Downsampling
from nodetide_operator.serving import Server


class Served:
    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.metrics = Metrics()
        self.server = Server(("127.0.0.1", 0), {"/liveness": lambda: self.wrong}, self.metrics.text)
        self.server.start()

    def get(self, path: str) -> tuple[int, str, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type") or "", answer.read().decode()
        finally:
            connection.close()


@pytest.fixture
def served() -> Iterator[Served]:
    it = Served()
    yield it
    it.server.stop()


def test_a_check_is_well_or_says_what_is_wrong(served: Served) -> None:
    assert served.get("/liveness") == (200, "text/plain", "ok\n")
    served.wrong = ["one", "two"]
    assert served.get("/liveness?verbose") == (503, "text/plain", "one\ntwo\n")


def test_another_path_says_which_there_are(served: Served) -> None:
    status, _, body = served.get("/")
    assert (status, body) == (404, "nothing is here; there are: /metrics /liveness\n")


def test_metrics_are_what_the_loops_have_told(served: Served) -> None:
    served.metrics.turned("reconcile", "ok", 0.2)
    served.metrics.turned("reconcile", "failed", 0.2)
    served.metrics.world({("n", "a"): True, ("n", "b"): False}, 7, missed=True)
    served.metrics.watching(True)
    served.metrics.idle("rollup", 3.0)
    served.metrics.rolled(5, {"x": Downsampling({"5m": 2}), "gone": Downsampling({"5m": 1})})
    served.metrics.rolled(1, {"x": Downsampling({"5m": 3})})
    status, kind, body = served.get("/metrics")
    assert (status, kind.split(";")[0]) == (200, "text/plain")
    for line in (
        'nodetide_operator_turns_total{loop="reconcile",result="failed"} 1.0',
        'nodetide_operator_turn_seconds_count{loop="reconcile"} 2.0',
        'nodetide_operator_policies{ready="true"} 1.0',
        'nodetide_operator_policies{ready="false"} 1.0',
        "nodetide_operator_nodes 7.0",
        "nodetide_operator_watch_missed_total 1.0",
        "nodetide_operator_watching 1.0",
        'nodetide_operator_loop_idle_seconds{loop="rollup"} 3.0',
        "nodetide_operator_rollup_windows_total 6.0",
        'nodetide_operator_rollup_behind_windows{bucket="x",tier="5m"} 3.0',
    ):
        assert line in body.splitlines()
    assert 'bucket="gone"' not in body


def test_an_address_that_is_taken_is_named(served: Served) -> None:
    with pytest.raises(ListenError, match=f"cannot listen on 127.0.0.1:{served.server.port}: Address already in use"):
        Server(("127.0.0.1", served.server.port), {}, bytes)
