"""Points to InfluxDB, through spools that lose nothing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from nodetide_collector.sinks.influx.batches import make_batches
from nodetide_collector.sinks.influx.config import InfluxConfig
from nodetide_collector.sinks.influx.reading import Limits
from nodetide_collector.sinks.influx.root import SpoolRoot
from nodetide_collector.sinks.influx.segments import SegmentLog
from nodetide_collector.sinks.influx.sender import Sender, Times
from nodetide_collector.sinks.influx.spool import Spool
from nodetide_collector.sinks.sink import SinkStats
from nodetide_core.errors import StoreBusy
from nodetide_core.lineprotocol import Encoder
from nodetide_core.points import Point
from nodetide_core.stores.influx.http import Transport

__all__ = ["InfluxSink"]

log = logging.getLogger(__name__)

_SEGMENT_BYTES = 2**20
_JOIN_TIMEOUT = 2.0
_AFTER_A_BUG = 5.0


class InfluxSink:
    """A `Sink`: spools in the caller's thread, sends in one of its own.

    What `close` leaves is on disk, and sent by the next process with the same directory, whatever
    buckets that one writes to by itself.

    Raises:
        StoreBusy: another process has the spool directory.
    """

    def __init__(self, config: InfluxConfig, *, times: Times | None = None) -> None:
        self._config = config
        self._times = times or Times()
        self._root = SpoolRoot(config.spool_dir)
        self._encoder = Encoder()
        self._spools: dict[str, Spool] = {}
        self._transport = Transport(
            config.url, ca_file=config.ca_file, timeout=config.timeout, monotonic=self._times.monotonic
        )
        self._sender = Sender(
            self._transport.request,
            config.token,
            org=config.org,
            where=f"InfluxDB at {config.url}",
            host=config.host,
            flush_interval=config.flush_interval,
            limits=Limits(config.max_lines, config.max_request_bytes),
            times=self._times,
        )
        self._bell = threading.Event()
        self._progress = threading.Condition()
        self._closed = False
        self._late = 0  # points that came after `close`
        self._find_spools()
        self._thread = threading.Thread(target=self._serve, name="nodetide-influx", daemon=True)
        self._thread.start()

    def write(self, bucket: str, points: Sequence[Point]) -> None:
        if self._closed:
            self._late += len(points)
            return
        if not points:
            return
        spool = self._spools.get(bucket) or self._add(bucket)
        for batch in make_batches(self._encoder, points, self._config.max_lines):
            spool.put(batch)
        if spool.lines >= self._sender.lines_per_request:
            self._bell.set()

    def flush(self, timeout: float) -> int:
        self._sender.hurry(True)
        self._bell.set()
        with self._progress:
            self._progress.wait_for(lambda: self._held() == 0, timeout)
        self._sender.hurry(False)
        return self._held()

    def close(self) -> None:
        """Let go; what is held stays on disk for the next process, and what can't is lost, and counted."""
        if self._closed:
            return
        self._closed = True
        self._bell.set()
        self._transport.abort()
        self._thread.join(_JOIN_TIMEOUT)
        held = self._held()
        lost = sum(spool.close() for spool in self._spools.values())
        self._root.unlock()
        if lost:
            log.error("points could not be kept on disk and are lost points=%d", lost)
        if held > lost:
            log.warning(
                "points are left in the spool, for the next start to send points=%d directory=%s",
                held - lost, self._config.spool_dir,
            )  # fmt: skip

    def stats(self) -> SinkStats:
        spools = list(self._spools.values())
        times = [time for spool in spools if (time := spool.oldest) is not None]
        return SinkStats(
            spool_bytes=sum(spool.bytes for spool in spools),
            spool_oldest_s=max(0.0, self._times.wall() - min(times)) if times else 0.0,
            written=self._sender.written,
            dropped=self._late + self._sender.refused + sum(spool.dropped for spool in spools),
        )

    def _held(self) -> int:
        return sum(spool.lines for spool in self._spools.values())

    def _find_spools(self) -> None:
        """Take over what is left from before, also in buckets that nobody writes to any more."""
        try:
            self._root.lock()
            buckets = self._root.buckets()
        except OSError as error:
            log.error("cannot use the spool directory directory=%s error=%s", self._config.spool_dir, error)
            return
        for bucket in buckets:
            self._add(bucket)
        if held := self._held():
            log.info("points were left in the spool points=%d buckets=%s", held, ",".join(buckets))

    def _add(self, bucket: str) -> Spool:
        config = self._config
        spool = self._spools[bucket] = Spool(
            bucket,
            lambda: self._open_log(bucket),
            max_bytes=config.spool_max_bytes,
            memory_bytes=config.memory_max_bytes,
            monotonic=self._times.monotonic,
        )
        self._sender.add(bucket, spool)
        return spool

    def _open_log(self, bucket: str) -> SegmentLog:
        try:
            self._root.lock()
        except StoreBusy as error:  # another process was faster while the directory was out of order
            raise OSError(str(error)) from error
        size = min(_SEGMENT_BYTES, max(1, self._config.spool_max_bytes // 8))
        return SegmentLog(self._root.directory(bucket), segment_bytes=size, monotonic=self._times.monotonic)

    def _serve(self) -> None:
        while not self._closed:
            try:
                wait = self._sender.step()
            except Exception:
                log.exception("sending failed in a way that it must not, trying again")
                wait = _AFTER_A_BUG
            with self._progress:
                self._progress.notify_all()
            if wait > 0:
                self._bell.wait(wait)
                self._bell.clear()
        self._transport.close()
