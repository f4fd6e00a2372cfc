"""``nodetide``: parses the command line and hands over to a command.

Commands are imported when they are chosen: the collector must not pay for the API's imports.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nodetide.exits import Exit
from nodetide.flags import add_settings, overrides
from nodetide.logs import configure
from nodetide_core import __version__
from nodetide_core.errors import ConfigError, ListenError, NodetideError, PolicyError, StoreBusy, StoreCorrupt
from nodetide_core.settings import Loaded, load_settings, unknown_variables

__all__ = ["build_parser", "main"]

_EXITS = "\n".join(f"  {code.value}  {text}" for code, text in (
    (Exit.OK, "done, or ended as asked (Ctrl-C, SIGTERM)"),
    (Exit.FAILED, "something failed while running, or the policy checked is wrong"),
    (Exit.USAGE, "a flag, a setting or the policy to run with is wrong; nothing was started"),
    (Exit.IN_USE, "the address to listen on, or the data directory, is held by another process"),
    (Exit.DAMAGED, "the data directory holds a damaged or foreign database; nothing was changed"),
    (Exit.MISSING, "a part is not installed; the message says which"),
))  # fmt: skip

_COMMANDS = (
    (
        "run",
        "collect, store, serve and show this machine's metrics, in one process",
        """examples:
  nodetide run                                    then open http://127.0.0.1:8000/
  nodetide run --listen 127.0.0.1:9000 --data-dir /var/lib/nodetide
  nodetide run --policy my-policy.yaml            other intervals, groups, tiers""",
    ),
    (
        "collect",
        "sample this machine and write line protocol, to InfluxDB, a file or standard output",
        """examples:
  nodetide collect --once                         one reading, as a table
  nodetide collect --once --format json
  nodetide collect --dry-run                      what would be written, every second
  nodetide collect --output metrics.lp            append to a file
  nodetide collect --metrics-listen :9101         serve Prometheus metrics as well
  INFLUXDB_URL=http://localhost:8086 INFLUXDB_ORG=my-org INFLUXDB_TOKEN_FILE=token nodetide collect""",
    ),
    (
        "serve",
        "API and page over InfluxDB, or over an embedded store that nothing is collecting into",
        """examples:
  nodetide serve --data-dir /var/lib/nodetide     look at stored data
  INFLUXDB_URL=http://localhost:8086 INFLUXDB_ORG=my-org INFLUXDB_TOKEN_FILE=token nodetide serve""",
    ),
    (
        "upkeep",
        "keep InfluxDB as policies say: buckets, downsampling tasks, windows that were missed",
        """What the operator does for InfluxDB, without Kubernetes; one for each InfluxDB is enough.

examples, with INFLUXDB_URL, INFLUXDB_ORG and INFLUXDB_TOKEN_FILE set:
  nodetide upkeep                                 the default policy's buckets and tiers
  nodetide upkeep --policy policies/              of your own policies, read again when they change
  nodetide upkeep --once                          set everything up, catch up, and end
  nodetide upkeep --token-dir tokens/             and keep tokens for collectors and the API there""",
    ),
    (
        "operate",
        "the operator: keep InfluxDB and every node as the MetricPolicies of a cluster say",
        """Runs in the cluster, or where KUBECONFIG names one.

examples, with INFLUXDB_URL, INFLUXDB_ORG and INFLUXDB_TOKEN_FILE set:
  nodetide operate                                in a pod
  nodetide operate --namespace nodetide --watch-namespaces 'nodetide,team-a'""",
    ),
)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="nodetide",
        description="Node metrics down to once a second: collected, kept in tiers, served and drawn.",
        epilog=f"exit codes:\n{_EXITS}\n\nStart with: nodetide run",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"nodetide {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, text, examples in _COMMANDS:
        sub = commands.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + ".", epilog=examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        if name == "collect":
            _collect_flags(sub)
        if name == "upkeep":
            sub.add_argument("--once", action="store_true", help="do all that is due, and end")
        add_settings(sub, name)
    _policy_parser(commands)
    return parser


def _collect_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--once", action="store_true", help="take one reading, print it and end")
    parser.add_argument("--dry-run", action="store_true", help="print what would be written, and write nothing")
    parser.add_argument(
        "--format", choices=("line", "json", "table"),
        help="line protocol, a JSON object per line, or a table [table for --once on a terminal, else line]",
    )  # fmt: skip


def _policy_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    policy = commands.add_parser(
        "policy", help="work with MetricPolicy files", description="Work with MetricPolicy files.",
    )  # fmt: skip
    actions = policy.add_subparsers(dest="action", metavar="ACTION", required=True)
    validate = actions.add_parser(
        "validate",
        help="check files or directories, and say every problem",
        description="Check MetricPolicy files or directories, and say every problem with its place.",
        epilog="examples:\n  nodetide policy validate my-policy.yaml\n  nodetide policy validate policies/",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    validate.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file, or a directory of them")
    _render_parser(actions)
    for name, text, done in (
        ("plan", "print what would change in InfluxDB, and what data would be lost", "print"),
        ("apply", "make and change buckets and tasks in InfluxDB as policies say", "make"),
    ):
        sub = actions.add_parser(
            name,
            help=text,
            description=f"{text[0].upper() + text[1:]}. Without a PATH: of the default policy.",
            epilog="examples, with INFLUXDB_URL, INFLUXDB_ORG and INFLUXDB_TOKEN_FILE set:\n"
            f"  nodetide policy {name}                            {done} what the default policy needs\n"
            f"  nodetide policy {name} my-policy.yaml\n"
            "The tasks fill tiers from now on; nodetide upkeep also fills them from what is there already.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        sub.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="a file, or a directory of them")
        add_settings(sub, f"policy {name}")


def _render_parser(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    render = actions.add_parser(
        "render",
        help="print alerts as rules for Prometheus",
        description="Print the alerts of MetricPolicy files as rules for Prometheus, which then evaluates them on what "
        "Nodetide's API serves at /metrics. What Prometheus cannot do is said on standard error and at the "
        "head of what is printed.",
        epilog="""examples:
  nodetide policy render --prometheus my-policy.yaml > rules.yaml      for rule_files of prometheus.yml
  promtool check rules rules.yaml
  nodetide policy render --prometheus-operator policies/ | kubectl apply --namespace monitoring --filename -

in prometheus.yml:
  rule_files: [rules.yaml]
  scrape_configs:
  - {job_name: nodetide, scrape_interval: 15s, static_configs: [{targets: ["127.0.0.1:8000"]}]}""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    form = render.add_mutually_exclusive_group(required=True)
    form.add_argument("--prometheus", action="store_true", help="a file of rules")
    form.add_argument(
        "--prometheus-operator", action="store_true", help="a PrometheusRule (monitoring.coreos.com/v1) for each policy"
    )
    render.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file, or a directory of them")


#: What an error means for whoever called us; the first class that fits decides.
_EXIT_OF: tuple[tuple[type[NodetideError], Exit], ...] = (
    (PolicyError, Exit.USAGE),
    (ConfigError, Exit.USAGE),
    (StoreBusy, Exit.IN_USE),
    (ListenError, Exit.IN_USE),
    (StoreCorrupt, Exit.DAMAGED),
    (NodetideError, Exit.FAILED),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; the exit code is one of `Exit`."""
    arguments = build_parser().parse_args(argv)
    try:
        return int(_dispatch(arguments))
    except NodetideError as error:
        print(f"error: {_explain(error)}", file=sys.stderr)
        return next(code for kind, code in _EXIT_OF if isinstance(error, kind))
    except KeyboardInterrupt:
        return Exit.OK
    except BrokenPipeError:
        # The reader of our output (`| head`) has had enough; keep the interpreter from complaining.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK


def _explain(error: NodetideError) -> str:
    if not isinstance(error, PolicyError):
        return str(error)
    place = f" in {error.source}" if error.source else ""
    return "\n  ".join([f"the policy{place} is wrong:", *map(str, error.problems)])


def _dispatch(arguments: argparse.Namespace) -> Exit:
    if arguments.command == "policy" and arguments.action == "validate":
        return Exit(_command("policy").validate(arguments.paths))
    if arguments.command == "policy" and arguments.action == "render":
        return Exit(_command("policy").render(arguments.paths, objects=arguments.prometheus_operator))
    loaded = load_settings(os.environ, dotenv=Path(".env"), overrides=overrides(arguments))
    configure(loaded.settings.log_level)
    if arguments.command == "policy":
        return Exit(getattr(_command("policy"), arguments.action)(arguments.paths, loaded))
    return _start(arguments, loaded)


def _start(arguments: argparse.Namespace, loaded: Loaded) -> Exit:
    for message in unknown_variables(os.environ):
        print(f"warning: {message}", file=sys.stderr)
    try:
        command = _command(arguments.command)
    except ModuleNotFoundError as error:
        extra = {"collect": "collector", "serve": "api", "operate": "operator"}.get(arguments.command, "standalone")
        print(
            f"error: the package {error.name} is missing; install it with: pip install 'nodetide[{extra}]'",
            file=sys.stderr,
        )
        return Exit.MISSING
    return Exit(command.main(arguments, loaded))


def _command(name: str) -> Any:
    """The module of a command, whatever its signature."""
    return importlib.import_module(f"nodetide.commands.{name}")
