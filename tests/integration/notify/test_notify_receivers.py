"""Real requests to receivers on loopback that check the vendors' formats, and that are slow, hang, are down or
answer with errors."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from servers import ports
from servers.certs import Authority
from tests.fakes.alert_memory import ToldMemory
from tests.fakes.notify_rig import policy_with
from tests.fakes.receiving import Receiving, receiving

from nodetide_core.alerts.notify.dispatcher import Dispatcher
from nodetide_core.alerts.notify.message import Request
from nodetide_core.alerts.notify.model import ActiveAlert
from nodetide_core.alerts.notify.posting import AddressWrong, HttpPoster, Unanswered
from nodetide_core.alerts.notify.receiver import Times

MakeDispatcher = Callable[..., Dispatcher]
MakeAlert = Callable[..., ActiveAlert]

KEY = "0123456789abcdef0123456789abcdef"


def entry(kind: str, url: str, name: str | None = None) -> dict[str, object]:
    """Of ``spec.notify``."""
    secret = {"secretRef": {"name": "s", "key": name or kind}}
    return {"name": name or kind, "type": kind, **(secret if kind in ("slack", "pagerduty") else {})} | (
        {} if kind == "slack" else {"url": url}
    )


@pytest.mark.parametrize("kind", ["alertmanager", "http", "slack", "pagerduty"])
def test_begin_change_and_end_arrive_as_the_vendor_wants_them(
    make_dispatcher: MakeDispatcher, alert: MakeAlert, kind: str
) -> None:
    with receiving(kind) as receiver:
        secrets = {"slack": f"{receiver.url}/services/T/B/x?y=1", "pagerduty": KEY}
        dispatcher = make_dispatcher(ToldMemory(), secrets)
        policies = [policy_with(entry(kind, receiver.url))]
        odd = {"path": '/a "b" <!channel> ${x}\n한국어', "a.b/c": "1"}
        now = int(time.time())
        warning, critical = alert(severity="warning", start=now - 60, **odd), alert(start=now - 30, **odd)
        dispatcher.update(policies, {"p": [warning]})
        receiver.wait(lambda r: len(r.taken) == 1)
        dispatcher.update(policies, {"p": [warning, critical]})
        receiver.wait(lambda r: len(r.taken) >= 2)
        ended = [alert(severity=one.severity, start=one.starts_at, end=now, **odd) for one in (warning, critical)]
        dispatcher.update(policies, {"p": ended})
        receiver.wait(lambda r: len(r.taken) >= 3)
        assert receiver.wrong == []

        def is_settled(_: Receiving) -> bool:
            health = dispatcher.health()["p", kind]
            return (health.ok, health.waiting, health.failed) == (True, 0, 0)

        receiver.wait(is_settled)
        assert receiver.wrong == []


def test_one_that_hangs_is_slow_or_down_blocks_no_other(make_dispatcher: MakeDispatcher, alert: MakeAlert) -> None:
    bad = {"hanging": -1, "dropping": 0, "failing": 500, "limited": 429, "refusing": 400, "redirecting": 302}
    begun = int(time.time()) - 60
    firing = [alert(f"n{number}", start=begun) for number in range(20)]
    everyone = {one.id for one in firing}
    with ExitStack() as stack:
        others: dict[str, Receiving] = {name: stack.enter_context(receiving("http")) for name in (*bad, "slow", "good")}
        for name, status in bad.items():
            others[name].status = status
        others["slow"].delay = 4.0
        (closed,) = ports.free(1)
        entries = [entry("http", other.url, name) for name, other in others.items()]
        entries.append(entry("http", f"http://127.0.0.1:{closed}", "down"))
        policies = [policy_with(*entries)]
        dispatcher = make_dispatcher(ToldMemory(), poster=lambda: HttpPoster(timeout=8.0))
        for number in range(20):
            dispatcher.update(policies, {"p": firing[: number + 1]})
        others["good"].wait(lambda r: len(r.taken) == 20)
        assert len(others["slow"].taken) < 20
        for name in (*bad, "down"):
            others.get(name, others["good"]).wait(lambda r, name=name: not dispatcher.health()["p", name].ok)  # type: ignore[misc]
        health = dispatcher.health()
        for name in ("hanging", "dropping", "failing", "limited", "redirecting", "down"):
            assert (health["p", name].waiting, health["p", name].refused) == (20, 0), name
        # Back again: nothing is lost but what was refused, and that is counted.
        for name in bad:
            others[name].status = 200
            others[name].release.set()
        dispatcher.update([policy_with(*entries, suspend=True)], {})
        policies = [policy_with(*({**one, "match": {"policy": "p"}} for one in entries))]
        dispatcher.update(policies, {"p": firing})
        for name in ("hanging", "dropping", "failing", "limited", "refusing", "redirecting"):
            others[name].wait(lambda r: {document["id"] for document in r.taken} == everyone)
            assert others[name].wrong == []
            # One whose request hung may hear it twice, and can tell.
            assert len({headers["idempotency-key"] for _, headers in others[name].seen}) == 20


def test_a_redirect_is_not_followed(make_dispatcher: MakeDispatcher, alert: MakeAlert) -> None:
    with receiving("http") as other, receiving("http") as receiver:
        receiver.status, receiver.headers = 307, {"Location": f"{other.url}/stolen"}
        dispatcher = make_dispatcher(ToldMemory())
        dispatcher.update([policy_with(entry("http", receiver.url))], {"p": [alert()]})
        receiver.wait(lambda r: not dispatcher.health()["p", "http"].ok)
        assert other.seen == []
        assert "/stolen" not in dispatcher.health()["p", "http"].error


def test_what_was_told_outlives_a_restart(make_dispatcher: MakeDispatcher, alert: MakeAlert) -> None:
    memory = ToldMemory()
    begun = alert()
    with receiving("http") as receiver:
        policies = [policy_with(entry("http", receiver.url))]
        first = make_dispatcher(memory)
        first.update(policies, {"p": [begun]})
        receiver.wait(lambda r: len(r.taken) == 1)
        assert first.close(60)
        second = make_dispatcher(memory)
        second.update(policies, {"p": [begun, alert("b")]})
        receiver.wait(lambda r: len(r.taken) == 2)
        assert [document["id"] for document in receiver.taken] == ["a", "b"]


def test_closing_gives_up_what_hangs_and_no_thread_stays(make_dispatcher: MakeDispatcher, alert: MakeAlert) -> None:
    with receiving("http") as receiver:
        receiver.status = -1
        dispatcher = make_dispatcher(ToldMemory(), poster=lambda: HttpPoster(timeout=600.0))
        dispatcher.update([policy_with(entry("http", receiver.url, "hangs"))], {"p": [alert()]})
        receiver.wait(lambda r: len(r.seen) == 1)
        assert dispatcher.close(20)
        assert not [thread for thread in threading.enumerate() if thread.name == "notify-hangs"]
        dispatcher.update([policy_with(entry("http", receiver.url, "hangs"))], {"p": [alert()]})
        assert dispatcher.health() == {}


def test_what_is_answered_while_closing_is_kept(make_dispatcher: MakeDispatcher, alert: MakeAlert) -> None:
    memory = ToldMemory()
    with receiving("http") as receiver:
        receiver.delay = 0.5
        dispatcher = make_dispatcher(memory)
        dispatcher.update([policy_with(entry("http", receiver.url))], {"p": [alert()]})
        receiver.wait(lambda r: len(r.seen) == 1)
        assert dispatcher.close(120)
        assert len(receiver.taken) == len(memory.told["p"]) == 1


def test_receivers_come_and_go_with_their_policies(make_dispatcher: MakeDispatcher, alert: MakeAlert) -> None:
    memory, waited = ToldMemory(), [0.0]
    with receiving("http") as one, receiving("http") as other:
        dispatcher = make_dispatcher(memory, times=Times(monotonic=lambda: time.monotonic() + waited[0]))
        begun = alert()
        dispatcher.update([policy_with(entry("http", one.url, "x"))], {"p": [begun]})
        one.wait(lambda r: bool(memory.told.get("p")))
        dispatcher.update([], {})
        waited[0] = 900.0
        dispatcher.update([], {})
        assert dispatcher.health() == {}
        dispatcher.update([policy_with(entry("http", other.url, "x"))], {"p": [begun, alert("b")]})
        other.wait(lambda r: len(r.taken) == 1)
        assert other.taken[0]["id"] == "b", "what the receiver of that name was told holds"
        native = policy_with(entry("http", other.url, "y"), alertEngine="influxdb")
        dispatcher.update([native], {"p": [begun]})
        assert dispatcher.health().keys() == {("p", "x")}


class TestPoster:
    def test_tls_is_verified(self, tmp_path: Path) -> None:
        import ssl
        from http.server import BaseHTTPRequestHandler, HTTPServer

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None: ...

        class Server(HTTPServer):
            def handle_error(self, request: object, client_address: object) -> None: ...

        authority = Authority.create(tmp_path / "ca")
        pair = authority.issue("server", hosts=["127.0.0.1"])
        server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            request = Request(f"https://127.0.0.1:{server.server_address[1]}/x", b"{}", {})
            assert HttpPoster(ca_file=authority.certificate).post(request).status == 204
            with pytest.raises(Unanswered, match="not trusted"):
                HttpPoster().post(request)
        finally:
            server.shutdown()
            server.server_close()
            thread.join(60)

    @pytest.mark.parametrize(
        ("tail", "path"),
        [
            ("", "/"),
            ("/", "/"),
            ("/a/", "/a/"),
            ("/a?b=c&d=e#f", "/a?b=c&d=e"),
            ("/한?x=ü%20y", "/%ED%95%9C?x=%C3%BC%20y"),
        ],
    )
    def test_path_and_query_arrive(self, tail: str, path: str) -> None:
        with receiving("any") as receiver:
            assert HttpPoster().post(Request(receiver.url + tail, b"{}", {})).status == 200
            assert receiver.seen[0][0] == path

    @pytest.mark.parametrize(
        "url",
        [
            "http://user:s3cret@127.0.0.1/x",
            "ftp://s3cret.example/",
            "http:///s3cret",
            "http://h:99999/s3cret",
            "s3cret",
        ],
    )
    def test_an_address_that_cannot_be_used_is_not_said(self, url: str) -> None:
        with pytest.raises(AddressWrong) as caught:
            HttpPoster().post(Request(url, b"{}", {}))
        assert "s3cret" not in str(caught.value)

    def test_a_secret_that_is_no_header_is_not_said(self) -> None:
        with receiving("any") as receiver, pytest.raises(Unanswered) as caught:
            HttpPoster().post(Request(receiver.url, b"{}", {"Authorization": "Bearer s3cret\r\nX: y"}))
        assert "s3cret" not in str(caught.value)
        assert receiver.seen == []

    def test_a_dribbling_answer_is_given_up(self) -> None:
        import socket

        with socket.create_server(("127.0.0.1", 0)) as server:
            done = threading.Event()

            def dribble() -> None:
                held, _ = server.accept()
                with held:
                    while not done.wait(0.05):
                        try:
                            held.sendall(b"H")
                        except OSError:
                            return

            thread = threading.Thread(target=dribble, daemon=True)
            thread.start()
            with pytest.raises(Unanswered):
                HttpPoster(timeout=0.5).post(Request(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", {}))
            done.set()
            thread.join(60)
