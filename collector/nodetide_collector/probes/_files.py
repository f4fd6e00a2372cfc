"""Reading the host's files on behalf of a probe: what cannot be read is counted, never raised."""

from __future__ import annotations

from collections.abc import Iterator

from nodetide_collector.host import OWN_NAMESPACE, Host, reason
from nodetide_collector.probe import Reading

__all__ = ["MALFORMED", "init_blocks", "needs_linux", "take", "take_init", "take_number"]

MALFORMED = "malformed line"


def take(host: Host, reading: Reading, path: str, absent: str = "") -> bytes | None:
    """The file, or None and a count.

    Args:
        absent: what to count where the file does not exist, when that says more than ``no such file``.
    """
    try:
        return host.read(path)
    except FileNotFoundError as error:
        reading.skip(absent or reason(error))
    except OSError as error:
        reading.skip(reason(error))
    return None


def take_number(host: Host, reading: Reading, path: str, absent: str = "") -> int | None:
    """The one number that the file holds, or None and a count."""
    data = take(host, reading, path, absent)
    if data is None:
        return None
    try:
        return int(data)
    except ValueError:
        reading.skip(MALFORMED)
        return None


def take_init(host: Host, reading: Reading, name: str) -> bytes | None:
    """A file in the view of the host's first process (``net/dev``, ``mountinfo``), or None and a count."""
    blocks = init_blocks(host, reading, name)
    return None if blocks is None else b"".join(blocks)


def init_blocks(host: Host, reading: Reading, name: str, absent: str = "") -> list[bytes] | Iterator[bytes] | None:
    """The same, as blocks of whole lines."""
    failure: OSError | None = None
    for path in host.init_files(name):
        blocks = host.blocks(path)
        try:
            first = next(blocks, b"")
        except OSError as error:
            failure = failure or error
            continue
        if failure is not None:
            reading.skip(OWN_NAMESPACE)
        return _chain(first, blocks, reading)
    if failure is not None:
        reading.skip(absent if absent and isinstance(failure, FileNotFoundError) else reason(failure))
    return None


def _chain(first: bytes, rest: Iterator[bytes], reading: Reading) -> Iterator[bytes]:
    yield first
    try:
        yield from rest
    except OSError as error:
        reading.skip(reason(error))


def needs_linux() -> Reading:
    """What a probe gives where there are no such files."""
    reading = Reading()
    reading.skip("needs Linux: read from the kernel's files")
    return reading
