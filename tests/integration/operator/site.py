"""One installation of Nodetide: a namespace, an organization, and an operator between them."""

from __future__ import annotations

import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from servers import ports
from tests import waiting
from tests.integration.operator.kube import Kube, Refused, kubeconfig, policy_path
from tests.integration.operator.org import Org
from tests.integration.operator.rights import ACCOUNT, Documents, for_namespace
from tests.integration.standalone.process import Nodetide

__all__ = ["PATIENCE", "Site", "eventually"]

#: Seconds for what should take a few, on a busy machine.
PATIENCE = 180.0
Look = Callable[[], Any]


def eventually(look: Look, complaint: Look = lambda: "", patience: float = PATIENCE) -> Any:
    """What ``look`` gives, once it is something; an assertion that fails in it is looked at again."""
    return waiting.eventually(look, complaint, patience=patience, not_yet=(OSError, AssertionError), every=0.02)


class Site:
    """
    Attributes:
        environment: what `nodetide operate` needs here.
        operators: started here, the last one last.
    """

    def __init__(self, kube: Kube, org: Org, namespace: str, folder: Path, rights: Documents | None = None) -> None:
        self.kube = kube
        self.org = org
        self.namespace = namespace
        self.folder = folder
        self.operators: list[Nodetide] = []
        #: Another namespace, with nothing of the operator's in it.
        self.other = f"{namespace}-other"
        self._rights = for_namespace(namespace) if rights is None else rights
        for name in (namespace, self.other):
            kube.make({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        for document in self._rights:
            kube.make(document)
        eventually(self._may_do_what_it_was_given)
        self.renew_account()
        (folder / "influxdb-token").write_text(org.token)
        (self.port,) = ports.free(1)
        self.environment = {
            "KUBECONFIG": str(folder / "kubeconfig"), "NODETIDE_NAMESPACE": namespace, "NODETIDE_RESYNC": "1h",
            "NODETIDE_OPERATOR_LISTEN": f"127.0.0.1:{self.port}", "INFLUXDB_URL": org.server.url,
            "INFLUXDB_ORG": org.name, "INFLUXDB_TOKEN_FILE": str(folder / "influxdb-token"),
        }  # fmt: skip

    def _may_do_what_it_was_given(self) -> bool:
        """The apiserver learns of a binding from a watch of its own, a moment later."""
        rules = {document["metadata"]["name"]: document["rules"] for document in self._rights if "rules" in document}
        for binding in self._rights:
            if "roleRef" not in binding:
                continue
            for rule in rules[binding["roleRef"]["name"]][:1]:
                resource, _, subresource = rule["resources"][0].partition("/")
                asked = {
                    "namespace": binding["metadata"].get("namespace", ""), "verb": rule["verbs"][0],
                    "group": rule["apiGroups"][0], "resource": resource, "subresource": subresource,
                    "name": rule.get("resourceNames", [""])[0],
                }  # fmt: skip
                review = {"user": f"system:serviceaccount:{self.namespace}:{ACCOUNT}", "resourceAttributes": asked}
                path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
                if not self.kube.call("POST", path, {"spec": review})["status"]["allowed"]:
                    return False
        return True

    def renew_account(self) -> None:
        """A token of the operator's ServiceAccount, and a kubeconfig with it."""
        self.account_token = self.kube.account_token(self.namespace, ACCOUNT)
        kubeconfig(self.folder / "kubeconfig", self.kube.plane, self.account_token)

    # The operator

    def start(self, **environment: str) -> Nodetide:
        folder = self.folder / f"operator-{len(self.operators)}"
        folder.mkdir()
        (folder / "log.txt").touch()
        self.operators.append(Nodetide(["operate"], folder, {**self.environment, **environment}))
        return self.operators[-1]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        return self.operators[-1].end(how)

    def log(self) -> str:
        return "\n".join(operator.text() for operator in self.operators)

    def probe(self, path: str) -> tuple[int, str]:
        """Status and text of an answer of the operator's own server; status 0 where there is none."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str, **labels: str) -> float:
        """Of `/metrics`; 0 where it is not told."""
        told = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
        wanted = f"{name}{{{told}}} " if told else f"{name} "
        _, text = self.probe("/metrics")
        return next((float(line[len(wanted) :]) for line in text.splitlines() if line.startswith(wanted)), 0.0)

    def turns(self) -> float:
        """Reconciling, well or not."""
        name = "nodetide_operator_turns_total"
        return sum(self.metric(name, loop="reconcile", result=result) for result in ("ok", "failed"))

    def quiet(self) -> None:
        """Wait until it has nothing to do: some seconds after its start it lists once more."""
        last, since = -1.0, time.monotonic()

        def still() -> bool:
            nonlocal last, since
            now = self.turns()
            if now != last:
                last, since = now, time.monotonic()
            return now > 0 and time.monotonic() - since > 3

        eventually(still, self.log)

    # Policies

    def apply(self, name: str, spec: Mapping[str, Any] | None = None, namespace: str = "", **annotations: str) -> Any:
        """Make it, or change it to this."""
        full = {f"nodetide.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
        where = namespace or self.namespace
        found = self.kube.find(policy_path(where, name))
        if found is None:
            return self.kube.make_policy(where, name, spec or {}, full)
        # As `kubectl replace` does; whoever wrote the status meanwhile makes it begin anew.
        wanted = {**found, "spec": dict(spec or {}), "metadata": {**found["metadata"], "annotations": full}}
        try:
            return self.kube.call("PUT", policy_path(where, name), wanted)
        except Refused as refused:
            if refused.status != 409:
                raise
            return self.apply(name, spec, namespace, **annotations)

    def delete(self, name: str, namespace: str = "") -> None:
        self.kube.call("DELETE", policy_path(namespace or self.namespace, name))

    def policy(self, name: str, namespace: str = "") -> Any:
        return self.kube.call("GET", policy_path(namespace or self.namespace, name))

    def condition(self, name: str, kind: str = "Ready", namespace: str = "") -> dict[str, Any]:
        """Of the spec as it is now; one without `status` where nothing is told of it yet."""
        policy = self.policy(name, namespace)
        for told in policy.get("status", {}).get("conditions", []):
            if told["type"] == kind and told["observedGeneration"] == policy["metadata"]["generation"]:
                found: dict[str, Any] = told
                return found
        return {"status": "", "reason": ""}

    def conditions(self, name: str) -> dict[str, str]:
        """Status and reason by type: ``True Valid``."""
        told = self.policy(name).get("status", {}).get("conditions", [])
        return {item["type"]: f"{item['status']} {item['reason']}" for item in told}

    def ready(self, *names: str, patience: float = PATIENCE) -> None:
        """Wait until they are."""
        for name in names:
            self.comes_to(name, "Ready", "True InEffect", patience)

    def comes_to(self, name: str, kind: str, wanted: str, patience: float = PATIENCE) -> dict[str, Any]:
        """Wait for a condition, as ``status reason``."""

        def look() -> dict[str, Any]:
            found = self.condition(name, kind)
            assert f"{found['status']} {found['reason']}" == wanted, found
            return found

        return eventually(look, self.log, patience)  # type: ignore[no-any-return]

    # The end

    def close(self) -> None:
        for operator in self.operators:
            operator.end(signal.SIGKILL)
        self.org.remove()
        for document in self._rights:
            if document["kind"].startswith("Cluster"):
                kind = document["kind"].lower() + "s"
                self.kube.call("DELETE", f"/apis/{document['apiVersion']}/{kind}/{document['metadata']['name']}")
        for namespace in (self.namespace, self.other):
            if self.kube.find(policy_path(namespace)) is not None:
                self.kube.call("DELETE", policy_path(namespace))


def spec(tiers: Mapping[str, str], *, bucket: str = "", delete: bool = False, **more: Any) -> dict[str, Any]:
    """Of a policy: ``spec({"raw": "24h", "5m": "7d"})``, where tiers are named by their windows."""
    listed: Sequence[dict[str, str]] = [
        {"name": name, "retention": retention, **({} if name == "raw" else {"window": name})}
        for name, retention in tiers.items()
    ]
    storage: dict[str, Any] = {"tiers": listed}
    if bucket:
        storage["bucket"] = bucket
    if delete:
        storage["deletionPolicy"] = "Delete"
    return {"storage": storage, **more}
