"""Run real servers by hand, until Ctrl-C, to try something against them.

    python hack/realparts/serve.py influxd
    python hack/realparts/serve.py influxd prometheus alertmanager cluster

Says how to reach each. Data and logs are in a new folder, removed at the end, or in --folder,
which must be empty, and stays. `cluster` is a control plane with kwok; `node` one with a real
node, with the project's images on it, and needs root.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from servers import (
    PartMissing,
    StartFailed,
    alertmanager,
    control_plane,
    image_archives,
    influxd,
    kwok,
    prometheus,
    real_node,
    recipes,
)


def _influxd(stack: ExitStack, folder: Path) -> str:
    server = stack.enter_context(influxd(folder))
    return f"{server.url}  org {server.org}  bucket {server.bucket}  token {server.token}"


def _cluster(stack: ExitStack, folder: Path) -> str:
    plane = stack.enter_context(control_plane(folder))
    stack.enter_context(kwok(folder, plane))
    return f"{plane.url}  KUBECONFIG={plane.kubeconfig}"


def _node(stack: ExitStack, folder: Path) -> str:
    archives = image_archives(recipes.all_of_the_chart())
    node = stack.enter_context(real_node(folder))
    node.load(*archives)
    return f"{node.plane.url}  KUBECONFIG={node.plane.kubeconfig}"


_SERVERS: Mapping[str, Callable[[ExitStack, Path], str]] = {
    "influxd": _influxd,
    "prometheus": lambda stack, folder: stack.enter_context(prometheus(folder)).url,
    "alertmanager": lambda stack, folder: stack.enter_context(alertmanager(folder)).url,
    "cluster": _cluster,
    "node": _node,
}


def main(argv: Sequence[str] | None = None) -> int:
    summary, _, rest = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+", choices=_SERVERS, metavar="NAME", help=f"of: {', '.join(_SERVERS)}")
    parser.add_argument("--folder", type=Path, help="where to keep data and logs")
    args = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends in order, as upon Ctrl-C
    with ExitStack() as stack:
        try:
            folder = args.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nodetide-")))
            for name in dict.fromkeys(args.names):
                print(f"{name}: {_SERVERS[name](stack, folder.absolute())}", flush=True)
            print("Ctrl-C ends it.", file=sys.stderr, flush=True)
            signal.pause()
        except (PartMissing, StartFailed, FileExistsError) as error:
            print(error, file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
