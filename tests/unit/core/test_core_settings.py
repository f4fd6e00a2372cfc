from __future__ import annotations

import dataclasses
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.errors import ConfigError
from nodetide_core.settings import (
    SECRETS_DIR,
    Address,
    Setting,
    Settings,
    all_settings,
    load_settings,
    unknown_variables,
)

SPECS: dict[str, Setting] = {spec.name: spec for _, spec, _ in all_settings()}
COMMANDS = {"run", "collect", "serve", "upkeep", "operate", "policy plan", "policy apply"}
SECRETS = [name for name, spec in SPECS.items() if spec.secret]


def test_every_default():
    settings = load_settings({}).settings
    assert settings == Settings()
    assert dataclasses.asdict(settings) == {
        "influxdb_url": None,
        "influxdb_token": None,
        "influxdb_org": None,
        "influxdb_bucket": None,
        "influxdb_ca_file": None,
        "spool_dir": Path.home() / ".local/share/nodetide/spool",
        "spool_max_bytes": 256 * 2**20,
        "flush_interval": 5,
        "policy": None,
        "node_settings": None,
        "token_dir": None,
        "secrets_dir": None,
        "flux_token": None,
        "host_name": socket.gethostname(),
        "cluster": None,
        "namespace": None,
        "watch_namespaces": None,
        "settings_map": "nodetide-node-settings",
        "token_secrets": "nodetide-token",
        "resync": 60,
        "operator_listen": {"host": "0.0.0.0", "port": 8080},
        "proc_root": Path("/proc"),
        "sys_root": Path("/sys"),
        "root": Path("/"),
        "data_dir": Path.home() / ".local/share/nodetide",
        "listen": {"host": "127.0.0.1", "port": 8000},
        "api_token": None,
        "output": None,
        "metrics_listen": None,
        "sample_window": 1,
        "log_level": "info",
    }


def test_the_data_directory_of_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch):
    """A container's user may have neither an entry nor HOME; commands that need no data must still start."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", _no_entry)
    assert Settings().data_dir == Path("/var/lib/nodetide")


def _no_entry(uid: int) -> Any:
    raise KeyError(uid)


@pytest.mark.parametrize("spec", SPECS.values(), ids=lambda spec: spec.name)
def test_every_setting_is_described(spec: Setting):
    assert re.fullmatch(r"(INFLUXDB|NODETIDE)_[A-Z_]+", spec.name)
    assert spec.help.endswith(".") and spec.help[0].isupper()
    assert spec.allowed and not spec.allowed.endswith(".")
    assert spec.commands and set(spec.commands) <= COMMANDS
    assert spec.secret == spec.name.endswith("TOKEN")


VALUES: list[tuple[str, str, Any]] = [
    ("INFLUXDB_URL", "http://localhost:8086", "http://localhost:8086"),
    ("INFLUXDB_URL", " https://h/influx/ ", "https://h/influx"),
    ("INFLUXDB_URL", "http://[::1]:8086", "http://[::1]:8086"),
    ("INFLUXDB_TOKEN", " abc== ", "abc=="),
    ("NODETIDE_FLUX_TOKEN", " abc== ", "abc=="),
    ("INFLUXDB_ORG", "my org", "my org"),
    ("INFLUXDB_BUCKET", "b", "b"),
    ("NODETIDE_NAMESPACE", "n", "n"),
    ("NODETIDE_WATCH_NAMESPACES", "a", ("a",)),
    ("NODETIDE_WATCH_NAMESPACES", " b-1, a,,b-1 ", ("b-1", "a")),
    ("NODETIDE_WATCH_NAMESPACES", "*", ()),
    ("NODETIDE_SETTINGS_MAP", "m", "m"),
    ("NODETIDE_TOKEN_SECRETS", "t", "t"),
    ("NODETIDE_RESYNC", "5m", 300),
    ("NODETIDE_OPERATOR_LISTEN", ":8080", Address("0.0.0.0", 8080)),
    ("NODETIDE_POLICY", "policies/", Path("policies")),
    ("NODETIDE_HOST_NAME", "node-1", "node-1"),
    ("NODETIDE_CLUSTER", "prod", "prod"),
    ("NODETIDE_PROC_ROOT", "/host/proc", Path("/host/proc")),
    ("NODETIDE_SYS_ROOT", "/host/sys", Path("/host/sys")),
    ("NODETIDE_ROOT", "/host/root", Path("/host/root")),
    ("NODETIDE_DATA_DIR", "~/data", Path.home() / "data"),
    ("NODETIDE_LISTEN", "127.0.0.1:0", Address("127.0.0.1", 0)),
    ("NODETIDE_LISTEN", ":8000", Address("0.0.0.0", 8000)),
    ("NODETIDE_LISTEN", "[::1]:8000", Address("::1", 8000)),
    ("NODETIDE_LISTEN", "localhost:65535", Address("localhost", 65_535)),
    ("NODETIDE_API_TOKEN", "t", "t"),
    ("NODETIDE_OUTPUT", "-", None),
    ("NODETIDE_OUTPUT", "out.lp", Path("out.lp")),
    ("NODETIDE_METRICS_LISTEN", "off", None),
    ("NODETIDE_METRICS_LISTEN", "OFF", None),
    ("NODETIDE_METRICS_LISTEN", ":9100", Address("0.0.0.0", 9100)),
    ("INFLUXDB_CA_FILE", "/tls/ca.pem", Path("/tls/ca.pem")),
    ("NODETIDE_SPOOL_DIR", "/spool", Path("/spool")),
    ("NODETIDE_NODE_SETTINGS", "/etc/nodetide/nodes", Path("/etc/nodetide/nodes")),
    ("NODETIDE_TOKEN_DIR", "tokens/", Path("tokens")),
    ("NODETIDE_SECRETS_DIR", "secrets/", Path("secrets")),
    ("NODETIDE_SPOOL_MAX_BYTES", "1Gi", 2**30),
    ("NODETIDE_SPOOL_MAX_BYTES", "64MiB", 64 * 2**20),
    ("NODETIDE_SPOOL_MAX_BYTES", "5000k", 5_000_000),
    ("NODETIDE_SPOOL_MAX_BYTES", "1048576", 2**20),
    ("NODETIDE_FLUSH_INTERVAL", "10s", 10),
    ("NODETIDE_SAMPLE_WINDOW", "5s", 5),
    ("NODETIDE_SAMPLE_WINDOW", "1m", 60),
    ("NODETIDE_LOG_LEVEL", "DEBUG", "debug"),
]
WRONG: list[tuple[str, str, str]] = [
    ("INFLUXDB_URL", "localhost:8086", "is not an http or https URL; allowed is a URL such as `http://localhost:8086`"),
    ("INFLUXDB_URL", "http://", "is not an http or https URL"),
    ("INFLUXDB_URL", "ftp://h", "is not an http or https URL"),
    ("INFLUXDB_URL", "http://[::1", "is not an http or https URL"),
    ("INFLUXDB_URL", "http://h:99999", "is not an http or https URL"),
    ("INFLUXDB_URL", "http://h:0", "is not an http or https URL"),
    ("INFLUXDB_URL", "http://h:x", "is not an http or https URL"),
    ("INFLUXDB_URL", "http://u:p@h", "must not carry a user or password; use the token"),
    ("INFLUXDB_URL", "http://h?token=x", "must not carry a query or fragment"),
    ("INFLUXDB_TOKEN", "  ", "is empty; allowed is text, not empty"),
    ("NODETIDE_FLUX_TOKEN", "  ", "is empty; allowed is text, not empty"),
    ("INFLUXDB_ORG", " ", "is empty"),
    ("INFLUXDB_BUCKET", " ", "is empty"),
    ("NODETIDE_NAMESPACE", " ", "is empty"),
    ("NODETIDE_WATCH_NAMESPACES", ",", "is not a list of namespaces"),
    ("NODETIDE_WATCH_NAMESPACES", "a,*", "is not a list of namespaces"),
    ("NODETIDE_WATCH_NAMESPACES", "A", "is not a list of namespaces"),
    ("NODETIDE_SETTINGS_MAP", " ", "is empty"),
    ("NODETIDE_TOKEN_SECRETS", " ", "is empty"),
    ("NODETIDE_RESYNC", "0s", "is shorter than a second"),
    ("NODETIDE_OPERATOR_LISTEN", "off", "is not host:port"),
    ("NODETIDE_POLICY", " ", "is empty; allowed is a path"),
    ("NODETIDE_HOST_NAME", "\t", "is empty"),
    ("NODETIDE_CLUSTER", " ", "is empty"),
    ("NODETIDE_PROC_ROOT", " ", "is empty"),
    ("NODETIDE_SYS_ROOT", " ", "is empty"),
    ("NODETIDE_ROOT", "~no-such-user-here/x", "names the home directory of a user there is not; allowed is a path"),
    ("NODETIDE_DATA_DIR", " ", "is empty"),
    ("NODETIDE_LISTEN", "8000", "is not host:port; allowed is `host:port`, such as `127.0.0.1:8000`"),
    ("NODETIDE_LISTEN", "localhost", "is not host:port"),
    ("NODETIDE_LISTEN", "::1:8000", "is not host:port"),
    ("NODETIDE_LISTEN", "h:65536", "is not host:port"),
    ("NODETIDE_LISTEN", "h:-1", "is not host:port"),
    ("NODETIDE_LISTEN", "h:٨٠", "is not host:port"),
    ("NODETIDE_LISTEN", "off", "is not host:port"),
    ("NODETIDE_API_TOKEN", " ", "is empty"),
    ("NODETIDE_OUTPUT", " ", "is empty; allowed is a path, or `-` for standard output"),
    ("NODETIDE_METRICS_LISTEN", "no", "is not host:port; allowed is `host:port`, or `off`"),
    ("INFLUXDB_CA_FILE", " ", "is empty"),
    ("NODETIDE_SPOOL_DIR", " ", "is empty"),
    ("NODETIDE_NODE_SETTINGS", " ", "is empty"),
    ("NODETIDE_TOKEN_DIR", " ", "is empty"),
    ("NODETIDE_SECRETS_DIR", " ", "is empty"),
    ("NODETIDE_SPOOL_MAX_BYTES", "much", "is not a size; allowed is a size of at least 1Mi, such as `256Mi` or `1Gi`"),
    ("NODETIDE_SPOOL_MAX_BYTES", "512k", "is too small"),
    ("NODETIDE_FLUSH_INTERVAL", "0s", "is shorter than a second"),
    ("NODETIDE_SAMPLE_WINDOW", "5", "is not a duration"),
    ("NODETIDE_SAMPLE_WINDOW", "0s", "is shorter than a second; allowed is a duration of at least `1s`"),
    ("NODETIDE_LOG_LEVEL", "trace", "is not a log level; allowed is `debug`, `info`, `warning` or `error`"),
]


def test_the_tables_below_leave_no_setting_out():
    assert {name for name, _, _ in VALUES} == {name for name, _, _ in WRONG} == set(SPECS)


@pytest.mark.parametrize(("name", "text", "value"), VALUES)
def test_values(name: str, text: str, value: Any):
    attribute = next(attribute for attribute, spec, _ in all_settings() if spec.name == name)
    assert getattr(load_settings({name: text}).settings, attribute) == value


@pytest.mark.parametrize(("name", "text", "message"), WRONG)
def test_a_wrong_value_names_the_variable_and_what_is_allowed(name: str, text: str, message: str):
    with pytest.raises(ConfigError) as caught:
        load_settings({name: text})
    assert str(caught.value).startswith(f"{name}: {message}")
    assert SPECS[name].allowed in str(caught.value)
    assert (f"(given: {text!r})" in str(caught.value)) == (name not in SECRETS and not re.search("[@?]", text))


# Where values come from, strongest first --------------------------------------------------------------------------


Write = Callable[[dict[str, Any]], None]


@pytest.fixture
def everywhere(tmp_path: Path) -> dict[str, tuple[str, Write]]:
    """By source, strongest first: a token, and what writes it there into the arguments of load_settings."""
    file, directory = tmp_path / "file", tmp_path / "secrets"
    directory.mkdir()

    def override(arguments: dict[str, Any]) -> None:
        arguments["overrides"] = {"INFLUXDB_TOKEN": "1"}

    def environment(arguments: dict[str, Any]) -> None:
        arguments["environ"]["INFLUXDB_TOKEN"] = "2"

    def dotenv(arguments: dict[str, Any]) -> None:
        (tmp_path / ".env").write_text("INFLUXDB_TOKEN=3\n")
        arguments["dotenv"] = tmp_path / ".env"

    def named(arguments: dict[str, Any]) -> None:
        file.write_text("4\n")
        arguments["environ"]["INFLUXDB_TOKEN_FILE"] = str(file)

    def mounted(arguments: dict[str, Any]) -> None:
        (directory / "INFLUXDB_TOKEN").write_text("5\n")
        arguments["environ"][SECRETS_DIR] = str(directory)

    return {
        "command line": ("1", override),
        "environment": ("2", environment),
        ".env": ("3", dotenv),
        f"file {file}": ("4", named),
        f"file {directory / 'INFLUXDB_TOKEN'}": ("5", mounted),
    }


@pytest.mark.parametrize("used", range(1, 2**5))
def test_the_strongest_source_counts(everywhere: dict[str, tuple[str, Write]], used: int):
    arguments: dict[str, Any] = {"environ": {}}
    sources = [source for index, source in enumerate(everywhere) if used & 1 << index]
    for source in sources:
        everywhere[source][1](arguments)
    loaded = load_settings(**arguments)
    assert loaded.settings.influxdb_token == everywhere[sources[0]][0]
    (effective,) = (item for item in loaded.effective if item.name == "INFLUXDB_TOKEN")
    assert (effective.shown, effective.source) == ("(set, not shown)", sources[0])


def test_an_empty_variable_is_none(tmp_path: Path):
    (tmp_path / ".env").write_text("NODETIDE_CLUSTER=\nINFLUXDB_ORG=org\n")
    loaded = load_settings({"NODETIDE_CLUSTER": "", "INFLUXDB_ORG": ""}, dotenv=tmp_path / ".env")
    assert (loaded.settings.cluster, loaded.settings.influxdb_org) == (None, "org")


def test_the_secret_files_may_be_named_in_dotenv(tmp_path: Path):
    (tmp_path / "token").write_text("abc\n")
    (tmp_path / ".env").write_text(f"INFLUXDB_TOKEN_FILE={tmp_path / 'token'}\n")
    assert load_settings({}, dotenv=tmp_path / ".env").settings.influxdb_token == "abc"


def test_what_is_no_secret_is_not_read_from_files(tmp_path: Path):
    (tmp_path / "INFLUXDB_ORG").write_text("org")
    environ = {SECRETS_DIR: str(tmp_path), "INFLUXDB_ORG_FILE": str(tmp_path / "INFLUXDB_ORG")}
    assert load_settings(environ).settings.influxdb_org is None


@pytest.mark.parametrize("content", ["abc", "abc\n", "abc\r\n", "  abc \n\n"])
def test_a_secret_file_may_end_with_a_newline(tmp_path: Path, content: str):
    (tmp_path / "t").write_text(content, newline="")
    assert load_settings({"NODETIDE_API_TOKEN_FILE": str(tmp_path / "t")}).settings.api_token == "abc"


@pytest.mark.parametrize("content", ["", "\n", " \r\n"])
def test_an_empty_secret_file_is_refused(tmp_path: Path, content: str):
    (tmp_path / "t").write_text(content)
    with pytest.raises(ConfigError, match=r"^NODETIDE_API_TOKEN: is empty"):
        load_settings({"NODETIDE_API_TOKEN_FILE": str(tmp_path / "t")})


def test_a_secret_file_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"^NODETIDE_API_TOKEN_FILE: cannot read .*missing"):
        load_settings({"NODETIDE_API_TOKEN_FILE": str(tmp_path / "missing")})


def test_the_file_of_a_token_that_is_read_again_may_come_later(tmp_path: Path):
    file = tmp_path / "token"
    loaded = load_settings({"INFLUXDB_TOKEN_FILE": str(file)})
    assert (loaded.settings.influxdb_token, loaded.files["INFLUXDB_TOKEN"]) == (None, file)
    (effective,) = (item for item in loaded.effective if item.name == "INFLUXDB_TOKEN")
    assert (effective.shown, effective.source) == ("not set", f"file {file}, not there yet")


def test_its_directory_must_be_there(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"^INFLUXDB_TOKEN_FILE: cannot read .*missing"):
        load_settings({"INFLUXDB_TOKEN_FILE": str(tmp_path / "missing" / "token")})


def test_a_secrets_directory_without_the_file_sets_nothing(tmp_path: Path):
    for directory in (tmp_path, tmp_path / "missing"):
        loaded = load_settings({SECRETS_DIR: str(directory)})
        assert loaded.settings.influxdb_token is None
        assert {item.source for item in loaded.effective if item.name != SECRETS_DIR} == {"default"}


def test_the_secrets_directory_may_be_named_on_the_command_line(tmp_path: Path):
    (tmp_path / "NODETIDE_API_TOKEN").write_text("abc")
    loaded = load_settings({SECRETS_DIR: "/nothing"}, overrides={SECRETS_DIR: str(tmp_path)})
    assert (loaded.settings.api_token, loaded.settings.secrets_dir) == ("abc", tmp_path)


@pytest.mark.parametrize("kind", ["directory", "loop", "not UTF-8", "below a file"])
def test_a_secret_that_cannot_be_read_is_refused(tmp_path: Path, kind: str):
    file = tmp_path / "INFLUXDB_TOKEN"
    directory = tmp_path
    if kind == "directory":
        file.mkdir()
    elif kind == "loop":
        file.symlink_to(file)
    elif kind == "not UTF-8":
        file.write_bytes(b"secret\xff")
    else:
        directory = tmp_path / "file"
        directory.write_text("x")
    with pytest.raises(ConfigError) as caught:
        load_settings({SECRETS_DIR: str(directory)})
    assert str(caught.value).startswith(f"{SECRETS_DIR}: cannot read {directory / 'INFLUXDB_TOKEN'}: ")
    assert "xff" not in str(caught.value) and "0xff" not in str(caught.value)


def test_a_path_with_a_null_is_refused(tmp_path: Path):
    (tmp_path / ".env").write_text('INFLUXDB_TOKEN_FILE="a\\0b\x00"\n')
    with pytest.raises(ConfigError, match="INFLUXDB_TOKEN_FILE: cannot read"):
        load_settings({}, dotenv=tmp_path / ".env")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_secret_without_permission_is_refused(tmp_path: Path):
    (tmp_path / "INFLUXDB_TOKEN").write_text("x")
    (tmp_path / "INFLUXDB_TOKEN").chmod(0)
    with pytest.raises(ConfigError, match="NODETIDE_SECRETS_DIR: cannot read"):
        load_settings({SECRETS_DIR: str(tmp_path)})


# .env ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("NODETIDE_CLUSTER=prod", "prod"),
        ("export NODETIDE_CLUSTER=prod", "prod"),
        ("NODETIDE_CLUSTER = prod", "prod"),
        ("NODETIDE_CLUSTER=prod # the one", "prod"),
        ("NODETIDE_CLUSTER=pr#od", "pr#od"),
        ("NODETIDE_CLUSTER='a # b'", "a # b"),
        ('NODETIDE_CLUSTER="a # b"', "a # b"),
        ('NODETIDE_CLUSTER="a\\"b"', 'a"b'),
        ("NODETIDE_CLUSTER='a\"b'", 'a"b'),
        ("NODETIDE_CLUSTER=a b", "a b"),
        ("NODETIDE_CLUSTER=${HOME}$x", "${HOME}$x"),
        ("NODETIDE_CLUSTER=é", "é"),
        ("# NODETIDE_CLUSTER=prod", None),
        ("NODETIDE_CLUSTER=", None),
        ("NODETIDE_CLUSTER", None),
        ("NODETIDE_CLUSTER=a\nNODETIDE_CLUSTER=b", "b"),
        ("\r\nNODETIDE_CLUSTER=prod\r\n", "prod"),
    ],
)
def test_how_dotenv_is_written(tmp_path: Path, line: str, value: str | None):
    (tmp_path / ".env").write_text(line, encoding="utf-8", newline="")
    assert load_settings({}, dotenv=tmp_path / ".env").settings.cluster == value


def test_a_dotenv_that_is_not_there_is_none(tmp_path: Path):
    assert load_settings({}, dotenv=tmp_path / ".env").settings == Settings()
    assert load_settings({}, dotenv=tmp_path).settings == Settings()


def test_a_dotenv_that_is_not_text_is_refused(tmp_path: Path):
    (tmp_path / ".env").write_bytes(b"INFLUXDB_TOKEN=secret\xff\n")
    with pytest.raises(ConfigError, match=r"\.env: cannot be read: not UTF-8 text$"):
        load_settings({}, dotenv=tmp_path / ".env")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file whose reading fails, even for root")
def test_files_whose_reading_fails_are_refused():
    with pytest.raises(ConfigError, match=r"^/proc/self/mem: cannot be read: .*Errno"):
        load_settings({}, dotenv=Path("/proc/self/mem"))
    with pytest.raises(ConfigError, match=r"^NODETIDE_API_TOKEN_FILE: cannot read /proc/self/mem: .*Errno"):
        load_settings({"NODETIDE_API_TOKEN_FILE": "/proc/self/mem"})


# Secrets stay secret ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_are_shown_nowhere(name: str):
    loaded = load_settings({name: "hush-hush"})
    assert "hush-hush" not in repr(loaded.effective)
    assert ("(set, not shown)", "environment") in {(item.shown, item.source) for item in loaded.effective}


@pytest.mark.parametrize(
    "url",
    [
        "http://user:hush@h", "http://hush@h:8086", "http://user:hush/x@h", "http://user:hu?hush@h", "user:hush@h",
        "http://h?p=hush", "http://h/x#hush", "ftp://user:hush@h", "http://user:hush@[::1", "http://h/?u=a&p=hush",
    ],
)  # fmt: skip
def test_a_password_in_a_url_does_not_reach_the_message(url: str):
    with pytest.raises(ConfigError) as caught:
        load_settings({"INFLUXDB_URL": url})
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None


@given(st.sampled_from(SECRETS), st.text(st.characters(codec="utf-8"), min_size=1))
def test_no_wrong_secret_reaches_the_message(name: str, text: str):
    secret = f"hush{text}hush"
    assert "hush" not in repr(load_settings({name: secret}).effective)


# What is shown ------------------------------------------------------------------------------------------------------


def test_settings_in_force_are_shown_with_their_source():
    loaded = load_settings(
        {"NODETIDE_LISTEN": ":80", "NODETIDE_SAMPLE_WINDOW": "90s"}, overrides={"NODETIDE_CLUSTER": "x"}
    )
    shown = {item.name: (item.shown, item.source) for item in loaded.effective}
    assert shown == {name: shown[name] for name in SPECS}
    assert shown["NODETIDE_LISTEN"] == ("0.0.0.0:80", "environment")
    assert shown["NODETIDE_SAMPLE_WINDOW"] == ("90s", "environment")
    assert shown["NODETIDE_CLUSTER"] == ("x", "command line")
    assert shown["INFLUXDB_TOKEN"] == ("not set", "default")
    assert shown["NODETIDE_OUTPUT"] == ("-", "default")
    assert shown["NODETIDE_METRICS_LISTEN"] == ("off", "default")
    assert shown["NODETIDE_PROC_ROOT"] == ("/proc", "default")


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_each_command_shows_what_it_uses(command: str):
    shown = [item.name for item in load_settings({}).of(command)]
    assert shown == [name for name, spec in SPECS.items() if command in spec.commands]
    assert shown


@pytest.mark.parametrize("host", ["::1", "localhost", "0.0.0.0"])
def test_addresses_are_shown_as_they_are_written(host: str):
    address = Address(host, 80)
    assert load_settings({"NODETIDE_LISTEN": str(address)}).settings.listen == address


# Misspelt variables -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("NODETIDE_LOGLEVEL", "NODETIDE_LOGLEVEL is not a setting; did you mean NODETIDE_LOG_LEVEL?"),
        ("NODETIDE_API_TOKEN_FIL", "did you mean NODETIDE_API_TOKEN_FILE?"),
        ("NODETIDE_SECRET_DIR", "did you mean NODETIDE_SECRETS_DIR?"),
        ("NODETIDE_LISTEN", None),
        ("NODETIDE_API_TOKEN_FILE", None),
        (SECRETS_DIR, None),
        # What Kubernetes sets for a Service.
        ("NODETIDE_LISTEN_SERVICE_HOST", None),
        ("NODETIDE_API_PORT", None),
        ("NODETIDE_API_PORT_8000_TCP", None),
        ("NODETIDE_SOMETHING_ELSE_ALTOGETHER", None),
        ("LOG_LEVEL", None),
        ("PATH", None),
    ],
)
def test_variables_that_look_like_a_setting(variable: str, message: str | None):
    found = unknown_variables({variable: "hush"})
    assert len(found) == (message is not None)
    assert all(message is not None and message in text and "hush" not in text for text in found)
