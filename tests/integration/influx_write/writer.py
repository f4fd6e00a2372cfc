"""A collector's process as far as InfluxDB is concerned: one tick after the other, much faster than in life.

Arguments: URL, organization, bucket, token file, spool directory, first second, number of seconds.
Prints each second after the sink took it, and in the end what the sink says of itself. SIGTERM ends
it in order. The same points as the tests' `second`.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path

from nodetide_collector.sinks.influx import InfluxConfig, InfluxSink
from nodetide_core.points import Point, make_tags
from nodetide_core.stores.influx.token import token_file

START = 1_763_881_200
PACE = 0.002


def main(url: str, org: str, bucket: str, token: str, spool: str, first: str, count: str) -> None:
    logging.basicConfig(stream=sys.stderr)
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    sink = InfluxSink(InfluxConfig(url, org, token_file(Path(token)), "node-1", Path(spool), flush_interval=0.05))
    cpu, mem = make_tags({"host": "node-1", "cpu": "cpu-total"}), make_tags({"host": "node-1"})
    for number in range(int(first), int(first) + int(count)):
        if stopped:
            break
        time_ = START + number
        sink.write(
            bucket,
            [
                Point("cpu", cpu, {"usage_user": float(number), "time_user": number / 2}, time_),
                Point("mem", mem, {"used": number}, time_),
            ],
        )
        print(number, flush=True)
        time.sleep(PACE)
    sink.flush(0.5 if stopped else 180)
    sink.close()
    print(json.dumps(asdict(sink.stats())), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
