"""What is rolled up in a database, held against every sample that is stored there."""

import math
import uuid
from collections.abc import Collection, Mapping
from datetime import datetime

from flick.db.pool import Connection
from services.ingest.intake.samples import CORE_COUNT
from services.ingest.rollups.blocks import Rollup, RollupBlock, unpack
from services.ingest.rollups.levels import Level
from tests.integration.ingest.sealing.hours import Servers, everything
from tests.unit.ingest.rollups.brute import HOUR_US, Measured
from tests.unit.ingest.rollups.comparing import compare

ROUNDED = 1e-6  # labelled averages are rounded to 4 bytes at each level
_BLOCKS = """
    select server_id, organization_id, layout_id, count, first_time, last_time, times, weights, weight_places,
        core, labelled
    from telemetry.{} where $1::uuid[] is null or server_id = any($1)
"""


async def rollups(connection: Connection, level: Level, *, servers: Servers = None) -> Mapping[uuid.UUID, list[Rollup]]:
    """All that is rolled up to a level, by server."""
    found: dict[uuid.UUID, list[Rollup]] = {}
    for row in await connection.fetch(_BLOCKS.format(level.table), servers):
        block = dict(row)
        found.setdefault(block.pop("server_id"), []).append(unpack(RollupBlock(**block)))
    return found


async def measured(connection: Connection, *, servers: Servers = None) -> Mapping[uuid.UUID, list[Measured]]:
    """Every sample that is stored, by server."""
    found: dict[uuid.UUID, list[Measured]] = {}
    for (server_id, moment), one in (await everything(connection, servers=servers)).items():
        _, _, core, layout_id, labelled, _ = one
        values = [math.nan if value is None else value for value in (*core, *(labelled or ()))]
        found.setdefault(server_id, []).append(Measured(moment, layout_id, values))
    return found


async def check_level(
    connection: Connection, level: Level, *, servers: Servers = None, but: Collection[tuple[uuid.UUID, datetime]] = ()
) -> int:
    """Assert that a level shows all samples that are stored, but for those of some hours; returns how many they are."""
    left_out = {(server_id, int(hour.timestamp()) * 10**6) for server_id, hour in but}
    samples = {
        server_id: kept
        for server_id, found in (await measured(connection, servers=servers)).items()
        if (kept := [one for one in found if (server_id, one.moment // HOUR_US * HOUR_US) not in left_out])
    }
    found = await rollups(connection, level, servers=servers)
    assert found.keys() == samples.keys()
    for server_id, blocks in found.items():
        compare(blocks, samples[server_id], level.bucket_us, core=CORE_COUNT, rounded=ROUNDED)
    return sum(map(len, samples.values()))


async def due(connection: Connection) -> Mapping[tuple[uuid.UUID, datetime], bool]:
    """Hours that are still to be rolled up, and whether their minutes are made."""
    rows = await connection.fetch("select server_id, hour, has_minutes from telemetry.rollups_due")
    return {(row["server_id"], row["hour"]): row["has_minutes"] for row in rows}
