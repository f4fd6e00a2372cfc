"""A Docker engine of its own, in a world of its own: nothing of it is left in the system when it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .cgroups import remove_group
from .process import Process
from .program import program
from .server import Server

HOST_NAME = "docker-host"
"""What the machine that the engine takes itself to be on is called."""
INTERFACE = "eth7"
"""A network interface that this machine has, and no container."""

# In namespaces of its own: host name, processes, mounts and network, the latter with no way out.
_WORLD = ["--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "--mount", "--propagation", "private", "--net"]
_BEGIN = f"""\
set -e
mount --make-r"$1" /
shift
echo {HOST_NAME} >/proc/sys/kernel/hostname
ip link set lo up
ip link add {INTERFACE} type bridge
ip link set {INTERFACE} up
exec "$@"
"""


class DockerFailed(OSError):
    """A command of Docker's failed; the message has what it said."""


class DockerEngine(Server):
    """A running dockerd. Needs root."""

    def __init__(self, folder: Path, *, mounts: str) -> None:
        # A socket's path may hold 107 bytes, fewer than some folders have.
        self._run = Path("/run") / f"nodetide-docker-{os.getpid()}-{id(self)}"
        self.socket = self._run / "docker.sock"
        self.env = {"DOCKER_HOST": f"unix://{self.socket}", "DOCKER_CONFIG": str(folder / "docker-client")}
        """What a client of it needs in its environment."""
        self._cgroup = f"nodetide-docker-{os.getpid()}-{id(self)}"
        options = [
            f"--host=unix://{self.socket}",
            f"--data-root={folder / 'docker'}",
            f"--exec-root={self._run / 'exec'}",
            f"--pidfile={self._run / 'pid'}",
            f"--cgroup-parent=/{self._cgroup}",
            f"--config-file={_nothing(folder / 'docker.json')}",  # not the system's
        ]
        unshare = shutil.which("unshare") or "unshare"
        argv = [unshare, *_WORLD, "sh", "-c", _BEGIN, "sh", mounts, str(program("dockerd")), *options]
        # unshare takes no other signal while its child runs, and takes the child with it.
        process = Process("dockerd", argv, log=folder / "dockerd.log", polite=signal.SIGKILL)
        super().__init__(process, self._probe)

    def docker(self, *arguments: str | Path, input: str | None = None) -> str:
        """What a command of Docker's client prints. Raises DockerFailed."""
        return self._call(["docker", *map(str, arguments)], input)

    def at_home(self, argv: Sequence[str]) -> str:
        """What a command prints in the network of the machine that the engine takes itself to be on.

        Raises:
            DockerFailed
        """
        return self._call(["nsenter", f"--net=/proc/{self._home()}/ns/net", *argv], None)

    def launch(self) -> None:
        self._run.mkdir(parents=True)
        super().launch()

    def clear(self) -> None:
        """Take away what the kernel leaves of it."""
        subprocess.run(["rm", "-rf", str(self._run)], check=False)
        for group in Path("/sys/fs/cgroup").glob(f"**/{self._cgroup}"):
            remove_group(group)

    def _home(self) -> str:
        """The process in whose network the engine is: the child of unshare."""
        return Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()[0]

    def _probe(self) -> None:
        try:
            json.loads(self.docker("version", "--format", "{{json .Server}}"))["Version"]
        except (ValueError, TypeError, LookupError) as error:  # the client's own half of the answer
            raise DockerFailed(str(error)) from error

    def _call(self, argv: list[str], input: str | None) -> str:
        env = {**os.environ, **self.env}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, input=input, timeout=300)
        if done.returncode != 0:
            raise DockerFailed(f"{' '.join(argv)}: {done.stderr.strip()}")
        return done.stdout


def _nothing(file: Path) -> Path:
    file.write_text("{}")
    return file


@contextmanager
def docker_engine(folder: Path, *, mounts: str = "shared") -> Iterator[DockerEngine]:
    """Run a Docker engine with its data and log in `folder`.

    Args:
        mounts: of the machine that it takes itself to be on: `shared`, as systemd makes them, or `private`.
    """
    engine = DockerEngine(folder, mounts=mounts)
    try:
        engine.start()
        yield engine
    finally:
        engine.stop()
        engine.clear()
