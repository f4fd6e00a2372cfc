"""What a node's programs are configured with. Paths are the machine's own, see `Machine`."""

from __future__ import annotations

import json
from typing import Any

from .network import Network
from .services import DNS

HOME = "/var/lib/nodetide"
"""Where on the machine these files and the programs are."""
SOCKET = "/run/containerd/containerd.sock"
PAUSE = "nodetide.local/pause:1"
DOMAIN = "cluster.local"
KUBELET_HEALTH, PROXY_HEALTH, DNS_HEALTH = 10248, 10256, 8181

_CONTAINERD = f"""\
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
# The first makes a folder in /opt, the others need what is not there and say so at length.
disabled_plugins = [
  "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
]
[grpc]
address = "{SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE}"
# A machine without CAP_SYS_RESOURCE may not lower it; runc fails with "can't get final child's PID".
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{HOME}/bin"
conf_dir = "{HOME}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
BinaryName = "{HOME}/bin/runc"
"""
_COREFILE = """\
{domain}:53 in-addr.arpa:53 {{
  bind {address}
  errors
  ready {address}:{health}
  kubernetes {domain} in-addr.arpa {{
    kubeconfig {home}/dns.kubeconfig
    ttl 5
  }}
}}
# There is no way out, so nothing else has a name; it costs no time to learn that.
.:53 {{
  bind {address}
  template ANY ANY . {{
    rcode NXDOMAIN
  }}
}}
"""


def files(network: Network, name: str, cgroup: str) -> dict[str, str]:
    """Texts by their paths below HOME.

    Args:
        name: the node's.
        cgroup: the control group that its pods are in.
    """
    texts = {
        "kubelet.yaml": _kubelet(network, cgroup),
        "proxy.yaml": _proxy(network, name),
        "cni/10-pods.conflist": _pod_network(network),
    }
    return {
        **{path: json.dumps(text, indent=2) for path, text in texts.items()},  # which is YAML
        "containerd.toml": _CONTAINERD,
        "Corefile": _COREFILE.format(address=network.bridge, health=DNS_HEALTH, domain=DOMAIN, home=HOME),
    }


def _kubelet(network: Network, cgroup: str) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": network.there,
        "healthzBindAddress": network.there,
        "healthzPort": KUBELET_HEALTH,
        "tlsCertFile": f"{HOME}/kubelet.crt",
        "tlsPrivateKeyFile": f"{HOME}/kubelet.key",
        "authentication": {"x509": {"clientCAFile": f"{HOME}/ca.crt"}, "anonymous": {"enabled": False}},
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup}",
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        # The disk is that of a machine which is used for something else.
        "evictionHard": {
            "memory.available": "50Mi",
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
            "imagefs.available": "0%",
            "imagefs.inodesFree": "0%",
        },
        "imageGCHighThresholdPercent": 100,
        "clusterDNS": [DNS],
        "clusterDomain": DOMAIN,
        "resolvConf": "",
        "nodeLeaseDurationSeconds": 4,  # it is heard of every second, so that one that is back is noticed
        "volumePluginDir": "/var/lib/kubelet/volumeplugins",
    }


def _proxy(network: Network, name: str) -> dict[str, Any]:
    unlimited = {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": f"{HOME}/proxy.kubeconfig"},
        "hostnameOverride": name,
        "mode": "iptables",
        "bindAddress": network.there,
        "healthzBindAddress": f"{network.there}:{PROXY_HEALTH}",
        "metricsBindAddress": "127.0.0.1:10249",
        "clusterCIDR": str(network.pods),
        "conntrack": unlimited,  # what there is now is the kernel's to say
        "oomScoreAdj": 0,
    }


def _pod_network(network: Network) -> dict[str, Any]:
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": "/run/cni",
            "ranges": [[{"subnet": str(network.pods)}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge, ports]}


def dns_objects(network: Network) -> list[dict[str, Any]]:
    """The Service by which pods ask for names, whose answers no pod gives."""
    name = {"name": "kube-dns", "namespace": "kube-system"}
    ports = [{"name": f"dns-{protocol.lower()}", "port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    service = {"clusterIP": DNS, "ports": [{**port, "targetPort": 53} for port in ports]}
    slice_of = {"kubernetes.io/service-name": "kube-dns", "endpointslice.kubernetes.io/managed-by": "nodetide"}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": name, "spec": service},
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**name, "labels": slice_of},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [network.bridge], "conditions": {"ready": True}}],
            "ports": ports,
        },
    ]
