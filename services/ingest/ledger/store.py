"""The ledger's streams and events in PostgreSQL, and what is forgotten of it in time."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from flick.clock import Clock, utc
from flick.db.pool import Pool
from flick.db.queries import load_queries
from flick.v1 import delivery_pb2
from services.ingest.ledger.events import Event
from services.ingest.ledger.streams import Claim, Former, Holder, Stream, pack_spool

# An open stream tells of its spool once a minute: one of which nothing was heard for so long died with its process.
PRESUMED_GONE_AFTER = timedelta(minutes=3)

DELIVERIES_KEPT = timedelta(days=32)  # the contract: a span of at most 31 days is answered
EVENTS_KEPT = timedelta(days=90)
STREAMS_KEPT = timedelta(days=90)
EVENTS_PER_SERVER = 1000
PRUNED_EVERY = timedelta(hours=1)

_SUPERSEDED = "Another agent came with a key of this server and took over. Enroll each server by itself."


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What is new of a stream.

    Attributes:
        stream: which one.
        spool, spool_at: how its agent's spool stands, packed, and when that came; None: nothing new.
        clock_offset_s: by how much its agent's clock is ahead of ingest's; None: nothing new.
        ended_at, end_reason: when and why it ended; None: it has not.
    """

    stream: Stream
    spool: bytes | None = None
    spool_at: datetime | None = None
    clock_offset_s: float | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None

    def followed_by(self, newer: "News") -> "News":
        """Both together; they are of the same stream."""
        return News(
            stream=self.stream,
            spool=newer.spool or self.spool,
            spool_at=newer.spool_at or self.spool_at,
            clock_offset_s=self.clock_offset_s if newer.clock_offset_s is None else newer.clock_offset_s,
            ended_at=newer.ended_at or self.ended_at,
            end_reason=newer.end_reason or self.end_reason,
        )


class LedgerStore:
    """Streams and events. Methods raise UNAVAILABLE and DEADLINE_EXCEEDED, as `flick.db.pool` says."""

    def __init__(self, *, pool: Pool) -> None:
        self._pool = pool
        self._queries = load_queries(Path(__file__).with_name("queries.sql"))

    async def claim(self, claims: Sequence[Claim], *, instance_id: uuid.UUID, clock: Clock) -> dict[uuid.UUID, Former]:
        """Make streams of different servers the newest, unless newer ones are.

        Returns those that were the newest before, by server.
        """
        spools = [None if one.spool is None else pack_spool(one.spool) for one in claims]
        async with self._pool.acquire() as connection:
            statement = await connection.prepare(self._queries["claim_streams"])
            now_s = clock.monotonic_s()  # only now: to wait for the database makes no stream younger
            rows = await statement.fetch(
                [one.stream.server_id for one in claims],
                [one.stream.organization_id for one in claims],
                [one.stream.stream_id for one in claims],
                [one.stream.spool_id for one in claims],
                [one.stream.agent_version for one in claims],
                [one.stream.clock_offset_s for one in claims],
                spools,
                [timedelta(seconds=now_s - one.said_hello_at_s) for one in claims],
                instance_id,
                utc(clock),
                PRESUMED_GONE_AFTER,
                delivery_pb2.DELIVERY_EVENT_KIND_SUPERSEDED,
                _SUPERSEDED,
            )
        return {
            row["server_id"]: Former(
                stream_id=row["former_stream_id"],
                spool_id=row["former_spool_id"],
                agent_version=row["former_agent_version"],
                open=row["former_open"],
            )
            for row in rows
        }

    async def claims_of_others(self, *, instance_id: uuid.UUID, within: timedelta) -> Sequence[Holder]:
        """The newest streams that other processes opened within a while."""
        rows = await self._pool.fetch(self._queries["find_claims_of_others"], within, instance_id)
        return [Holder(**row) for row in rows]

    async def update(self, news: Sequence[News]) -> None:
        """Store what is new of streams, in one statement. Of those that are no longer the newest nothing changes."""
        await self._pool.execute(
            self._queries["update_streams"],
            [one.stream.server_id for one in news],
            [one.stream.stream_id for one in news],
            [one.spool for one in news],
            [one.spool_at for one in news],
            [one.ended_at for one in news],
            [one.end_reason for one in news],
            [one.clock_offset_s for one in news],
        )

    async def add_events(self, events: Sequence[Event]) -> None:
        """Store events, in one statement."""
        await self._pool.execute(
            self._queries["add_events"],
            [one.stream.server_id for one in events],
            [one.stream.organization_id for one in events],
            [one.time for one in events],
            [one.kind for one in events],
            [one.count for one in events],
            [one.stream.spool_id for one in events],
            [one.stream.agent_version for one in events],
            [one.detail for one in events],
        )

    async def prune(self) -> None:
        """Forget what is old. To be called every `PRUNED_EVERY`, by any process."""
        await self._pool.execute(self._queries["delete_old_deliveries"], DELIVERIES_KEPT)
        await self._pool.execute(self._queries["delete_old_streams"], STREAMS_KEPT)
        await self._pool.execute(self._queries["delete_old_events"], EVENTS_KEPT)
        await self._pool.execute(self._queries["delete_surplus_events"], 2 * PRUNED_EVERY, EVENTS_PER_SERVER)
