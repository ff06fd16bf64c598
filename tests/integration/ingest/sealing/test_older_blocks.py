"""Hours that were sealed before the catalogue had the metrics that it has now, and samples of them that come again."""

import random

from flick import columns
from flick.v1 import telemetry_pb2
from tests.integration.ingest.sealing.conftest import Sealing
from tests.integration.ingest.sealing.hours import BEGINNING_NS, HOUR_NS, SECOND_NS, Writer, in_rows, sample

IN_TIME_NS = BEGINNING_NS + HOUR_NS
LATE_NS = BEGINNING_NS + 3 * HOUR_NS
FIRST_CATALOGUE = 25  # so many scalars had the first version


def of_the_first_version(count: int) -> list[telemetry_pb2.Sample]:
    rng = random.Random(9)
    found = [sample(BEGINNING_NS + number * 5 * SECOND_NS, rng=rng) for number in range(count)]
    for one in found:
        del one.core[FIRST_CATALOGUE:]
    return found


async def seal_as_then(sealing: Sealing, writer: Writer, samples: list[telemetry_pb2.Sample]) -> None:
    """Seal samples into a block as the first version made it."""
    await writer.write(samples, received_ns=IN_TIME_NS)
    await sealing.round()
    (block,) = await sealing.owner.fetch("select core from telemetry.sealed_metrics")
    narrow = columns.pack("d", columns.unpack(block["core"])[:FIRST_CATALOGUE])
    await sealing.owner.execute("update telemetry.sealed_metrics set core = $1", narrow)


async def widths(sealing: Sealing) -> list[int]:
    """How many scalars each block has, the elder first."""
    rows = await sealing.owner.fetch("select core from telemetry.sealed_metrics order by sealed_at")
    return [columns.Directory.read(row["core"]).columns for row in rows]


async def test_what_an_older_block_holds_is_known_when_it_comes_again(sealing: Sealing) -> None:
    writer, found = sealing.writer(), of_the_first_version(60)
    await seal_as_then(sealing, writer, found)
    more = telemetry_pb2.Sample()
    more.CopyFrom(found[0])
    more.core.append(3e9)  # a metric that the block does not have
    await writer.write([more, *found[10:40]], received_ns=LATE_NS)

    sealing.clock.now_ns = LATE_NS + HOUR_NS
    await sealing.round()

    assert await sealing.deliveries() == {"conflict": 1, "duplicate": 30}
    assert await in_rows(sealing.owner) == {}
    assert await widths(sealing) == [FIRST_CATALOGUE]


async def test_late_samples_join_the_hour_in_a_block_of_what_they_have_measured(sealing: Sealing) -> None:
    writer, found = sealing.writer(), of_the_first_version(60)
    await seal_as_then(sealing, writer, found[::2])
    await writer.write(found[1::2], received_ns=LATE_NS)

    sealing.clock.now_ns = LATE_NS + HOUR_NS
    await sealing.round()

    counts = await sealing.owner.fetchval("select array_agg(count order by sealed_at) from telemetry.sealed_metrics")
    assert counts == [30, 30]
    assert await in_rows(sealing.owner) == {}
    assert await sealing.deliveries() == {}
    assert await widths(sealing) == [FIRST_CATALOGUE, FIRST_CATALOGUE]
