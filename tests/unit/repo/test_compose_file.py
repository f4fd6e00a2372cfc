"""What docker-compose.yml, .env.example, the Dockerfiles and Grafana's files promise each other."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from nodetide_core import __version__
from nodetide_core.settings import all_settings, load_settings

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
OURS = {"upkeep": "upkeep", "collector": "collect", "api": "serve"}
IMAGES = ("api", "collector")
SETTINGS = {setting.name: setting for _, setting, _ in all_settings()}


def example() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_services_and_ports_are_those_of_the_guide():
    assert set(SERVICES) == {"keys", "influxdb", "upkeep", "collector", "api", "grafana"}
    published = {name: service.get("ports", []) for name, service in SERVICES.items()}
    assert {name: [port.rsplit(":", 1)[1] for port in ports] for name, ports in published.items() if ports} == {
        "influxdb": ["8086"],
        "api": ["8000"],
        "grafana": ["3000"],
    }
    assert all(port.startswith("${BIND_ADDRESS:-127.0.0.1}:") for ports in published.values() for port in ports)


def test_env_example_has_every_variable_with_its_default_and_no_other():
    used = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", TEXT))
    assert example() == used
    assert len(re.findall(r"(?<!\$)\$\{", TEXT)) == len(re.findall(r"\$\{\w+:-[^}]*\}", TEXT)), "one without a default"
    assert not re.findall(r"(?<!\$)\$\w", TEXT), "one without braces"


def test_a_default_is_the_same_everywhere():
    seen: dict[str, set[str]] = {}
    for name, default in re.findall(r"\$\{(\w+):-([^}]*)\}", TEXT):
        seen.setdefault(name, set()).add(default)
    assert not {name: defaults for name, defaults in seen.items() if len(defaults) > 1}


@pytest.mark.parametrize(("service", "command"), OURS.items())
def test_what_our_services_are_told_are_settings_of_their_command(service: str, command: str, tmp_path: Path):
    assert SERVICES[service]["command"] == [command]
    for name in SERVICES[service]["environment"]:
        setting = SETTINGS.get(name) or SETTINGS[name.removesuffix("_FILE")]
        assert command in setting.commands, f"{name} is nothing to `nodetide {command}`"
        assert setting.secret or not name.endswith("_FILE")


@pytest.mark.parametrize("service", OURS)
def test_defaults_are_values_that_the_settings_take(service: str, tmp_path: Path):
    told = {
        name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for name, value in SERVICES[service]["environment"].items()
    }
    (tmp_path / "token").write_text("secret")
    told["INFLUXDB_TOKEN_FILE"] = str(tmp_path / "token")
    settings = load_settings(told).settings
    assert settings.influxdb_url == "http://influxdb:8086"
    assert settings.influxdb_token == "secret"


@pytest.mark.parametrize("service", SERVICES)
def test_services_have_no_more_rights_than_they_need(service: str):
    told = SERVICES[service]
    assert told["cap_drop"] == ["ALL"]
    assert told["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "pid", "ipc", "cap_add", "devices"} & set(told)
    assert told.get("network_mode", "none") == "none"  # never the host's
    binds = [mount for mount in told["volumes"] if isinstance(mount, dict) or mount.startswith((".", "/"))]
    assert all(mount["read_only"] if isinstance(mount, dict) else mount.endswith(":ro") for mount in binds)
    assert "docker.sock" not in str(told)


@pytest.mark.parametrize("service", sorted(set(SERVICES) - {"keys"}))
def test_services_that_stay_tell_their_health_and_come_back(service: str):
    assert SERVICES[service]["restart"] == "unless-stopped"
    assert SERVICES[service]["healthcheck"]["test"]


def test_images_are_pinned():
    for service in SERVICES.values():
        name, _, tag = service["image"].partition(":")
        assert tag == __version__ if name.startswith("nodetide-") else re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", tag)
    bases = {re.search(r"^ARG PYTHON=(\S+)$", (ROOT / part / "Dockerfile").read_text(), re.M)[1] for part in IMAGES}
    assert len(bases) == 1
    assert re.fullmatch(r"docker\.io/library/python:3\.[0-9]+\.[0-9]+-slim-\w+", bases.pop())


@pytest.mark.parametrize("part", sorted(IMAGES))
def test_dockerfiles_install_what_is_locked(part: str):
    text = (ROOT / part / "Dockerfile").read_text()
    files = set(re.findall(r"-r (requirements/\S+)", text))
    assert files == {"requirements/build.txt", f"requirements/{part}.txt"}
    assert all((ROOT / file).is_file() for file in files)
    assert len(re.findall(r"--require-hashes -r", text)) == len(files)


@pytest.mark.parametrize("name", ["api", "build", "collector"])
def test_locks_of_the_images_are_parts_of_the_common_one(name: str):
    def blocks(lock: str) -> set[str]:
        text = re.sub(r"^ +#.*\n", "", (ROOT / f"requirements/{lock}.txt").read_text(), flags=re.M)
        return {block.strip() for block in re.split(r"^(?=[a-z0-9])", text, flags=re.M)[1:]}

    assert blocks(name) <= blocks("run"), "run `make lock`"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib is in the standard library from Python 3.11")
def test_what_is_packaged_gets_into_the_build():
    import tomllib

    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    admitted = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.M))
    assert {package.split("/")[0] for package in wheel["packages"]} <= admitted
    assert {"pyproject.toml", "README.md", "LICENSE", "requirements"} <= admitted


def test_grafanas_files_are_where_it_looks_for_them():
    mounts = dict(volume.split(":")[:2] for volume in SERVICES["grafana"]["volumes"] if volume.startswith("./"))
    assert all((ROOT / source).exists() for source in mounts)
    targets = {Path(target): ROOT / source for source, target in mounts.items()}
    provider = yaml.safe_load((ROOT / "grafana/provisioning/dashboards/nodetide.yml").read_text())
    (folder,) = (entry["options"]["path"] for entry in provider["providers"])
    assert Path(folder) in targets
    told = SERVICES["grafana"]["environment"]
    home = Path(told["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (targets[home.parent] / home.name).is_file()
    source = (ROOT / "grafana/provisioning/datasources/nodetide.yml").read_text()
    assert set(re.findall(r"\$([A-Z][A-Z_]+)", source)) <= set(told)
    (token,) = re.findall(r"\$__file\{(.+)\}", source)
    assert any(str(Path(token).parent) == volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"])


def boards() -> ModuleType:
    spec = importlib.util.spec_from_file_location("grafana_generate", ROOT / "hack/grafana/generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", boards().BOARDS)
def test_dashboard_is_as_its_code_says(name: str):
    module = boards()
    assert module.target(name).read_text() == module.render(name), "run `python hack/grafana/generate.py`"


def test_every_dashboard_has_code():
    assert {path.stem for path in (ROOT / "grafana/dashboards").glob("*.json")} == set(boards().BOARDS)
