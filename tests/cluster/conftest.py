"""A real node, shared by all tests in here: they run one after the other, whatever else runs beside them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from servers import PARTS_OF_A_NODE, RealNode, image_archives, program, real_node, recipes, scratch

TOOLS = "nodetide.local/busybox:1"
_COMMANDS = ("sh", "cat", "echo", "grep", "httpd", "id", "ls", "nc", "sleep", "wget")


@pytest.fixture(scope="session")
def needs_node(needs_parts: Callable[..., None]) -> None:
    """Skips where no node can run, and says how to get one; in CI it fails."""
    needs_parts(*PARTS_OF_A_NODE, "busybox")
    if os.geteuid() != 0:
        reason = "a node needs root, for namespaces and mounts: sudo make cluster-test"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory, needs_node: None) -> Iterator[RealNode]:
    """Ready, with an image of tools, and with a volume for each claim of the tests in here: none is given twice."""
    folder = tmp_path_factory.mktemp("node")
    with real_node(folder, volumes=12) as running:
        running.load(_tools(folder))
        yield running


@pytest.fixture(scope="session")
def images(needs_parts: Callable[..., None]) -> Mapping[str, Path]:
    """Archives of our images and of stand-ins for others', by the names that the chart has for them.

    Grafana's is not to be had.
    """
    needs_parts("buildah", "python-base", "influxd", "alertmanager")
    wanted = recipes.all_of_the_chart()
    return dict(zip((recipe.name for recipe in wanted), image_archives(wanted), strict=True))


@pytest.fixture(scope="session")
def stocked(node: RealNode, images: Mapping[str, Path]) -> RealNode:
    """The node with all of these images: what the chart needs."""
    node.load(*images.values())
    return node


def _tools(folder: Path) -> Path:
    return scratch.image(program("busybox"), TOOLS, folder / "tools.tar", links=_COMMANDS)
