"""Command line flags made from the settings, so that the two cannot disagree.

``NODETIDE_DATA_DIR`` becomes ``--data-dir``, ``INFLUXDB_URL`` becomes ``--influxdb-url``.  A secret
gets no flag: every user of a machine can read its process list.
"""

from __future__ import annotations

import argparse

from nodetide_core.settings import Setting, all_settings

__all__ = ["add_settings", "flag_name", "overrides"]


def flag_name(setting: Setting) -> str:
    """``--data-dir`` for ``NODETIDE_DATA_DIR``."""
    return "--" + setting.name.removeprefix("NODETIDE_").lower().replace("_", "-")


def add_settings(parser: argparse.ArgumentParser, command: str) -> None:
    """A flag for every setting that ``command`` uses; secrets are only named in the help."""
    group = parser.add_argument_group("settings", "each is also an environment variable, or a line in .env")
    secrets = []
    for attribute, setting, default in all_settings():
        if command not in setting.commands:
            continue
        if setting.secret:
            secrets.append(setting)
            continue
        shown = setting.shown_default.strip("`") or ("" if default is None else str(default))
        text = f"{setting.help} {setting.name}" + (f" [{shown}]" if shown else "")
        group.add_argument(
            flag_name(setting),
            dest=f"setting_{attribute}",
            metavar="VALUE",
            help=text.replace("`", "").replace("%", "%%"),
        )
    if secrets:
        names = "; ".join(f"{setting.name}: {setting.help}".replace("`", "") for setting in secrets)
        parser.add_argument_group("secrets", f"from the environment, or a file that NAME_FILE names. {names}")


def overrides(arguments: argparse.Namespace) -> dict[str, str]:
    """The flags given, by variable name."""
    found = {}
    for attribute, setting, _ in all_settings():
        value = getattr(arguments, f"setting_{attribute}", None)
        if value is not None:
            found[setting.name] = value
    return found
