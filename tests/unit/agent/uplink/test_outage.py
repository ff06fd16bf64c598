"""After a day without ingest everything arrives, and what is measured now does not wait for it."""

from pathlib import Path

from agent.spool.frame import BACKFILL, LIVE, Entry
from agent.spool.limits import SpoolLimits
from agent.uplink.flow import Flow
from flick.v1 import telemetry_pb2
from tests.unit.agent.clock import HandClock
from tests.unit.agent.spool.spools import S, adds_up, on_disk

DAY_SAMPLES = 86_400 // 5
INTERVAL_S = 5
STEP_S = 0.25


def test_after_24_hours_offline_all_is_delivered_and_the_live_lane_never_waits(tmp_path: Path) -> None:
    clock = HandClock()
    spool = on_disk(tmp_path / "spool.db", SpoolLimits())
    payload = telemetry_pb2.Sample(core=[0.5] * 25).SerializeToString()
    for number in range(DAY_SAMPLES):
        spool.put(Entry((number + 1) * INTERVAL_S * S, 0, payload))
    spool.demote()
    flow = Flow(spool=spool, clock=clock, max_batches=8, max_bytes=4 * 1024 * 1024)
    taken, delivered, late = DAY_SAMPLES, [], 0
    began_s, in_backlog = clock.monotonic_s(), DAY_SAMPLES
    newest_first: list[int] = []
    while in_backlog:
        if clock.monotonic_s() >= began_s + (taken - DAY_SAMPLES) * INTERVAL_S:
            taken += 1
            spool.put(Entry(taken * INTERVAL_S * S, 0, payload))
            live = flow.next(LIVE)
            late += live is None or live.metric_batch.samples[0].time_unix_nano != taken * INTERVAL_S * S
            if live is not None:
                delivered += [sample.time_unix_nano for sample in live.metric_batch.samples]
                flow.acked(LIVE, live.metric_batch.seq)
        while (frame := flow.next(BACKFILL)) is not None:
            times = [sample.time_unix_nano for sample in frame.metric_batch.samples]
            newest_first.append(times[0])
            delivered += times
            in_backlog -= len(times)
            flow.acked(BACKFILL, frame.metric_batch.seq)
        clock.pass_by(STEP_S)
    passed_s = clock.monotonic_s() - began_s

    assert late == 0
    assert sorted(delivered) == [number * INTERVAL_S * S for number in range(1, taken + 1)]
    assert newest_first == sorted(newest_first, reverse=True)
    assert DAY_SAMPLES / passed_s > 3 / INTERVAL_S
    assert passed_s < 600, "a day of backlog is gone within ten minutes"
    assert spool.held() == 0
    assert adds_up(spool)
