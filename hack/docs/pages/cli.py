"""The command line reference, from ``--help``."""

from __future__ import annotations

import argparse
import os

from nodetide.cli import build_parser


def render() -> str:
    os.environ["COLUMNS"] = "100"
    parser = build_parser()
    parts = ["# Command line\n", _help(parser)]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                parts += [f"## nodetide {name}\n", _help(sub)]
                for inner in sub._actions:
                    if isinstance(inner, argparse._SubParsersAction):
                        for nested, leaf in inner.choices.items():
                            parts += [f"### nodetide {name} {nested}\n", _help(leaf)]
    return "\n".join(parts)


def _help(parser: argparse.ArgumentParser) -> str:
    return f"```text\n{parser.format_help().rstrip()}\n```\n"
