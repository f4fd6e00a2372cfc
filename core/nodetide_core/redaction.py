"""Keeping secrets out of what others say. Pure."""

from __future__ import annotations

import re

__all__ = ["redacted"]

#: A part of a secret that is one by itself: some quote an address with its slashes escaped.
_PART = re.compile("[^/?&=]{8,}")


def redacted(text: str, secret: str | None) -> str:
    """The text with ``***`` for the secret and for its parts; to be used before it is shortened, which might leave half
    of one.

    Args:
        secret: if it is an address, host and port may be said; None and empty: there is none.
    """
    if not secret:
        return text
    rest = secret.partition("://")[2].partition("/")[2] if "://" in secret else secret
    path, _, query = rest.partition("?")
    for hidden in (secret, path, query, *_PART.findall(rest)):
        if len(hidden) > 1:
            text = text.replace(hidden, "***")
    return text
