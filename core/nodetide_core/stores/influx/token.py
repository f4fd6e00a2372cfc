"""API tokens, read again when their file changes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

__all__ = ["TokenSource", "token_file"]

log = logging.getLogger(__name__)

#: The token as it is now; called before every request.
TokenSource = Callable[[], str]


def token_file(path: Path) -> TokenSource:
    """The text of a file, less the white space around it, read at each call.

    While the file cannot be read (a mounted Secret is swapped, say), or is empty, the last token
    goes on being used; without one it is empty, which InfluxDB refuses.
    """
    last = ""
    failing = False

    def read() -> str:
        nonlocal last, failing
        text = ""
        try:
            text = path.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            # A ValueError's message could quote what it could not decode.
            problem = str(error) if isinstance(error, OSError) else "not UTF-8 text"
        else:
            problem = "" if text else "is empty"
            # What HTTP cannot carry in a header is no token; sending it would fail in a less clear way.
            if text and not (text.isascii() and text.isprintable()):
                problem = "holds more than one line of ASCII text"
        if problem:
            if not failing:
                instead = "using the one before" if last else "and there was none before"
                log.error("cannot read the token, %s file=%s error=%s", instead, path, problem)
            failing = True
            return last
        failing = False
        last = text
        return last

    return read
