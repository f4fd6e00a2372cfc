"""Settings: one dataclass, one parser, errors that name the variable. Nothing is read at import time."""

from nodetide_core.settings.load import SECRETS_DIR, Effective, Loaded, load_settings, unknown_variables
from nodetide_core.settings.table import Setting, Settings, all_settings
from nodetide_core.settings.values import Address

__all__ = [
    "SECRETS_DIR",
    "Address",
    "Effective",
    "Loaded",
    "Setting",
    "Settings",
    "all_settings",
    "load_settings",
    "unknown_variables",
]
