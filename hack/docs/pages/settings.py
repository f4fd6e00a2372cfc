"""The settings reference, from the settings."""

from __future__ import annotations

from nodetide.flags import flag_name
from nodetide_core.settings import all_settings

INTRO = """# Settings

A value comes from, strongest first: the command line, the environment, `.env` in the working
directory, a secret file, the default. Secrets have no flag, because a process list shows flags: set
the variable, or name a file in `NAME_FILE` (for example `INFLUXDB_TOKEN_FILE=/run/secrets/token`), or
mount a directory with a file called `NAME` and name the directory in `NODETIDE_SECRETS_DIR` (every command
reads secrets from there).

At start a command logs the settings in force and where each came from; secrets only as "(set, not
shown)". A wrong value ends the command with exit code 2 and a message that names the variable and
what is allowed.

| Variable | Flag | Commands | Allowed | Default | Meaning |
|---|---|---|---|---|---|
"""


def render() -> str:
    rows = []
    for _, setting, default in all_settings():
        flag = "" if setting.secret else f"`{flag_name(setting)}`"
        shown = setting.shown_default or (f"`{default}`" if default is not None else "not set")
        rows.append(
            f"| `{setting.name}` | {flag} | {', '.join(f'`{c}`' for c in setting.commands)} "
            f"| {setting.allowed} | {shown} | {setting.help} |"
        )
    return INTRO + "\n".join(rows)
