"""Custom metrics of agents: stored with their layouts, and described for query as the newest layout tells."""

from flick.v1 import ingest_pb2, options_pb2, telemetry_pb2
from tests.integration.ingest.agent import batch, now_ns, sample
from tests.integration.ingest.house import IngestHouse

GAUGE, RATE = options_pb2.METRIC_KIND_GAUGE, options_pb2.METRIC_KIND_RATE


def _layout(number: int, *metrics: telemetry_pb2.CustomMetric) -> telemetry_pb2.Layout:
    series = [
        telemetry_pb2.Series(custom_metric=place, label_values=["x"] * len(metric.label_keys))
        for place, metric in enumerate(metrics, start=1)
    ]
    return telemetry_pb2.Layout(layout_id=number, series=series, custom_metrics=metrics)


async def _described(ingest: IngestHouse) -> list[tuple[object, ...]]:
    rows = await ingest.database.fetch(
        "select name, unit, kind, description, label_keys from telemetry.custom_metrics order by name"
    )
    return [tuple(row) for row in rows]


async def test_values_are_stored_and_their_metrics_described_as_the_newest_layout_does(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    backup = telemetry_pb2.CustomMetric(name="backup_bytes", unit="By", kind=GAUGE, description="Old.")
    jobs = telemetry_pb2.CustomMetric(name="jobs_total", unit="1/s", kind=RATE, label_keys=["queue"])
    more_jobs = telemetry_pb2.CustomMetric(name="jobs_total", unit="1/s", kind=RATE, label_keys=["queue", "user"])
    newer = telemetry_pb2.CustomMetric(name="backup_bytes", unit="By", kind=GAUGE, description="New.")
    at = now_ns()
    async with fresh.agent(enrolled) as agent:
        await agent.hello()
        await agent.send(batch(1, sample(at, layout_id=1, labelled=[1, 2]), layouts=[_layout(1, backup, jobs)]))
        assert await agent.acked(1) == []
        first = await _described(fresh)
        layouts = [_layout(2, newer, jobs, more_jobs)]
        await agent.send(batch(2, sample(at + 1000, layout_id=2, labelled=[3, 4, 5]), layouts=layouts))
        assert await agent.acked(2) == []

    assert first == [("backup_bytes", "By", GAUGE, "Old.", []), ("jobs_total", "1/s", RATE, "", ["queue"])]
    assert await _described(fresh) == [
        ("backup_bytes", "By", GAUGE, "New.", []),
        ("jobs_total", "1/s", RATE, "", ["queue", "user"]),
    ]
    assert [row["labelled"] for row in await fresh.stored(enrolled)] == [[1.0, 2.0], [3.0, 4.0, 5.0]]


async def test_a_layout_with_a_wrong_name_is_refused_with_the_fix(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    wrong = _layout(1, telemetry_pb2.CustomMetric(name="system.uptime", kind=GAUGE))
    async with fresh.agent(enrolled) as agent:
        await agent.hello()
        await agent.send(batch(1, sample(now_ns(), layout_id=1, labelled=[1]), layouts=[wrong]))
        (rejection,) = await agent.acked(1)

    assert rejection.reason == ingest_pb2.REJECTION_REASON_LAYOUT
    assert "'system.uptime'; write letters" in rejection.detail
