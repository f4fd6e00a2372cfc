"""The files of a spool against a list: nothing lost, nothing twice, and what damage takes is counted."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nodetide_collector.sinks.influx.frames import Batch
from nodetide_collector.sinks.influx.reading import Cut, Limits
from nodetide_collector.sinks.influx.segments import SegmentLog
from nodetide_core.stores.influx.packed import Packed

START = 1_700_002_800


class SpoolMachine(RuleBasedStateMachine):
    """``sent`` are the numbers of lines that were read and acknowledged, in order; a line is a number."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.now = 0.0
        self.next = 0
        self.sent: list[int] = []
        self.lost = 0
        self.dropped = 0
        self.damaged = False
        self.vague = False  # a restart reads the last file's end from the file, so damage there may hide lines
        self.cut: Cut | None = None

    @initialize(segment=st.integers(1, 400), drops=st.booleans(), harm=st.booleans())
    def begin(self, segment: int, drops: bool, harm: bool) -> None:
        self.segment = segment
        self.drops, self.harm = drops, harm
        self.log = self.open()

    def open(self) -> SegmentLog:
        return SegmentLog(self.folder, segment_bytes=self.segment, monotonic=lambda: self.now)

    @rule(count=st.integers(1, 5), hour=st.integers(0, 1), size=st.integers(0, 60))
    def append(self, count: int, hour: int, size: int) -> None:
        numbers = range(self.next, self.next + count)
        body = ",".join(map(str, numbers)).encode() + b";" + random.Random(self.next).randbytes(size)
        time = START + hour * 3600
        self.log.append(Batch(Packed(body, count), time, time))
        self.next += count

    @rule(lines=st.integers(1, 12))
    def read(self, lines: int) -> None:
        self.cut = self.log.read(Limits(lines, 500), self.cut)

    @rule()
    def acknowledge(self) -> None:
        if self.cut is not None:
            assert len({batch.first // 3600 for batch in self.cut.batches}) <= 1
            self.sent += numbers_of(self.cut)
            self.lost += self.cut.lost
            self.log.acknowledge(self.cut)
            self.cut = None

    @precondition(lambda self: self.drops)
    @rule()
    def drop(self) -> None:
        self.dropped += self.log.drop_oldest() or 0

    @rule(seconds=st.sampled_from([1.0, 20.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(tidy=st.booleans())
    def restart(self, tidy: bool) -> None:
        if self.cut is not None and not self.log.holds(self.cut):
            self.lost += self.cut.lost + sum(batch.packed.count for batch in self.cut.batches)
        self.vague = self.vague or self.damaged
        if tidy:
            self.log.sync()
        self.log.close()  # which does nothing to the files, so that it is as good as a kill
        self.cut = None
        self.log = self.open()

    @precondition(lambda self: self.harm)
    @rule(where=st.integers(0, 10**6), bit=st.integers(0, 7))
    def flip(self, where: int, bit: int) -> None:
        """Damage some byte of some segment."""
        files = sorted(self.folder.glob("*.seg"))
        total = sum(file.stat().st_size for file in files)
        if total == 0:
            return
        where %= total
        for file in files:
            size = file.stat().st_size
            if where < size:
                data = bytearray(file.read_bytes())
                data[where] ^= 1 << bit
                with file.open("r+b") as handle:
                    handle.seek(where)
                    handle.write(data[where : where + 1])
                break
            where -= size
        self.damaged = True

    @precondition(lambda self: self.harm)
    @rule()
    def forget_position(self) -> None:
        """What was acknowledged and still is in a file is then read again; a real one is damaged by a power cut."""
        if self.cut is None and self.sent:
            self.vague = self.vague or self.damaged
            self.log.close()
            (self.folder / "position").write_bytes(b"not a position..")
            self.log = self.open()
            self.sent = [number for number in self.sent if number < self.next - self.log.lines]

    def drain(self) -> None:
        while True:
            self.read(1000)
            if self.cut is None:
                break
            self.acknowledge()

    @invariant()
    def in_order_and_once(self) -> None:
        assert self.sent == sorted(set(self.sent))

    def teardown(self) -> None:
        try:
            if not self.damaged:
                self.restart(tidy=True)
            self.drain()
            assert self.sent == sorted(set(self.sent))
            assert self.log.lines == self.log.pending_bytes == 0
            assert self.log.oldest is None
            if not self.vague:
                assert len(self.sent) + self.lost + self.dropped == self.next
            if not self.damaged and not self.dropped and not self.lost:
                assert self.sent == list(range(self.next))
            self.log.close()
        finally:
            shutil.rmtree(self.folder)


def numbers_of(cut: Cut) -> Iterator[int]:
    for batch in cut.batches:
        yield from map(int, batch.packed.data.partition(b";")[0].split(b","))


TestSpoolModel = SpoolMachine.TestCase
TestSpoolModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
