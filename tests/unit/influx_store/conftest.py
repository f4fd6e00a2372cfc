"""A loaded machine is no reason to fail; what must be bounded here is bounded in steps, not in seconds."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
