"""Enforces NetworkPolicies on the real node, whose network does not: by the kernel's filter, as others do."""

from __future__ import annotations

import re
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from servers import CallFailed, RealNode
from servers.network import Network
from servers.services import SERVICES
from tests.cluster.isolation import Isolation, Pod, isolations

PERIOD = 0.3  # seconds between two looks at pods and policies
_ENTRY, _JUDGE = "POLICIES", "POLICIES-JUDGE"
_HOOKS = ("FORWARD", "INPUT")  # to pods and beyond; to the node itself, where DNS is
_LIST = {
    "pods": "/api/v1/pods",
    "spaces": "/api/v1/namespaces",
    "policies": "/apis/networking.k8s.io/v1/networkpolicies",
}
_KINDS = ("passed", "refused")
_COUNTED = re.compile(r"^\[(\d+):\d+\] -A \S+ .*--comment \"?(passed|refused):(\S+?)\"? -j", re.M)
_TRY = """\
import errno, socket, sys
for target in sys.argv[1:]:
    host, _, port = target.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=30).close()
        print("connected")
    except OSError as error:
        print(errno.errorcode.get(error.errno, error))
"""
_ADDRESSES = "for at in /run/netns/*; do echo $at $(nsenter --net=$at ip -4 -o addr show dev eth0); done"


class Enforcer:
    """Follows pods and policies. What begins to talk and may not is refused: `EHOSTUNREACH`.

    A pod is known some moments after it has got its address; until then it may talk, and is refused where policies name
    who may come in. Talk from the node itself is let in, as everywhere.

    Args:
        folder: for what the kernel is told.
    """

    def __init__(self, node: RealNode, folder: Path) -> None:
        self._node = node
        self._file = folder / "rules"
        #: The last pod that had an address; its last packets may come when it is gone.
        self._pods: dict[str, Pod] = {}
        self._told = ""
        self._counted: Counter[tuple[str, str]] = Counter()
        self._guard = threading.Lock()
        self._end = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._follow, name="enforcer", daemon=True)

    def start(self) -> None:
        for chain in (_ENTRY, _JUDGE):
            self._iptables("-N", chain)
        for hook in _HOOKS:
            self._iptables("-I", hook, "1", "-j", _ENTRY)
        self._thread.start()

    def stop(self) -> None:
        self._end.set()
        self._thread.join(60)
        for hook in _HOOKS:
            self._iptables("-D", hook, "-j", _ENTRY)

    def knows(self, address: str) -> bool:
        """Whether a pod's address is enforced."""
        self._check()
        return address in self._pods and f" {address} " in self._told

    def counts(self) -> tuple[Counter[str], Counter[str]]:
        """Beginnings that each rule has let pass, by its name; and those of known pods that were refused."""
        self._check()
        with self._guard:
            total = self._counted + self._current()
        found = {kind: Counter({name: n for (which, name), n in total.items() if which == kind}) for kind in _KINDS}
        return found["passed"], found["refused"]

    def reaches(self, source: str, targets: Iterable[str]) -> list[bool]:
        """Whether the pod with an address can connect to each `HOST:PORT`. What else goes wrong fails."""
        run = self._node.machine.run
        lines = run("sh", "-c", _ADDRESSES).splitlines()
        (where,) = (line.split()[0] for line in lines if f" {source}/" in line)
        said = run("nsenter", f"--net={where}", sys.executable, "-c", _TRY, *targets).split()
        assert set(said) <= {"connected", "EHOSTUNREACH"}, said
        return [word == "connected" for word in said]

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _follow(self) -> None:
        while not self._end.wait(PERIOD):
            try:
                self._look()
            except CallFailed:  # the apiserver is slow today
                continue
            except Exception as error:  # whoever asks is told
                self._failure = error
                return

    def _look(self) -> None:
        found = {what: self._node.plane.call("GET", path)["items"] for what, path in _LIST.items()}
        self._pods.update((pod.address, pod) for pod in _pods(found["pods"]))
        labels = {space["metadata"]["name"]: space["metadata"].get("labels", {}) for space in found["spaces"]}
        rules = filter_table(
            isolations(found["policies"], self._pods.values(), labels), self._pods, self._node.machine.network
        )
        if rules == self._told:
            return
        self._file.write_text(rules)
        with self._guard:
            self._counted += self._current()  # which begin anew with the rules
            self._node.machine.run("iptables-restore", "--noflush", "--wait", stdin=self._file)
        self._told = rules

    def _current(self) -> Counter[tuple[str, str]]:
        found: Counter[tuple[str, str]] = Counter()
        for packets, kind, name in _COUNTED.findall(self._node.machine.run("iptables-save", "-c", "-t", "filter")):
            found[kind, name] += int(packets)
        return found

    def _iptables(self, *arguments: str) -> None:
        self._node.machine.run("iptables", "--wait", *arguments)


def filter_table(found: Iterable[Isolation], pods: Mapping[str, Pod], network: Network) -> str:
    """What `iptables-restore` takes. Beginnings only are judged: of TCP its first packet.

    Args:
        pods: by address. What is refused to or from others that are pods' is not counted: they are not known yet.
    """
    reject = "-j REJECT --reject-with icmp-admin-prohibited"
    chains = [_ENTRY, _JUDGE]
    lines = [
        f"-A {_ENTRY} -d {SERVICES} -j RETURN",  # a Service without pods, which nobody will answer
        f"-A {_ENTRY} -p tcp --syn -j {_JUDGE}",
        f"-A {_ENTRY} -p udp -m conntrack --ctdir ORIGINAL -j {_JUDGE}",
    ]
    for isolation in found:
        address, part = isolation.pod.address, isolation.pod.part
        here, there, chain = ("-s", "-d", "OUT") if isolation.direction == "egress" else ("-d", "-s", "IN")
        chain = f"{chain}-{address}"
        chains.append(chain)
        lines.append(f"-A {_JUDGE} {here} {address} -j {chain}")
        for opening in isolation.openings:
            peers = [""] if opening.peers is None else [f"{there} {peer}" for peer in sorted(opening.peers)]
            ports = [""]
            if opening.ports is not None:
                ports = [f"-p {protocol.lower()} --dport {port}" for protocol, port in sorted(opening.ports)]
            mark = f'-m comment --comment "passed:{opening.rule}"'
            lines += [f"-A {chain} {peer} {port} {mark} -j RETURN" for peer in peers for port in ports]
        known = [(pod.address, pod.part) for pod in pods.values()]
        for peer, name in (*known, (network.bridge, "node"), (str(network.pods), ""), ("0.0.0.0/0", "elsewhere")):
            ends = (part, name) if isolation.direction == "egress" else (name, part)
            mark = f'-m comment --comment "refused:{"->".join(ends)}"' if name else ""
            lines.append(f"-A {chain} {there} {peer} {mark} {reject}")
    declared = [f":{chain} - [0:0]" for chain in chains]
    return "\n".join(["*filter", *declared, *lines, "COMMIT", ""])


def _pods(found: Iterable[Mapping[str, Any]]) -> Iterator[Pod]:
    """Those with an address of their own; whoever has it now is the last with it."""
    ended = ("Succeeded", "Failed")
    for pod in sorted(found, key=lambda pod: pod["status"].get("phase") not in ended):
        about, address = pod["metadata"], pod["status"].get("podIP")
        if address and not pod["spec"].get("hostNetwork"):
            yield Pod(about["name"], about["namespace"], address, about.get("labels", {}))


@contextmanager
def enforced(node: RealNode, folder: Path) -> Iterator[Enforcer]:
    """While in the block, the policies of all namespaces are."""
    enforcer = Enforcer(node, folder)
    enforcer.start()
    try:
        yield enforcer
    finally:
        enforcer.stop()
