"""Lines of ``name: number`` or ``name number``, as ``/proc/meminfo`` and ``/proc/vmstat`` have them."""

from __future__ import annotations

from collections.abc import Mapping

from nodetide_collector.probe import Reading
from nodetide_collector.probes._files import MALFORMED

__all__ = ["pick"]


def pick(data: bytes, names: Mapping[bytes, str], separator: bytes, reading: Reading) -> dict[str, int]:
    """Numbers of the lines asked for, under their new names; what is not there is left out."""
    found: dict[str, int] = {}
    for line in data.split(b"\n"):
        key, _, rest = line.partition(separator)
        name = names.get(key)
        if name is not None:
            try:
                found[name] = int(rest.split(None, 1)[0])
            except (ValueError, IndexError):
                reading.skip(MALFORMED)
    return found
