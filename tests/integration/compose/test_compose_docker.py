"""docker-compose.yml as people use it: Docker Compose starts it on a Docker engine, from the images that the
Dockerfiles give. What stands in: Debian's Python for the base image, the real influxd in an image of ours for
InfluxDB's. Grafana's image is not to be had, so that service is not started."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from servers import (
    DockerEngine,
    DockerFailed,
    ImageBuilder,
    StartFailed,
    docker_engine,
    image_builder,
    program,
    recipes,
)
from servers.docker import HOST_NAME, INTERFACE
from tests.integration.compose.resolved import ROOT, compose
from tests.integration.compose.stack import wait_until

pytestmark = [
    pytest.mark.peer,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces, mounts and images need root"),
]

STARTED = ("keys", "influxdb", "upkeep", "collector", "api")
RUNNING = STARTED[1:]
BASE = re.search(r"^ARG PYTHON=(\S+)$", (ROOT / "api/Dockerfile").read_text(), re.M)[1]


@pytest.fixture(scope="module")
def images(needs_parts: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageBuilder]:
    """The project's images, from its Dockerfiles, and one for InfluxDB."""
    needs_parts("buildah", "python-base", "influxd", "docker-compose")
    folder = tmp_path_factory.mktemp("images")
    with image_builder(folder) as builder:
        builder.base(BASE)
        services = json.loads(compose("config", "--format", "json"))["services"]
        for service in ("collector", "api"):
            build = services[service]["build"]
            context = Path(build["context"])
            builder.build(context, context / build["dockerfile"], services[service]["image"])
        stand_in = folder / "influxdb"
        shutil.copytree(recipes.influxdb("").context, stand_in)
        shutil.copy(program("influxd"), stand_in)
        builder.build(stand_in, stand_in / "Dockerfile", services["influxdb"]["image"], PYTHON=BASE)
        yield builder


@contextmanager
def running_engine(folder: Path) -> Iterator[DockerEngine]:
    """Not every machine lets a Docker engine run, a container least of all."""
    with ExitStack() as stack:
        try:
            running = stack.enter_context(docker_engine(folder))
        except StartFailed as error:
            pytest.skip(f"no Docker engine can run here: {error}")
        yield running


@pytest.fixture(scope="module")
def engine(
    images: ImageBuilder, needs_parts: Callable[..., None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DockerEngine]:
    needs_parts("dockerd")
    folder = tmp_path_factory.mktemp("docker")
    try:
        with running_engine(folder) as running:
            for name in (*image_names().values(), BASE):
                archive = images.save(name, folder / "image.tar")
                running.docker("load", "--quiet", "--input", archive)
                archive.unlink()
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # images are large


@pytest.fixture(scope="module")
def up(engine: DockerEngine) -> Iterator[DockerEngine]:
    """All that can be started here, healthy."""
    start(engine)
    for service in RUNNING:
        wait_until(lambda service=service: health(engine, service) == "healthy", f"{service} does not get healthy", 300)
    yield engine
    compose("down", "--volumes", env=engine.env)


def start(engine: DockerEngine) -> None:
    # Not the command's own --wait: it counts a service that has done its work as a failure.
    compose("up", "--detach", "--no-build", *STARTED, env=engine.env)


def image_names() -> dict[str, str]:
    services = json.loads(compose("config", "--format", "json"))["services"]
    return {service: services[service]["image"] for service in ("collector", "api", "influxdb")}


def container(service: str) -> str:
    return f"nodetide-{service}-1"


def inspect(engine: DockerEngine, service: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(engine.docker("inspect", container(service)))[0]
    return found


def health(engine: DockerEngine, service: str) -> str:
    return str(inspect(engine, service)["State"]["Health"]["Status"])


def inside(engine: DockerEngine, service: str, *argv: str) -> str:
    return engine.docker("exec", container(service), *argv)


def get(engine: DockerEngine, path: str) -> Any:
    """What the API answers on the port that is published on the engine's machine."""
    code = "import sys, urllib.request as u; sys.stdout.write(u.urlopen(sys.argv[1], timeout=60).read().decode())"
    return json.loads(engine.at_home(["python3", "-c", code, f"http://127.0.0.1:8000{path}"]))


def seconds(engine: DockerEngine) -> list[int]:
    """Of the last ten minutes, those that the API has samples of this host for."""
    answer = get(engine, f"/api/v1/metrics/history?metric=memory&start_time=-10m&step=1s&host={HOST_NAME}")
    return [second for series in answer["series"] for second in series["t"]]


def missed(engine: DockerEngine) -> int:
    """Seconds that the collector could not keep up with, since its start."""
    (host,) = get(engine, f"/api/v1/metrics/current?metric=collector.ticks_missed&host={HOST_NAME}")["hosts"]
    (missed,) = (series for series in host["series"] if series["tags"].get("group") == "all")
    return int(missed["values"]["ticks_missed"])


def test_images_run_as_nobody_and_hold_only_what_they_need(images: ImageBuilder):
    for service, name in image_names().items():
        if service == "influxdb":
            continue
        config = images.config(name)
        assert config["User"] == "65532:65532"
        assert config["Entrypoint"] == ["nodetide"]
        assert not [entry for entry in config["Env"] if "TOKEN" in entry]
    has = "import importlib.util as u, sys; print(*[n for n in sys.argv[1:] if u.find_spec(n)])"
    packages = ("psutil", "fastapi", "uvicorn", "pytest", "hatchling", "pip")
    for service, held in (("collector", "psutil"), ("api", "fastapi uvicorn")):
        assert images.run(image_names()[service], "python", "-c", has, *packages).strip() == held


@pytest.mark.parametrize(("service", "most"), [("collector", 15e6), ("api", 45e6)])
def test_images_add_little_to_their_base(service: str, most: float, engine: DockerEngine):
    sizes = [json.loads(engine.docker("image", "inspect", name))[0]["Size"] for name in (image_names()[service], BASE)]
    assert 0 < sizes[0] - sizes[1] < most


def test_the_collector_sees_the_host_and_not_its_container(up: DockerEngine):
    def shown(metric: str) -> list[dict[str, Any]]:
        (host,) = get(up, f"/api/v1/metrics/current?metric={metric}")["hosts"]
        assert host["host"] == HOST_NAME
        return [dict(series) for series in host["series"]]

    wait_until(lambda: shown("disk") and shown("network"), "nothing at the API")
    interfaces = {series["tags"]["interface"] for series in shown("net.bytes_recv")}
    assert INTERFACE in interfaces
    assert "eth0" not in interfaces  # the container's own
    assert {series["tags"]["path"] for series in shown("disk")} == {"/"} | {
        mount.mountpoint for mount in psutil.disk_partitions() if mount.mountpoint != "/"
    }
    (disk,) = (series for series in shown("disk.total") if series["tags"]["path"] == "/")
    assert disk["values"] == {"total": psutil.disk_usage("/").total}


def test_what_is_mounted_later_is_seen(up: DockerEngine):
    assert re.search(r" /host/root .* master:\d+ ", inside(up, "collector", "cat", "/proc/self/mountinfo"))


def test_it_can_do_no_more_than_look(up: DockerEngine):
    for service in ("collector", "api", "upkeep"):
        assert inside(up, service, "id", "-u").strip() == "65532"
        status = inside(up, service, "cat", "/proc/1/status")
        assert re.search(r"^CapEff:\s0+$", status, re.M)
        assert re.search(r"^CapBnd:\s0+$", status, re.M)
        assert re.search(r"^NoNewPrivs:\s1$", status, re.M)
        with pytest.raises(DockerFailed, match="Read-only file system"):
            inside(up, service, "sh", "-c", "echo > /tmp/x")
    with pytest.raises(DockerFailed, match="Read-only file system"):
        inside(up, "collector", "sh", "-c", "echo > /host/root/tmp/nodetide-was-here")
    with pytest.raises(DockerFailed, match="Permission denied"):
        inside(up, "collector", "cat", "/host/root/etc/shadow")


def test_influxdb_runs_as_its_own_user(up: DockerEngine):
    assert inside(up, "influxdb", "id", "-u").strip() == "1000"
    assert re.search(r"^CapBnd:\s0+$", inside(up, "influxdb", "cat", "/proc/1/status"), re.M)


def test_grafanas_user_may_read_what_it_is_given(up: DockerEngine):
    """Its image is not here, so another plays it: with its user, its groups and its volumes."""
    grafana = json.loads(compose("config", "--format", "json"))["services"]["grafana"]
    groups = [f"--group-add={group}" for group in grafana["group_add"]]
    volumes = [
        f"--volume=nodetide_{mount['source']}:{mount['target']}:ro"
        for mount in grafana["volumes"]
        if mount["type"] == "volume" and mount.get("read_only")
    ]
    files = ["/run/token/token", grafana["environment"]["GF_SECURITY_ADMIN_PASSWORD__FILE"]]
    image = image_names()["api"]
    said = up.docker(
        "run", "--rm", "--user=472:0", "--cap-drop=ALL", *groups, *volumes, "--entrypoint=cat", image, *files
    )
    assert inside(up, "api", "cat", "/run/token/token") in said
    assert len(said) > len(inside(up, "api", "cat", "/run/token/token")) + 8


def test_no_secret_is_in_what_docker_tells(up: DockerEngine):
    secrets = {inside(up, "upkeep", "cat", f"/run/keys/{name}") for name in ("token", "password")}
    secrets |= {inside(up, service, "cat", "/run/token/token") for service in ("collector", "api")}
    assert len(secrets) == 4
    for service in STARTED:
        told = up.docker("inspect", container(service)) + up.docker("logs", container(service))
        assert not [secret for secret in secrets if secret in told]
    for service in ("collector", "api"):
        with pytest.raises(DockerFailed):
            inside(up, service, "ls", "/run/keys")


def test_ports_are_published_on_loopback_alone(up: DockerEngine):
    published = {
        (port, binding["HostIp"])
        for service in RUNNING
        for port, bindings in inspect(up, service)["NetworkSettings"]["Ports"].items()
        for binding in bindings or []
    }
    assert published == {("8000/tcp", "127.0.0.1"), ("8086/tcp", "127.0.0.1")}


def test_influxdb_ends_in_order_and_no_second_is_lost_over_it(up: DockerEngine):
    wait_until(lambda: seconds(up), "no seconds")
    compose("stop", "influxdb", env=up.env)
    assert inspect(up, "influxdb")["State"]["ExitCode"] == 0
    time.sleep(5)
    compose("start", "influxdb", env=up.env)
    back = int(time.time())
    found = wait_until(lambda: found if (found := seconds(up))[-1] > back else None, "no seconds after it", 300)
    # What a busy machine had the collector miss, it says itself.
    assert found[-1] - found[0] + 1 - len(found) <= missed(up)


def test_data_and_accounts_outlive_the_containers(up: DockerEngine):
    before = seconds(up)
    token = inside(up, "upkeep", "cat", "/run/keys/token")
    compose("down", env=up.env)
    for service in ("upkeep", "collector", "api"):
        with pytest.raises(DockerFailed):
            inspect(up, service)
    start(up)
    assert inside(up, "upkeep", "cat", "/run/keys/token") == token
    after = wait_until(lambda: found if (found := seconds(up))[-1] > before[-1] else None, "no seconds after it", 300)
    assert after[0] <= before[-1]
    assert {second for second in before if second >= after[0]} <= set(after)


def test_down_with_its_volumes_leaves_nothing(up: DockerEngine):
    compose("down", "--volumes", env=up.env)
    assert up.docker("volume", "ls", "--quiet") == ""
    assert up.docker("ps", "--all", "--quiet") == ""


def test_without_shared_mounts_the_collector_starts_as_well(images: ImageBuilder, tmp_path: Path, needs_parts):
    needs_parts("dockerd")
    with docker_engine(tmp_path, mounts="private") as engine:
        engine.docker("load", "--quiet", "--input", images.save(image_names()["collector"], tmp_path / "image.tar"))
        once = ("--env=INFLUXDB_TOKEN_FILE=", "collector", "collect", "--once", "--format=line")
        said = compose("run", "--rm", "--no-deps", *once, env=engine.env)
    assert re.search(rf"^disk,.*host={HOST_NAME},.*path=/ ", said, re.M)
    shutil.rmtree(tmp_path)  # images are large
