"""An ingest to be spoken to, in a process of its own, and what is asked of it afterwards."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import grpc
import httpx
from prometheus_client.parser import text_string_to_metric_families

from flick.rpc.client import open_channel
from tests.databases import DatabaseServer
from tests.fuzz.material import hello
from tests.fuzz.wire import speak
from tests.integration.ingest.process import IngestProcess, ingest_process
from tests.tiny_auth import Enrolled, make_auth
from tests.waiting import eventually

KEYS = 8
_GRAVE = ("ERROR", "CRITICAL")
ANSWERS = ("stored", "duplicate", "rejected", "returned", "discarded")


@dataclass(frozen=True, kw_only=True)
class Ingest:
    """It serves. `enrolled`: servers whose agents may be spoken for; the first is the healthy one's."""

    process: IngestProcess
    channel: grpc.aio.Channel
    enrolled: Sequence[Enrolled]
    database: asyncpg.Connection
    log: Path
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def metrics(self) -> dict[str, float]:
        """Its figures, each summed over its labels."""
        async with httpx.AsyncClient() as client:
            text = (await client.get(f"http://{self.process.metrics}/metrics")).text
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for one in family.samples:
                found[one.name] = found.get(one.name, 0.0) + one.value
        return found

    async def stored_times(self, enrolled: Enrolled) -> list[int]:
        """When the server's stored samples were measured, nanoseconds since the Unix epoch, in their order."""
        async with self.reading:  # a connection takes one question at a time
            rows = await self.database.fetch(
                "select (extract(epoch from time) * 1000000)::bigint * 1000 as time from telemetry.metrics"
                " where server_id = $1 order by time",
                enrolled.server_id,
            )
        return [row["time"] for row in rows]

    async def unanswered(self) -> float:
        """Samples that came in less those that were answered, once every stream has ended."""

        async def open_streams() -> float:
            return (await self.metrics())["flick_ingest_streams"]

        assert await eventually(open_streams, lambda count: count == 0, every_s=0.05) == 0
        return await eventually(self._unanswered, lambda count: count == 0, within_s=5, every_s=0.05)

    async def _unanswered(self) -> float:
        found = await self.metrics()
        answered = sum(found.get(f"flick_ingest_samples_{answer}_total", 0.0) for answer in ANSWERS)
        return found.get("flick_ingest_samples_received_total", 0.0) - answered

    async def rss_bytes(self) -> float:
        """Resident memory."""
        return (await self.metrics())["process_resident_memory_bytes"]

    @property
    def alive(self) -> bool:
        """Whether the process that was started still runs."""
        return self.process.program.process.returncode is None

    @property
    def complaints(self) -> list[str]:
        """What it logged of errors of its own."""
        lines = self.log.read_text().splitlines()
        return [line for line in lines if not line.startswith("{") or json.loads(line)["level"] in _GRAVE]


@asynccontextmanager
async def serving(*, postgres: DatabaseServer, database: str, redis_url: str, folder: Path) -> AsyncIterator[Ingest]:
    """An ingest that knows every key."""
    auth, log = make_auth(), folder / "ingest.log"
    enrolled = [auth.enroll() for _ in range(KEYS)]
    owner = await asyncpg.connect(postgres.url(database=database))
    try:
        async with (
            ingest_process(postgres=postgres, database=database, redis_url=redis_url, log=log, auth=auth) as process,
            open_channel(process.address) as channel,
        ):
            await asyncio.gather(*(_known(channel, one) for one in enrolled))
            yield Ingest(process=process, channel=channel, enrolled=enrolled, database=owner, log=log)
    finally:
        await owner.close()


async def _known(channel: grpc.aio.Channel, enrolled: Enrolled) -> None:
    async def code() -> grpc.StatusCode:
        return (await speak(channel, key=enrolled.key, frames=[hello()])).code

    assert await eventually(code, lambda code: code is grpc.StatusCode.OK, every_s=0.05) is grpc.StatusCode.OK
