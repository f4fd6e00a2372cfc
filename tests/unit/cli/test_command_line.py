"""The command line: flags, exit codes, messages."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest
import yaml

from nodetide.cli import build_parser, main
from nodetide.exits import Exit
from nodetide.flags import flag_name, overrides
from nodetide_core.settings import all_settings

GOOD = "apiVersion: nodetide.io/v1alpha1\nkind: MetricPolicy\nmetadata: {name: a}\nspec: {}\n"


#: All that take settings.
COMMANDS = ["run", "collect", "serve", "upkeep", "operate", "policy plan", "policy apply"]


def parsers(parser: argparse.ArgumentParser | None = None, before: str = "") -> dict[str, argparse.ArgumentParser]:
    """Every command's, by its words."""
    found: dict[str, argparse.ArgumentParser] = {}
    for action in (parser or build_parser())._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                found |= parsers(sub, f"{before}{name} ") or {f"{before}{name}": sub}
    return found


def test_these_are_all_commands():
    assert set(parsers()) == {*COMMANDS, "policy validate", "policy render"}
    assert {command for _, setting, _ in all_settings() for command in setting.commands} == set(COMMANDS)


def test_no_flag_takes_a_secret():
    secrets = {flag_name(setting) for _, setting, _ in all_settings() if setting.secret}
    flags = {flag for parser in parsers().values() for action in parser._actions for flag in action.option_strings}
    assert secrets
    assert not secrets & flags


@pytest.mark.parametrize("command", COMMANDS)
def test_every_setting_of_a_command_is_a_flag_and_in_its_help(command: str):
    text = parsers()[command].format_help()
    for _, setting, _ in all_settings():
        assert (setting.name in text) == (command in setting.commands)


@pytest.mark.parametrize("command", [*COMMANDS, "policy validate", "policy render"])
def test_help_gives_examples(command: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as done:
        main([*command.split(), "--help"])
    assert done.value.code == Exit.OK
    assert f"  nodetide {command}" in capsys.readouterr().out


def test_flags_become_overrides():
    arguments = build_parser().parse_args(["run", "--data-dir", "/d", "--listen", ":1"])
    assert overrides(arguments) == {"NODETIDE_DATA_DIR": "/d", "NODETIDE_LISTEN": ":1"}


def test_a_wrong_setting_names_the_variable_and_what_is_allowed(capsys: pytest.CaptureFixture[str]):
    assert main(["run", "--listen", "eight"]) == Exit.USAGE
    message = capsys.readouterr().err
    assert "NODETIDE_LISTEN" in message
    assert "host:port" in message


def test_policy_validate_says_what_is_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "a.yaml").write_text(GOOD)
    assert main(["policy", "validate", str(tmp_path / "a.yaml")]) == Exit.OK
    assert "a is valid: 20 groups every 1s, bucket a (raw 1d, 5m 7d, 1h 30d, 1d 365d)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("{}", ""),
        ("{alerts: [A]}", ", 1 alert, told to nobody"),
        ("{alerts: [A, B], notify: [N]}", ", 2 alerts, told to n"),
        ("{alerts: [A], notify: [N, M, O], alertEngine: influxdb}", ", 1 alert by InfluxDB, told to n, m and o"),
        ("{alerts: [A], silences: [OLD]}", ", 1 alert, told to nobody, 1 silence (ended)"),
        ("{alerts: [A], silences: [NEW]}", ", 1 alert, told to nobody, 1 silence"),
        ("{alerts: [A], notify: [N, M], silences: [OLD, NEW]}", ", 1 alert, told to n and m, 2 silences (1 ended)"),
        ("{silences: [NEW]}", ""),
    ],
)
def test_policy_validate_says_who_is_told_of_alerts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spec: str, words: str
):
    parts = {name: f"{{name: {name.lower()}, type: deadman, metric: cpu}}" for name in "AB"}
    parts |= {name: f"{{name: {name.lower()}, type: http, url: 'http://x'}}" for name in "NMO"}
    parts |= {
        "OLD": "{match: {a: b}, until: 2001-01-31T18:00:00Z}",
        "NEW": "{match: {a: b}, until: 2999-01-31T18:00:00Z}",
    }
    filled = re.sub("[A-Z]+(?=[],])", lambda found: parts[found[0]], spec)
    (tmp_path / "a.yaml").write_text(GOOD.replace("spec: {}", f"spec: {filled}"))
    assert main(["policy", "validate", str(tmp_path / "a.yaml")]) == Exit.OK
    assert capsys.readouterr().out.endswith(f"1d 365d){words}\n")


def test_policy_validate_names_every_problem_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "bad.yaml").write_text(GOOD.replace("spec: {}", "spec: {collection: {interval: 5}, suspend: maybe}"))
    (tmp_path / "good.yaml").write_text(GOOD)
    paths = [str(tmp_path / "bad.yaml"), str(tmp_path / "missing.yaml"), str(tmp_path / "good.yaml")]
    assert main(["policy", "validate", *paths]) == Exit.FAILED
    shown = capsys.readouterr()
    assert f"{tmp_path}/bad.yaml: spec.collection.interval: " in shown.err
    assert f"{tmp_path}/bad.yaml: spec.suspend: " in shown.err
    assert "missing.yaml" in shown.err
    assert "a is valid" in shown.out


def test_the_exit_codes_in_the_help_are_those_of_the_enum():
    listed = {int(code) for code in re.findall(r"^  (\d)  ", build_parser().format_help(), re.M)}
    assert listed == {code.value for code in Exit}


ALERTS = GOOD.replace(
    "spec: {}",
    "spec: {alerts: [{name: Q, type: flux, flux: x, warning: {above: 1}}, {name: S, type: deadman, metric: system}]}",
)


def test_policy_render_prints_rules_and_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "a.yaml").write_text(ALERTS)
    assert main(["policy", "render", "--prometheus", str(tmp_path)]) == Exit.OK
    shown = capsys.readouterr()
    (group,) = yaml.safe_load(shown.out)["groups"]
    assert [rule["alert"] for rule in group["rules"]] == ["S"]
    assert shown.err == "warning: a/Q is a query in Flux, which Prometheus does not know\n"
    assert main(["policy", "render", "--prometheus-operator", str(tmp_path)]) == Exit.OK
    assert yaml.safe_load(capsys.readouterr().out)["kind"] == "PrometheusRule"


def test_policy_render_prints_nothing_of_a_wrong_policy(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "a.yaml").write_text(ALERTS.replace("metric: system", "metric: nothing"))
    assert main(["policy", "render", "--prometheus", str(tmp_path)]) == Exit.USAGE
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "alerts[1].metric" in shown.err


def test_policy_render_asks_for_which_form():
    with pytest.raises(SystemExit) as done:
        main(["policy", "render", "a.yaml"])
    assert done.value.code == Exit.USAGE
