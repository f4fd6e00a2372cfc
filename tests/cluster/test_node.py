"""The real node is one: pods run on it as people's nodes run them. What else is in here builds upon that."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from servers import KubectlFailed, RealNode, program
from tests import waiting
from tests.cluster.conftest import TOOLS

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(900)]

NAME = "look"
PORT = 8080
#: It can do nothing but look.
RESTRICTED = {
    "runAsUser": 65534,
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
DAEMON_SET = {
    "apiVersion": "apps/v1",
    "kind": "DaemonSet",
    "metadata": {"name": NAME},
    "spec": {
        "selector": {"matchLabels": {"app": NAME}},
        "template": {
            "metadata": {"labels": {"app": NAME}},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "containers": [
                    {
                        "name": NAME,
                        "image": TOOLS,
                        "imagePullPolicy": "Never",
                        "command": ["sh", "-c", f"echo here I am; exec httpd -f -p {PORT} -h /etc"],
                        "securityContext": RESTRICTED,
                        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
                        "volumeMounts": [
                            {"name": "proc", "mountPath": "/host/proc", "readOnly": True},
                            {
                                "name": "root",
                                "mountPath": "/host/root",
                                "readOnly": True,
                                "mountPropagation": "HostToContainer",
                            },
                        ],
                    }
                ],
                "volumes": [
                    {"name": "proc", "hostPath": {"path": "/proc"}},
                    {"name": "root", "hostPath": {"path": "/"}},
                ],
            },
        },
    },
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": NAME},
    "spec": {"selector": {"app": NAME}, "ports": [{"port": 80, "targetPort": PORT}]},
}


def eventually(look: Callable[[], Any]) -> Any:
    """What `look` says, once it is true; a refusal means not yet."""
    return waiting.eventually(look, patience=300, not_yet=(OSError, KubectlFailed))


@pytest.fixture(scope="module")
def looking(node: RealNode) -> Iterator[RealNode]:
    """A pod that looks at the host, behind a Service."""
    for made in (DAEMON_SET, SERVICE):
        node.create(made)
    node.plane.kubectl("rollout", "status", f"daemonset/{NAME}", "--timeout=300s")
    yield node
    node.plane.kubectl("delete", f"daemonset/{NAME}", f"service/{NAME}")


def pod(node: RealNode) -> dict[str, Any]:
    found: dict[str, Any] = node.plane.call("GET", f"/api/v1/namespaces/default/pods?labelSelector=app={NAME}")
    (only,) = found["items"]
    return dict(only)


def inside(node: RealNode, *argv: str) -> str:
    return node.plane.kubectl("exec", pod(node)["metadata"]["name"], "--", *argv)


def served(node: RealNode) -> str:
    """What the pod's own web server says, asked for by the Service's name."""
    return inside(node, "wget", "-q", "-O", "-", f"http://{NAME}/hostname").strip()


def interfaces(table: str) -> set[str]:
    return set(re.findall(r"^ *(\S+):", table, re.M))


def test_the_node_is_ready(node: RealNode) -> None:
    (found,) = node.plane.call("GET", "/api/v1/nodes")["items"]
    assert found["metadata"]["name"] == node.name
    assert {c["type"]: c["status"] for c in found["status"]["conditions"]} == {
        "Ready": "True",
        "MemoryPressure": "False",
        "DiskPressure": "False",
        "PIDPressure": "False",
    }


def test_a_pod_without_rights_sees_the_host_and_not_its_container(looking: RealNode) -> None:
    assert inside(looking, "id", "-u").strip() == "65534"
    status = inside(looking, "cat", "/proc/self/status")
    assert re.search(r"^CapBnd:\s0+$", status, re.M)
    hosts = looking.machine.run("cat", "/proc/1/net/dev")
    assert {"lo", "eth0", "cni0"} < interfaces(hosts) == interfaces(inside(looking, "cat", "/host/proc/1/net/dev"))
    assert interfaces(inside(looking, "cat", "/proc/net/dev")) == {"lo", "eth0"}
    mounts = "/proc/1/mounts"
    eventually(lambda: inside(looking, "cat", f"/host{mounts}") == looking.machine.run("cat", mounts))


def test_what_the_host_mounts_later_is_seen(looking: RealNode) -> None:
    looking.machine.run("mkdir", "-p", "/run/later")
    looking.machine.run("mount", "-t", "tmpfs", "later", "/run/later")
    looking.machine.run("touch", "/run/later/file")
    assert inside(looking, "ls", "/host/root/run/later").strip() == "file"
    looking.machine.run("umount", "/run/later")


def test_logs(looking: RealNode) -> None:
    assert looking.plane.kubectl("logs", f"daemonset/{NAME}").strip() == "here I am"


def test_services_by_name(looking: RealNode) -> None:
    assert eventually(lambda: served(looking)) == pod(looking)["metadata"]["name"]
    fully = f"http://{NAME}.default.svc.cluster.local/hostname"
    assert inside(looking, "wget", "-q", "-O", "-", fully).strip() == pod(looking)["metadata"]["name"]


def test_the_apiserver_is_reached_by_its_service(looking: RealNode) -> None:
    # It speaks TLS only, which these tools don't: a plain request is told so.
    with pytest.raises(KubectlFailed, match="400 Bad Request"):
        inside(looking, "wget", "-q", "-O", "-", "http://kubernetes:443/")


def test_there_is_no_way_out(looking: RealNode) -> None:
    with pytest.raises(KubectlFailed, match="bad address"):
        inside(looking, "wget", "-q", "-O", "-", "http://deb.debian.org/")
    with pytest.raises(KubectlFailed, match="unreachable"):
        inside(looking, "wget", "-q", "-O", "-", "http://192.0.2.1/")


@contextmanager
def forwarded(node: RealNode) -> Iterator[str]:
    """An address on loopback behind which the Service is."""
    argv = [program("kubectl"), f"--kubeconfig={node.plane.kubeconfig}", "port-forward", f"service/{NAME}", ":80"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"127\.0\.0\.1:\d+", process.stdout.readline())
            assert found
            yield f"http://{found[0]}"
        finally:
            process.terminate()


def test_port_forward(looking: RealNode) -> None:
    with forwarded(looking) as url, urllib.request.urlopen(f"{url}/hostname", timeout=30) as answer:
        assert answer.read().decode().strip() == pod(looking)["metadata"]["name"]


@pytest.mark.parametrize("name", ["kubelet", "containerd"])
def test_a_killed_program_comes_back_and_pods_ran_on(looking: RealNode, name: str) -> None:
    before = pod(looking)["status"]["containerStatuses"][0]["containerID"]
    server = getattr(looking, name)
    pid = server.pid
    server.kill()
    server.start()
    assert server.pid != pid
    assert eventually(lambda: served(looking))
    assert pod(looking)["status"]["containerStatuses"][0]["containerID"] == before


def test_after_a_reboot_pods_start_again(looking: RealNode) -> None:
    before = pod(looking)["status"]["containerStatuses"][0]["containerID"]
    looking.reboot()

    def back() -> bool:
        (container,) = pod(looking)["status"]["containerStatuses"]
        return container["ready"] and container["containerID"] != before

    eventually(back)
    assert eventually(lambda: served(looking)) == pod(looking)["metadata"]["name"]


def test_a_claim_gets_a_volume_that_anyone_may_write_to(node: RealNode) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    node.create({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": claim})
    spec = {
        "restartPolicy": "Never",
        "containers": [
            {
                "name": "write",
                "image": TOOLS,
                "imagePullPolicy": "Never",
                "command": ["sh", "-c", "echo kept > /data/file"],
                "securityContext": RESTRICTED,
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            }
        ],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    }
    node.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "write"}, "spec": spec})
    try:
        node.plane.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/write", "--timeout=300s")
        bound = json.loads(node.plane.kubectl("get", "pvc", "data", "--output=json"))["spec"]["volumeName"]
        volume = json.loads(node.plane.kubectl("get", "pv", bound, "--output=json"))["spec"]["hostPath"]["path"]
        assert node.machine.run("cat", f"{volume}/file") == "kept\n"
    finally:
        node.plane.kubectl("delete", "pod/write", "pvc/data")


def test_this_machine_keeps_its_own_settings(node: RealNode) -> None:
    """A kubelet sets what is the whole kernel's; this one believes it did."""
    mounts = node.machine.run("cat", "/proc/1/mounts")
    for knob, wanted in (("vm/overcommit_memory", "1"), ("kernel/panic", "10"), ("kernel/panic_on_oops", "1")):
        assert node.machine.run("cat", f"/proc/sys/{knob}").strip() == wanted
        assert f"tmpfs /proc/sys/{knob} " in mounts


def test_nothing_listens_but_on_loopback_and_the_cable(node: RealNode) -> None:
    pids = {str(server.pid) for server in node.plane.servers}
    seen = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and owners(fields[9]) & pids:
                seen.add(fields[1].rpartition(":")[0])
    assert seen == {in_table("127.0.0.1"), in_table(node.machine.network.here)}


def in_table(address: str) -> str:
    return "".join(f"{int(part):02X}" for part in reversed(address.split(".")))


def owners(inode: str) -> set[str]:
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            links = [str(link.readlink()) for link in (process / "fd").iterdir()]
        except OSError:  # it ended meanwhile
            continue
        if f"socket:[{inode}]" in links:
            found.add(process.name)
    return found
