"""The installation as a whole: everything that serves all organizations together."""

import platform
from collections.abc import Sequence
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

from flick.bus.client import Bus
from flick.bus.facts import BusFacts
from flick.clock import Clock
from flick.db.failures import LOST
from flick.errors import FlickError
from flick.rpc.access.watch import AccessWatch
from flick.v1 import stats_pb2
from services.query.metrics import QueryMetrics
from services.query.stats.agents import tell_agents
from services.query.stats.database import DatabaseReader, HouseRows, SizeRows, free_bytes
from services.query.stats.kept import Kept
from services.query.stats.lifetimes import DEFAULT_RETENTION_DAYS, GROWING, Lifetimes
from services.query.stats.overseer import Overseer
from services.query.stats.services import tell_gateway, tell_housekeeping, tell_ingest, tell_service
from services.query.stats.size import Disk, tell_size

SIZE_KEPT_S = 60.0  # PostgreSQL asks the file system for each file of the database
NO_REDIS = "it does not answer; viewers see new values later, nothing is lost"


class Installation:
    """Finds out how the installation does.

    Args:
        database: PostgreSQL.
        bus: Redis.
        overseer: FLick's processes.
        watch: knows how long each server's samples are kept.
        lifetimes: of everything else.
        database_dir: where PostgreSQL keeps its data, if that is on this machine; None: elsewhere.
        metrics: told of sizes.
        clock: tells the time.
    """

    def __init__(
        self,
        *,
        database: DatabaseReader,
        bus: Bus,
        overseer: Overseer,
        watch: AccessWatch,
        lifetimes: Lifetimes,
        database_dir: Path | None,
        metrics: QueryMetrics,
        clock: Clock,
    ) -> None:
        self._database = database
        self._bus = bus
        self._overseer = overseer
        self._watch = watch
        self._lifetimes = lifetimes
        self._database_dir = database_dir
        self._metrics = metrics
        self._clock = clock
        self._started_ns = clock.time_unix_nano()
        self._size = Kept(find=self._find_size, for_s=SIZE_KEPT_S, clock=clock)

    async def find(self) -> stats_pb2.InstallationStats:
        """Everything that can be found out now. What does not answer is told so, and left out."""
        answer = stats_pb2.InstallationStats(
            ingest=tell_ingest(self._overseer.of("ingest")),
            gateway=tell_gateway(self._overseer.of("gateway")),
            housekeeping=tell_housekeeping(self._overseer.of("ingest"), now_s=self._clock.time_unix_nano() / 1e9),
            services=self._services(),
        )
        answer.versions.flick, answer.versions.python = version("flick"), platform.python_version()
        answer.versions.grpc = version("grpcio")
        self._tell_redis(answer, await self.look_at_redis())
        try:
            await self._tell_database(answer)
        except (FlickError, *LOST) as error:
            answer.database.trouble = str(error)
        return answer

    async def look_at_redis(self) -> BusFacts | None:
        """Ask Redis how it does, and note that in query's own metrics."""
        facts = await self._bus.facts()
        if facts is not None:
            self._metrics.redis_bytes.set(facts.used_bytes)
            self._metrics.redis_keys.set(facts.key_count)
        return facts

    async def agents(self) -> stats_pb2.AgentStats:
        """The agents of all organizations, noted in query's own metrics. Raises as `flick.db.pool` says."""
        answer = tell_agents(await self._database.agents(None))
        self._metrics.agents.set(answer.connected_count)
        self._metrics.spooled.set(answer.spools.held_samples)
        return answer

    async def size(self) -> SizeRows:
        """How large the database is, a minute old at most. Raises as `flick.db.pool` says."""
        return await self._size.get()

    async def _find_size(self) -> SizeRows:
        rows = await self._database.size(GROWING)
        self._metrics.database_bytes.set(rows.total_bytes)
        return rows

    async def _tell_database(self, answer: stats_pb2.InstallationStats) -> None:
        house = await self._database.house()
        _tell_house(answer, house)
        answer.agents.CopyFrom(await self.agents())
        now_s = self._clock.time_unix_nano() / 1e9
        oldest = house.unsealed["oldest"]
        retention_days = await self._retention_days(house.server_ids)
        answer.database.CopyFrom(
            tell_size(
                await self.size(),
                lifetimes_s=self._lifetimes.by_table(retention_days),
                sealed_until_s=now_s if oldest is None else oldest.timestamp(),
                now_s=now_s,
                disk=self._disk(),
            )
        )

    async def _retention_days(self, server_ids: Sequence[str]) -> list[int]:
        settings = await self._watch.settings_of(server_ids=server_ids)
        return [one.retention_days or int(DEFAULT_RETENTION_DAYS) for one in settings.values()]

    def _disk(self) -> Disk | None:
        if self._database_dir is None:
            return None
        try:
            return Disk(*free_bytes(self._database_dir))
        except OSError:  # the folder may be another account's, deep below what this one may pass
            return None

    def _services(self) -> list[stats_pb2.ServiceStats]:
        """Every process that this one was told of, and this one."""
        told = [tell_service(one) for one in self._overseer.seen]
        if not self._overseer.of("query"):
            own = stats_pb2.ServiceStats(
                service="query",
                known_by="itself",
                health=stats_pb2.SERVICE_HEALTH_SERVING,
                version=version("flick"),
                process_count=1,
            )
            own.start_time.FromNanoseconds(self._started_ns)
            told.append(own)
        return told

    def _tell_redis(self, answer: stats_pb2.InstallationStats, facts: BusFacts | None) -> None:
        if facts is None:
            answer.redis.trouble = NO_REDIS
            return
        answer.versions.redis = facts.version
        answer.redis.used_bytes = facts.used_bytes
        answer.redis.max_bytes = facts.max_bytes
        answer.redis.key_count = facts.key_count
        answer.redis.evicted_key_count = facts.evicted_key_count
        answer.redis.client_count = facts.client_count
        answer.redis.ping.FromTimedelta(timedelta(seconds=facts.ping_s))
        answer.redis.start_time.FromSeconds(self._clock.time_unix_nano() // 1_000_000_000 - facts.uptime_s)


def _tell_house(answer: stats_pb2.InstallationStats, house: HouseRows) -> None:
    versions, told = house.versions, answer.versions
    told.postgresql, told.timescaledb = versions["postgresql"], versions["timescaledb"] or ""
    told.timescaledb_license = versions["license"] or ""
    for row in house.schemas:
        schema = told.schemas.add(schema=row["schema_name"], number=row["number"], name=row["name"])
        schema.apply_time.FromDatetime(row["apply_time"])
    answer.ingest.processes.extend(
        stats_pb2.IngestStreams(ingest_id=str(row["instance_id"]), stream_count=row["count"])
        for row in house.ingest_streams
    )
    answer.housekeeping.unsealed_hour_count = house.unsealed["count"]
    if house.unsealed["oldest"] is not None:
        answer.housekeeping.oldest_unsealed_time.FromDatetime(house.unsealed["oldest"])
