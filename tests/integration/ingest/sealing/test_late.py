"""Samples of an hour that is sealed already: what is new is added, the rest is counted, nothing is there twice."""

import random

from flick.v1 import telemetry_pb2
from tests.integration.ingest.sealing.conftest import Sealing
from tests.integration.ingest.sealing.hours import (
    BEGINNING_NS,
    HOUR_NS,
    SECOND_NS,
    chunks,
    everything,
    in_blocks,
    in_rows,
    sample,
    samples,
)

IN_TIME_NS = BEGINNING_NS + HOUR_NS
LATE_NS = BEGINNING_NS + 3 * HOUR_NS


async def seal_late(sealing: Sealing) -> None:
    """A round when what came late is quiet."""
    sealing.clock.now_ns = LATE_NS + HOUR_NS
    await sealing.round()


async def test_new_samples_of_a_sealed_hour_are_added(sealing: Sealing) -> None:
    writer, found = sealing.writer(), samples(100)
    await writer.write(found[::2], received_ns=IN_TIME_NS)
    await sealing.round()
    await writer.write(found[1::2], received_ns=LATE_NS)
    before = await everything(sealing.owner)

    await seal_late(sealing)

    assert len(before) == 100
    assert await in_blocks(sealing.owner) == before
    assert await sealing.deliveries() == {}
    assert await chunks(sealing.owner) == 0


async def test_samples_sent_again_are_duplicates_and_change_nothing(sealing: Sealing) -> None:
    writer, found = sealing.writer(), samples(100, labelled=3)
    await writer.write(found, received_ns=IN_TIME_NS)
    await sealing.round()
    before = await in_blocks(sealing.owner)
    await writer.write(found[10:40], received_ns=LATE_NS)

    await seal_late(sealing)

    assert await in_blocks(sealing.owner) == before
    assert await in_rows(sealing.owner) == {}
    assert await sealing.deliveries() == {"duplicate": 30}
    assert sealing.count("sealed_known_total", outcome="duplicate") == 30
    assert sealing.count("sealed_samples_total") == 100


async def test_samples_sent_again_with_other_content_are_conflicts_and_the_first_content_stays(
    sealing: Sealing,
) -> None:
    writer, found = sealing.writer(), samples(100)
    await writer.write(found, received_ns=IN_TIME_NS)
    await sealing.round()
    before = await in_blocks(sealing.owner)
    other = [one for number, change in enumerate(_CHANGES) for one in [_changed(found[number * 5], change)]]
    await writer.write([*other, *found[60:70]], received_ns=LATE_NS)

    await seal_late(sealing)

    assert await in_blocks(sealing.owner) == before
    assert await in_rows(sealing.owner) == {}
    assert await sealing.deliveries() == {"conflict": len(_CHANGES), "duplicate": 10}


async def test_what_is_new_is_added_among_duplicates_and_conflicts(sealing: Sealing) -> None:
    writer, found = sealing.writer(), samples(90)
    await writer.write(found[:60], received_ns=IN_TIME_NS)
    await sealing.round()
    before = await in_blocks(sealing.owner)
    await writer.write([_changed(found[3], "core"), *found[30:90]], received_ns=LATE_NS)
    late = await in_rows(sealing.owner)

    await seal_late(sealing)

    assert await in_blocks(sealing.owner) == {**late, **before}
    assert await sealing.deliveries() == {"conflict": 1, "duplicate": 30}
    assert sealing.count("sealed_samples_total") == 90


async def test_a_snapshot_that_comes_with_a_sample_sent_again_is_added(sealing: Sealing) -> None:
    writer, found = sealing.writer(), samples(20)
    bare = [_changed(one, "no snapshot") for one in found]
    await writer.write(bare, received_ns=IN_TIME_NS)
    await sealing.round()
    await writer.write(found[:5], received_ns=LATE_NS)

    await seal_late(sealing)

    stored = await in_blocks(sealing.owner)
    assert [bool(content[-1]) for _, content in sorted(stored.items())] == [True] * 5 + [False] * 15
    assert await sealing.deliveries() == {"duplicate": 5}


async def test_a_snapshot_without_its_sample_is_sealed_too(sealing: Sealing) -> None:
    writer, found = sealing.writer(), samples(20)
    await writer.write([_changed(one, "no snapshot") for one in found], received_ns=IN_TIME_NS)
    await sealing.round()
    await sealing.owner.execute(
        "insert into telemetry.processes (time, server_id, organization_id, snapshot)"
        " select first_time, server_id, organization_id, $1 from telemetry.sealed_metrics",
        found[0].processes,
    )

    await seal_late(sealing)

    stored = await in_blocks(sealing.owner)
    assert [content[-1] is not None for _, content in sorted(stored.items())] == [True] + [False] * 19
    assert await in_rows(sealing.owner) == {}
    assert await chunks(sealing.owner) == 0


async def test_late_samples_of_another_layout_at_known_moments_are_conflicts(sealing: Sealing) -> None:
    writer, rng = sealing.writer(), random.Random(7)
    await writer.write(samples(10), received_ns=IN_TIME_NS)
    await sealing.round()
    before = await in_blocks(sealing.owner)
    await writer.write([sample(BEGINNING_NS + 5 * SECOND_NS, rng=rng, layout_id=2, labelled=9)], received_ns=LATE_NS)

    await seal_late(sealing)

    assert await in_blocks(sealing.owner) == before
    assert await sealing.deliveries() == {"conflict": 1}


async def test_an_hour_that_is_filled_again_and_again_stays_right(sealing: Sealing) -> None:
    writer, found, rng = sealing.writer(), samples(200), random.Random(3)
    sent = 0
    for visit in range(6):
        batch = rng.sample(found, 70)
        sent += len(batch)
        await writer.write(batch, received_ns=IN_TIME_NS + visit * HOUR_NS)
        sealing.clock.now_ns = IN_TIME_NS + (visit + 1) * HOUR_NS
        await sealing.round()

    stored = await in_blocks(sealing.owner)
    assert await in_rows(sealing.owner) == {}
    assert await sealing.deliveries() == {"duplicate": sent - len(stored)}
    assert sealing.count("sealed_samples_total") == len(stored)


_CHANGES = ("core", "measured", "not measured", "labelled", "no layout", "snapshot")


def _changed(one: telemetry_pb2.Sample, change: str) -> telemetry_pb2.Sample:
    other = telemetry_pb2.Sample()
    other.CopyFrom(one)
    if change == "core":
        other.core[2] += 1
    elif change == "measured":
        other.core[:] = [0.5] * 25
    elif change == "not measured":
        del other.core[-1]
    elif change == "labelled":
        other.labelled[-1] += 1
    elif change == "no layout":
        other.layout_id = 0
        del other.labelled[:]
    elif change == "snapshot":
        other.processes = telemetry_pb2.ProcessSnapshot(processes=[telemetry_pb2.Process(pid=9)]).SerializeToString()
    elif change == "no snapshot":
        other.processes = b""
    return other
