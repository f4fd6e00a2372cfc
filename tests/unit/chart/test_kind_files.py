"""kind-config.yaml, hack/kind.sh and the workflow agree with the chart; kind itself needs Docker."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import realparts

ROOT = Path(__file__).resolve().parents[3]
CONFIG = yaml.safe_load((ROOT / "kind-config.yaml").read_text())
VALUES = yaml.safe_load((ROOT / "charts/nodetide/ci/ephemeral-values.yaml").read_text())
SCRIPT = (ROOT / "hack/kind.sh").read_text()


def test_the_cluster_has_a_control_plane_and_two_workers():
    assert (CONFIG["kind"], CONFIG["apiVersion"]) == ("Cluster", "kind.x-k8s.io/v1alpha4")
    assert [node["role"] for node in CONFIG["nodes"]] == ["control-plane", "worker", "worker"]


def test_its_ports_are_the_node_ports_of_the_values_and_on_loopback():
    (mappings,) = (node["extraPortMappings"] for node in CONFIG["nodes"] if "extraPortMappings" in node)
    assert {mapping["containerPort"]: mapping["hostPort"] for mapping in mappings} == {
        VALUES["api"]["service"]["nodePort"]: 8000,
        VALUES["grafana"]["service"]["nodePort"]: 3000,
    }
    assert {mapping["listenAddress"] for mapping in mappings} == {"127.0.0.1"}


def test_the_script_loads_the_images_that_the_chart_runs():
    parts = re.search(r"for part in (.*); do kind load docker-image", SCRIPT)[1].split()
    values = yaml.safe_load((ROOT / "charts/nodetide/values.yaml").read_text())
    assert {f"nodetide-{part}" for part in parts} == {
        values[part]["image"]["repository"] for part in ("collector", "operator", "api")
    }
    built = re.search(r"for part in (.*); do docker build", (ROOT / "Makefile").read_text())[1].split()
    assert built == parts
    version = subprocess.run(
        ["sh", "-c", re.search(r"^version=\$\((.*)\)$", SCRIPT, re.M)[1]],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    assert version == yaml.safe_load((ROOT / "charts/nodetide/Chart.yaml").read_text())["appVersion"]


def test_the_script_names_the_cluster_as_its_configuration_does():
    assert set(re.findall(r"--(?:name|kube-context|context) (\S+)", SCRIPT)) == {
        CONFIG["name"],
        f"kind-{CONFIG['name']}",
    }
    subprocess.run(["sh", "-n", str(ROOT / "hack/kind.sh")], check=True)
    usage = subprocess.run(["sh", str(ROOT / "hack/kind.sh")], capture_output=True, text=True, check=False)
    assert usage.returncode == 2
    assert usage.stderr.count("hack/kind.sh") == 3


def test_the_workflow_runs_targets_that_are_there():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    runs = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    named = [run.split()[1] for run in runs if run.startswith("make ")]
    assert {"check", "kind-up", "kind-test", "kind-down"} <= set(named)
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    assert set(named) <= set(targets)


#: Plays Docker as far as kind asks it before a node would have to run.
DOCKER = """#!/bin/sh
echo "$*" >> "$CALLS"
case "$1" in
  info) echo '{"SecurityOptions":[],"CgroupDriver":"systemd","CgroupVersion":"2"}' ;;
  # kind gives up when the first of its nodes does not come up: not before it has begun all.
  run)
    for try in $(seq 300); do
      [ "$(grep -c '^run --name' "$CALLS")" -lt 3 ] || break
      sleep 0.1
    done ;;
  exec) exit 1 ;;
esac
"""


@pytest.mark.peer
def test_kind_itself_takes_the_configuration(needs_parts: Callable[..., None], tmp_path: Path):
    needs_parts("kind")

    def create(config: str) -> tuple[str, str]:
        """(what it says, what it has asked of Docker)"""
        (tmp_path / "config.yaml").write_text(config)
        (tmp_path / "calls").write_text("")
        (tmp_path / "docker").write_text(DOCKER)
        (tmp_path / "docker").chmod(0o755)
        env = {
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "CALLS": str(tmp_path / "calls"),
            "KIND_EXPERIMENTAL_PROVIDER": "docker",
        }
        argv = [str(realparts.path("kind")), "create", "cluster", f"--config={tmp_path / 'config.yaml'}"]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=90)
        return done.stderr, (tmp_path / "calls").read_text()

    text = (ROOT / "kind-config.yaml").read_text()
    _, calls = create(text)
    started = {
        re.search(r"--name (\S+)", call)[1]: call for call in calls.splitlines() if call.startswith("run --name")
    }
    assert set(started) == {"nodetide-control-plane", "nodetide-worker", "nodetide-worker2"}
    for published in ("--publish=127.0.0.1:8000:30080/TCP", "--publish=127.0.0.1:3000:30030/TCP"):
        assert published in started["nodetide-control-plane"]
    said, calls = create(text.replace("hostPort", "hostPrt"))
    assert "field hostPrt not found" in said
    assert "run --name" not in calls
