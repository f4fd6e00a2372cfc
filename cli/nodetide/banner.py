"""What a person reads when it has started."""

from __future__ import annotations

__all__ = ["banner"]


def banner(url: str, data: str) -> str:
    return f"\nNodetide is running.\n  page    {url}/\n  API     {url}/docs\n  data    {data}\n  Ctrl-C ends it.\n"
