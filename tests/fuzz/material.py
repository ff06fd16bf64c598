"""Frames as an agent sends them, to be spoilt."""

import itertools
import time
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from flick.ids import new_id
from flick.v1 import ingest_pb2, telemetry_pb2

LIVE, BACKFILL = ingest_pb2.LANE_LIVE, ingest_pb2.LANE_BACKFILL
Request: TypeAlias = ingest_pb2.StreamTelemetryRequest
Response: TypeAlias = ingest_pb2.StreamTelemetryResponse
STEP_NS = 1_000  # what PostgreSQL can tell apart

_steps = itertools.count(1)


def fresh_ns() -> int:
    """A moment of the last minutes that no other sample of this run has."""
    return _BEGAN_NS + next(_steps) * STEP_NS


_BEGAN_NS = time.time_ns() // STEP_NS * STEP_NS - 600 * 10**9


def hello(*, live: int = 1, backfill: int = 1, **more: Any) -> bytes:
    """The first frame. `more`: fields of Hello."""
    lanes = [ingest_pb2.LanePosition(lane=LIVE, seq=live), ingest_pb2.LanePosition(lane=BACKFILL, seq=backfill)]
    message = ingest_pb2.Hello(**{"agent_version": "0", "spool_id": str(new_id()), "lanes": lanes, **more})
    if not message.HasField("send_time"):
        message.send_time.FromNanoseconds(time.time_ns())
    return Request(hello=message).SerializeToString()


def sample(core: Sequence[float] = (0.25, 0.5), **more: Any) -> telemetry_pb2.Sample:
    """A sample. `more`: further fields of Sample."""
    return telemetry_pb2.Sample(**{"time_unix_nano": fresh_ns(), "core": core, **more})


def batch(
    seq: int,
    *samples: telemetry_pb2.Sample,
    lane: int = LIVE,
    layouts: Iterable[telemetry_pb2.Layout] = (),
) -> bytes:
    """A batch; of one plain sample when none is given."""
    message = ingest_pb2.MetricBatch(lane=lane, seq=seq, samples=samples or [sample()], layouts=layouts)  # type: ignore[arg-type]
    return Request(metric_batch=message).SerializeToString()


def layout(number: int, *series: tuple[int, Sequence[str]]) -> telemetry_pb2.Layout:
    """A layout of series: a metric's number and label values each."""
    return telemetry_pb2.Layout(
        layout_id=number,
        series=[telemetry_pb2.Series(metric=metric, label_values=labels) for metric, labels in series],  # type: ignore[arg-type]
    )


def gap(seq: int, *, start_s: int = 1_700_000_000, end_s: int = 1_700_000_060, **more: Any) -> bytes:
    """A gap."""
    message = ingest_pb2.Gap(**{"lane": BACKFILL, "seq": seq, "reason": ingest_pb2.GAP_REASON_SPOOL_FULL, **more})
    message.start_time.seconds, message.end_time.seconds = start_s, end_s
    return Request(gap=message).SerializeToString()


def logs(seq: int, count: int = 3) -> bytes:
    """Log records."""
    records = [ingest_pb2.LogRecord(body="x", attributes={"a": "b"}) for _ in range(count)]
    return Request(log_batch=ingest_pb2.LogBatch(lane=LIVE, seq=seq, records=records)).SerializeToString()


def processes(*found: telemetry_pb2.Process) -> bytes:
    """A snapshot; of one process when none is given."""
    usual = telemetry_pb2.Process(pid=1, name="init", user="root", state="sleeping", cpu_utilization=0.5)
    return telemetry_pb2.ProcessSnapshot(processes=found or [usual]).SerializeToString()


def corpus() -> list[bytes]:
    """One frame of each kind and shape, Hello not among them; those of a lane are its first."""
    declared = layout(1, (500, ["0"]), (520, ["eth0"]))
    live = ingest_pb2.LiveBatch(layouts=[layout(2, (500, ["1"]))], samples=[sample(layout_id=2, labelled=[0.5])])
    pong = ingest_pb2.Pong(ping_id=1, spool=ingest_pb2.SpoolStatus(held_samples=3, degraded_reason="disk"))
    output = ingest_pb2.CommandOutput(command_id="x", data=b"y", exit_code=1)
    return [
        batch(1),
        batch(1, sample(layout_id=1, labelled=[0.5, 7.0], processes=processes()), layouts=[declared]),
        batch(1, *(sample(range(25)) for _ in range(60)), lane=BACKFILL),
        gap(1),
        logs(1),
        Request(live_batch=live).SerializeToString(),
        Request(pong=pong).SerializeToString(),
        Request(command_output=output).SerializeToString(),
    ]
