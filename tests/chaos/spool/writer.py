"""A process that writes a spool as fast as it can, to be killed: `python -m tests.chaos.spool.writer FILE`.

It says what it did once it is done: `put SECOND`, `sent LANE SEQ SECOND…`, `acked SECOND…`.
"""

import random
import sys
from pathlib import Path

from agent.spool.disk.opening import open_spool
from agent.spool.frame import BACKFILL, LIVE, Entry
from agent.spool.limits import SpoolLimits

SECOND_NS = 10**9
_PAYLOAD_BYTES = 1500


def main(path: Path) -> None:
    """Write until killed."""
    rng = random.Random()
    spool = open_spool(path, limits=SpoolLimits())
    second = spool.last_ns // SECOND_NS
    while True:
        second += 1
        spool.put(Entry(second * SECOND_NS, 0, rng.randbytes(_PAYLOAD_BYTES)))
        _say("put", second)
        lane = rng.choice((LIVE, BACKFILL))
        frame = spool.frame(lane, spool.position(lane))
        if frame is None or rng.random() < 0.3:
            continue
        seconds = [entry.time_ns // SECOND_NS for entry in frame.entries]
        _say("sent", lane, frame.seq, *seconds)
        if rng.random() < 0.7:
            spool.ack(lane, frame.seq)
            _say("acked", lane, frame.seq, *seconds)


def _say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
