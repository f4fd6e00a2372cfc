"""A machine within this one: namespaces of its own for processes, mounts, network and name, so that
whatever runs in there ends with it, and nothing of it stays in the system."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from .network import Network
from .process import Process
from .server import Server

_NAMESPACES = ["--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "--mount", "--net"]
#: What a kubelet sets is the whole kernel's: it gets files of its own to write to instead.
_KNOBS = "vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys \
kernel/keys/root_maxbytes"
_UP = "run/nodetide-up"
# What images are unpacked to is in memory: tens of thousands of files are made and gone at once, and none of them
# is left if we are killed. It is in a namespace of its own, for it outlives the machine's.
_BEGIN_DRIVE = """\
set -e
mount -t tmpfs -o mode=711 tmpfs "$1/lib/containerd"
echo $$ >"$1/drive.new"
mv "$1/drive.new" "$1/drive"
exec sleep infinity
"""
_WITH_DRIVE = 'drive=$(cat "$1"); shift; exec nsenter --mount="/proc/$drive/ns/mnt" -- "$@"'
_BEGIN = f"""\
set -e
echo "$2" >/proc/sys/kernel/hostname
mount --bind "$1/log" /var/log
mount --rbind "$1/lib" /var/lib
mount -t tmpfs -o mode=755 tmpfs /run
# What is mounted at /sys shows the network of whoever mounted it.
mkdir /run/cgroup
mount --rbind /sys/fs/cgroup /run/cgroup
umount -R -l /sys
mount -t sysfs sysfs /sys
mount --rbind /run/cgroup /sys/fs/cgroup
umount -R /run/cgroup
rmdir /run/cgroup
for knob in {_KNOBS}; do
  own=/run/knobs/$knob
  mkdir -p "$(dirname "$own")"
  cat "/proc/sys/$knob" >"$own"
  mount --bind "$own" "/proc/sys/$knob"
done
mount --make-rshared /
cd /
touch /{_UP}
trap '' CHLD  # and through exec: the kernel itself buries the orphans
exec sleep infinity
"""


class Machine(Server):
    """One such machine, with a network whose other end is here. Needs root.

    Its /var/lib and /var/log are folders of ours (/var/lib/containerd is in memory), its /run is new at each start,
    the rest of its files is this machine's. A restart is a reboot without any warning: what ran is gone, and the
    folders stay, until `clear`.

    Args:
        folder: where its disk and its log are.
        name: of the host.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.host_name = name
        self.disk = folder / "disk"
        for part in ("lib/containerd", "log"):
            (self.disk / part).mkdir(parents=True)
        self.network = Network.choose()
        shell, unshare = _command("sh"), _command("unshare")
        pid_of_drive = self.disk / "drive"
        drive = [unshare, "--mount", shell, "-c", _BEGIN_DRIVE, shell, str(self.disk)]
        self._drive = Server(
            Process("drive", drive, log=folder / "machine.log", polite=signal.SIGKILL), pid_of_drive.read_text
        )
        argv = [shell, "-c", _WITH_DRIVE, shell, str(pid_of_drive)]
        argv += [unshare, *_NAMESPACES, shell, "-c", _BEGIN, shell, str(self.disk), name]
        # unshare takes no other signal while its child runs, and takes the child with it.
        process = Process("machine", argv, log=folder / "machine.log", polite=signal.SIGKILL)
        super().__init__(process, self._probe)

    @property
    def init(self) -> int:
        """Its first process, by its number here. Raises ProcessLookupError while it is down."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        if not children:
            raise ProcessLookupError(f"{self.name} has no process")
        return int(children[0])

    def launch(self) -> None:
        if not self._drive.running:
            self._drive.start()
        super().launch()

    def await_answer(self) -> None:
        super().await_answer()
        try:
            self.network.connect(self.init)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        super().stop()
        self.network.disconnect()

    def kill(self) -> None:
        super().kill()
        self.network.disconnect()

    def clear(self) -> None:
        """Take its disk away, but for logs, and give its network back; it must be down."""
        self.network.release()
        self._drive.stop()
        shutil.rmtree(self.disk / "lib", ignore_errors=True)

    def entering(self, argv: Sequence[str]) -> list[str]:
        """The command that runs `argv` in there.

        It outlives the polite signals to its group, to tell how the program took them.
        """
        spaces = ["--mount", "--uts", "--net", "--pid", "--wd"]
        enter = [_command("nsenter"), f"--target={self.init}", *spaces, "--"]
        ignoring = [_command("env"), "--ignore-signal=TERM", "--ignore-signal=INT"]
        return [*ignoring, *enter, "env", "--default-signal=TERM", "--default-signal=INT", *argv]

    def run(self, *argv: str | Path, stdin: Path | None = None, timeout: float = 300) -> str:
        """What a command prints that is run in there. Raises CalledProcessError."""
        with Path(stdin or os.devnull).open("rb") as told:
            done = subprocess.run(
                self.entering(list(map(str, argv))), stdin=told, capture_output=True, check=False, timeout=timeout
            )
        if done.returncode != 0:
            raise CommandFailed(done.returncode, argv, done.stdout.decode(), done.stderr.decode(errors="replace"))
        return done.stdout.decode()

    def _probe(self) -> None:
        Path(f"/proc/{self.init}/root/{_UP}").stat()


class CommandFailed(subprocess.CalledProcessError):
    """Its message is the command's."""

    def __str__(self) -> str:
        return f"{super().__str__()}\n{self.stderr.strip()}"


class Inside(Process):
    """A program in a machine, found there anew at each start."""

    def __init__(self, machine: Machine, name: str, argv: Sequence[str], *, log: Path) -> None:
        super().__init__(name, argv, log=log)
        self._machine = machine
        self._program = argv

    def start(self) -> None:
        self._argv = self._machine.entering(self._program)
        super().start()

    def kill(self) -> None:
        group = self.pid if self.running else None
        super().kill()
        # What we wait for there is what entered, not the program itself.
        while group is not None and _exists(group):
            time.sleep(0.005)


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _command(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"no {name} on PATH")
    return found
