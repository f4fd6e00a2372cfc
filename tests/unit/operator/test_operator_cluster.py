"""What the operator says to the apiserver, and what it makes of answers, good and bad."""

from __future__ import annotations

import base64
import itertools
import logging
from typing import Any

import pytest
from tests.unit.operator.fake_apiserver import Asked, FakeApiserver

from nodetide_operator.apiserver import ClusterError, ClusterRefused, ClusterUnavailable
from nodetide_operator.cluster import Cluster
from nodetide_operator.statuses import Notice
from nodetide_operator.vault import SecretVault

NOW = "2026-01-01T00:00:00.000000Z"


@pytest.fixture
def cluster(apiserver: FakeApiserver) -> Cluster:
    return Cluster(apiserver.client(), "nodetide")


def refusal(status: int, message: str = "because") -> tuple[int, Any]:
    return status, {"kind": "Status", "code": status, "message": message}


@pytest.mark.parametrize(
    ("status", "refused"),
    [(400, True), (401, False), (403, True), (404, True), (409, True), (410, True), (422, True), (429, False),
     (500, False), (503, False), (302, False)],
)  # fmt: skip
def test_refusals_are_told_from_what_may_pass(
    apiserver: FakeApiserver, cluster: Cluster, status: int, refused: bool
) -> None:
    apiserver.answer = lambda _: refusal(status)
    with pytest.raises(ClusterError, match=f"GET /api/v1/nodes: {status} because") as caught:
        list(cluster.nodes())
    assert isinstance(caught.value, ClusterRefused if refused else ClusterUnavailable)
    assert getattr(caught.value, "status", status) == status


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (404, b"404 page not found\n", "404 Not Found"),
        (429, b"Too many requests, please try again later.\n", "429 Too Many Requests"),
        (200, b"<html>a proxy</html>", "what answers is not a Kubernetes apiserver"),
        (200, b"[]", "what answers is not a Kubernetes apiserver"),
        (200, b"\xff", "what answers is not a Kubernetes apiserver"),
    ],
)
def test_answers_that_are_no_json_are_told_as_what_they_are(
    apiserver: FakeApiserver, cluster: Cluster, status: int, body: bytes, message: str
) -> None:
    apiserver.answer = lambda _: (status, body)
    with pytest.raises(ClusterError, match=message):
        cluster.settings("x") if status != 404 else list(cluster.nodes())


def test_where_nobody_answers_it_is_unavailable(apiserver: FakeApiserver, cluster: Cluster) -> None:
    apiserver.stop()
    with pytest.raises(ClusterUnavailable, match=r"GET /api/v1/nodes: .*refused"):
        list(cluster.nodes())


def test_a_token_that_cannot_be_sent_is_not_shown(apiserver: FakeApiserver) -> None:
    client = apiserver.client()
    client.configuration.api_key["BearerToken"] = "Bearer top-secret\n"
    with pytest.raises(ClusterUnavailable, match="a token is one line") as caught:
        list(Cluster(client, "nodetide").nodes())
    assert "top-secret" not in str(caught.value)


def test_lists_are_followed_to_their_end(apiserver: FakeApiserver, cluster: Cluster) -> None:
    def answer(asked: Asked) -> tuple[int, Any]:
        first = "continue" not in asked.path
        more = {"continue": "a b/c"} if first else {}
        return 200, {"items": [{"first": first}], "metadata": more}

    apiserver.answer = answer
    assert list(cluster.nodes()) == [{"first": True}, {"first": False}]
    assert apiserver.asked[0].path == "/api/v1/nodes?limit=200"
    assert apiserver.asked[1].path == "/api/v1/nodes?limit=200&continue=a%20b/c"
    assert "PartialObjectMetadataList" in apiserver.asked[0].headers["accept"], "whole nodes are large"
    assert apiserver.asked[0].headers["authorization"] == "Bearer top-secret"


def test_one_namespace_without_rights_is_not_the_others_matter(apiserver: FakeApiserver, cluster: Cluster) -> None:
    def answer(asked: Asked) -> tuple[int, Any]:
        return refusal(403) if "/team/" in asked.path else (200, {"items": [{"of": asked.path.split("/")[5]}]})

    apiserver.answer = answer
    found = cluster.policies(["nodetide", "team", "other"])
    assert list(found.policies) == [{"of": "nodetide"}, {"of": "other"}]
    assert found.unlisted.keys() == {"team"}
    assert "403 because" in found.unlisted["team"]
    with pytest.raises(ClusterRefused):
        cluster.policies(["team"])


@pytest.mark.parametrize("status", [404, 500])
def test_that_a_list_fails_does_not_mean_that_there_is_nothing(
    apiserver: FakeApiserver, cluster: Cluster, status: int
) -> None:
    """A kind that is served in another version, or an apiserver that begins: nothing may be taken for gone."""
    apiserver.answer = lambda asked: refusal(status) if "/team/" in asked.path else (200, {"items": []})
    for namespaces in (["nodetide", "team"], ["team"]):
        with pytest.raises(ClusterError):
            cluster.policies(namespaces)
    apiserver.answer = lambda _: (404, b"404 page not found\n")
    with pytest.raises(ClusterError):
        cluster.policies([])


def test_a_status_takes_the_place_of_the_one_before(apiserver: FakeApiserver, cluster: Cluster, bodies: Any) -> None:
    policy = bodies.object("a", resourceVersion="7")
    object.__setattr__(policy, "status", {"lag": "5m", "buckets": [{"name": "x"}], "observedGeneration": 1})
    apiserver.answer = lambda _: (200, {"metadata": {"resourceVersion": "8"}})
    status = {"observedGeneration": 2, "conditions": []}
    assert cluster.patch_status(policy, status) == {"metadata": {"resourceVersion": "8"}}
    (asked,) = apiserver.asked
    assert (asked.method, asked.path) == (
        "PATCH", "/apis/nodetide.io/v1alpha1/namespaces/nodetide/metricpolicies/a/status"
    )  # fmt: skip
    assert asked.headers["content-type"] == "application/merge-patch+json"
    assert asked.body["status"] == {"lag": None, "buckets": None, "observedGeneration": 2, "conditions": []}
    assert asked.body["metadata"] == {"resourceVersion": "7"}, "that of another must not be written"


@pytest.mark.parametrize(("status", "other"), [(404, True), (409, True), (422, False), (403, False), (500, False)])
def test_a_policy_that_is_another_by_now_is_told_from_a_status_that_is_wrong(
    apiserver: FakeApiserver, cluster: Cluster, bodies: Any, status: int, other: bool
) -> None:
    apiserver.answer = lambda _: refusal(status)
    if other:
        assert cluster.patch_status(bodies.object("a"), {}) is None
    else:
        with pytest.raises(ClusterError):
            cluster.patch_status(bodies.object("a"), {})


def test_secrets_are_made_and_changed_and_never_shown(apiserver: FakeApiserver, cluster: Cluster) -> None:
    vault = SecretVault(cluster, "nodetide-token")
    apiserver.answer = lambda asked: refusal(404) if asked.method == "GET" else (201, {})
    assert vault.held("api") is None
    vault.keep("api", "s3cret")
    posted = apiserver.asked[-1]
    assert (posted.method, posted.path) == ("POST", "/api/v1/namespaces/nodetide/secrets")
    packed = base64.b64encode(b"s3cret").decode()
    assert posted.body["data"] == {"token": packed}
    apiserver.answer = lambda _: (200, {"data": {"token": packed}})
    assert vault.held("api") == "s3cret"
    vault.keep("api", "s3cret")
    assert apiserver.asked[-1].method == "PATCH"
    assert "type" not in apiserver.asked[-1].body, "that of one that is there cannot be changed"
    for said in ("s3cret", packed):
        apiserver.answer = lambda asked, said=said: (  # type: ignore[misc]
            (200, {}) if asked.method == "GET" else refusal(422, f"a webhook says that {said} is too short")
        )
        with pytest.raises(ClusterRefused, match=r"a webhook says that \*\*\* is too short"):
            vault.keep("api", "s3cret")


def test_a_configmap_loses_what_it_is_not_to_hold(apiserver: FakeApiserver, cluster: Cluster) -> None:
    cluster.put_settings("x", {"binaryData": {"settings.json.gz": "eA=="}}, exists=True)
    cluster.put_settings("x", {"data": {"settings.json": "{}"}}, exists=False)
    changed, made = apiserver.asked
    assert (changed.method, changed.path) == ("PATCH", "/api/v1/namespaces/nodetide/configmaps/x")
    assert (changed.body["data"], changed.body["binaryData"]) == (None, {"settings.json.gz": "eA=="})
    assert (made.method, made.path) == ("POST", "/api/v1/namespaces/nodetide/configmaps")
    assert made.body["data"] == {"settings.json": "{}"}


def test_what_is_there_keeps_the_labels_of_whoever_made_it(apiserver: FakeApiserver, cluster: Cluster) -> None:
    """Helm refuses to upgrade a release when somebody else has changed a label of it."""
    cluster.put_settings("x", {"data": {}}, exists=True)
    cluster.put_settings("x", {"data": {}}, exists=False)
    changed, made = apiserver.asked
    assert changed.body["metadata"] == {"name": "x"}
    assert made.body["metadata"]["labels"] == {"app.kubernetes.io/created-by": "nodetide-operator"}


def test_an_event_fits_whatever_it_says(apiserver: FakeApiserver, cluster: Cluster, bodies: Any) -> None:
    for name, message in itertools.product(["a", "a." * 120 + "a", f"{'a' * 199}-b"], ["fine", "é" * 2_000]):
        cluster.event(bodies.object(name), Notice(True, "Invalid", message), NOW)
        body = apiserver.asked[-1].body
        assert len(body["note"].encode()) <= 1024
        assert message.startswith(body["note"])
        assert body["metadata"]["generateName"][-2:-1].isalnum()
        assert (body["type"], body["regarding"]["name"]) == ("Warning", name)


def test_an_event_that_is_refused_does_no_harm(
    apiserver: FakeApiserver, cluster: Cluster, bodies: Any, caplog: pytest.LogCaptureFixture
) -> None:
    apiserver.answer = lambda _: refusal(403)
    with caplog.at_level(logging.WARNING):
        cluster.event(bodies.object("a"), Notice(False, "InEffect", "fine"), NOW)
    assert "event not written reason=InEffect" in caplog.text
