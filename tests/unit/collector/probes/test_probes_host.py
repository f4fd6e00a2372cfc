"""Reading the host's files."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_collector.host import Host, reason


@given(lines=st.lists(st.binary(max_size=5_000).filter(lambda line: b"\n" not in line), max_size=200))
def test_blocks_are_the_file_in_whole_lines(lines: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("file") / "table"
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    blocks = list(Host().blocks(str(file)))
    assert b"".join(blocks) == file.read_bytes()
    assert all(block.endswith(b"\n") for block in blocks)


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 300_000])
def test_a_file_is_read_whole(size: int, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    assert Host().read(str(file)) == file.read_bytes()


def test_a_line_longer_than_a_block_arrives(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 600_000 + b"\ny\n")
    assert b"".join(Host().blocks(str(file))) == file.read_bytes()


def test_files_are_closed_whatever_happens(tmp_path: Path) -> None:
    def descriptors() -> int:
        """Those of files here alone: this process has others that come and go."""
        found = 0
        for link in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                found += link.readlink().is_relative_to(tmp_path)
        return found

    for _ in range(20):
        with pytest.raises(IsADirectoryError):
            Host().read(str(tmp_path))
        with pytest.raises(FileNotFoundError):
            Host().read(str(tmp_path / "absent"))
    assert descriptors() == 0
    with (tmp_path / "file").open("w"):
        assert descriptors() == 1


def test_reasons_are_few() -> None:
    assert reason(OSError(errno.ENOENT, "x", "/some/path")) == "no such file"
    assert reason(OSError(errno.EACCES, "x", "/some/path")) == reason(OSError(errno.EPERM, "x")) == "permission denied"
    assert reason(OSError(errno.EIO, "x", "/some/path")) == "read error EIO"
    assert reason(OSError("no number")) == "read error 0"


def test_own_usage_comes_from_our_own_proc(tmp_path: Path) -> None:
    stat = tmp_path / "own/self/stat"
    stat.parent.mkdir(parents=True)
    columns = ["R", *["0"] * 10, "150", "250", *["0"] * 8, "77", "0"]
    stat.write_text(f"4 (a) b) {' '.join(columns)}\n")
    host = Host(proc=tmp_path / "absent", own_proc=tmp_path / "own", linux=True, page_size=4096, clock_ticks=100)
    usage = host.self_usage()
    assert usage is not None
    assert usage.cpu_seconds == 4.0
    assert usage.rss_bytes == 77 * 4096
    stat.write_text("broken")
    assert host.self_usage() is None
    assert Host(linux=False).self_usage() is not None
