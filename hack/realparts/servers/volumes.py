"""Volumes of a node's own disk, made beforehand: nothing makes them upon a claim."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_CLASS = "disk"
_SIZE = "20Gi"


def directories(count: int) -> list[Path]:
    return [Path(f"/var/lib/volumes/{number}") for number in range(count)]


def objects(count: int) -> list[dict[str, Any]]:
    """The default class of storage, and its volumes. One whose claim is gone keeps its data and is not given again."""
    name = {"name": _CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
    storage = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": name}
    return [
        {**storage, "provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer"},
        *(_volume(directory) for directory in directories(count)),
    ]


def _volume(directory: Path) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{_CLASS}-{directory.name}"},
        "spec": {
            "storageClassName": _CLASS,
            "capacity": {"storage": _SIZE},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": str(directory), "type": "Directory"},
        },
    }
