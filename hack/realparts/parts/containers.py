"""What runs a node's containers, and connects them. Unpacked, not installed: no service of the system starts."""

from __future__ import annotations

from .companion import CompanionPart
from .debian import unpacked
from .system import SystemPart

CONTAINERD = unpacked("containerd", package="containerd", version="1.6.20", program="usr/bin/containerd")
CONTAINERD_SHIM = CompanionPart("containerd-shim-runc-v2", CONTAINERD, "usr/bin/containerd-shim-runc-v2")
CTR = CompanionPart("ctr", CONTAINERD, "usr/bin/ctr")
RUNC = unpacked("runc", package="runc", version="1.1.5", program="usr/sbin/runc")
CNI_PLUGINS = unpacked(
    "cni-plugins", package="containernetworking-plugins", version="1.1.1", program="usr/lib/cni/bridge"
)
#: Static: the whole of an image for tests.
BUSYBOX = unpacked("busybox", package="busybox-static", version="1.35.0", program="bin/busybox", epoch="1:")
IPTABLES = SystemPart("iptables", command="iptables", package="iptables")
IP = SystemPart("ip", command="ip", package="iproute2")
