"""What FLick knows of itself, compared with the database, Redis and the pages that it is read from."""

import platform
import shutil
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import pytest

from flick.errors import Kind
from flick.ids import new_id
from flick.v1 import ingest_pb2, stats_pb2
from tests.databases import DatabaseServer
from tests.integration.query.house import refusal
from tests.integration.query.stats.conftest import StatsHouse, stats_house
from tests.waiting import eventually

SECOND = timedelta(seconds=1)


async def test_agents_are_counted_by_version_and_process(house: StatsHouse) -> None:
    first, second = sorted(str(new_id()) for _ in range(2))
    for agent_version, instance_id in (("1.0.0", first), ("1.0.0", second), ("0.9.0", first)):
        await house.stream(house.operator_id, version=agent_version, instance_id=instance_id)
    await house.stream(house.operator_id, ended=True)
    await house.stream(house.operator_id, opened_ago=timedelta(minutes=4))
    answer = await house.ask()

    assert (answer.agents.known_count, answer.agents.connected_count) == (5, 3)
    assert [(one.version, one.count) for one in answer.agents.versions] == [("1.0.0", 2), ("0.9.0", 1)]
    assert [(one.ingest_id, one.stream_count) for one in answer.installation.ingest.processes] == [
        (first, 2),
        (second, 1),
    ]


async def test_lag_is_that_of_the_newest_sample_of_each_connected_agent(house: StatsHouse) -> None:
    now = datetime.now(UTC)
    for number in range(100):
        server_id = await house.stream(house.operator_id)
        await house.sample(server_id, time=now - 20 * SECOND, lag=timedelta(hours=1))
        await house.sample(server_id, time=now - 10 * SECOND, lag=timedelta(milliseconds=number + 1))
    silent = await house.stream(house.operator_id, ended=True)
    await house.sample(silent, time=now, lag=timedelta(hours=1))
    lag = (await house.ask()).agents.lag

    assert lag.agent_count == 100
    assert [one.ToMilliseconds() for one in (lag.p50, lag.p99, lag.max)] == [50, 99, 100]


async def test_what_waits_in_spools_is_added_up_and_the_oldest_is_named(house: StatsHouse) -> None:
    spools = [
        ingest_pb2.SpoolStatus(held_samples=10, held_bytes=1000),
        ingest_pb2.SpoolStatus(held_samples=5, held_bytes=500, degraded_reason="the disk is full"),
        ingest_pb2.SpoolStatus(),
    ]
    spools[0].oldest_time.FromSeconds(2000)
    spools[1].oldest_time.FromSeconds(1000)
    servers = [await house.stream(house.operator_id, spool=spool) for spool in spools]
    await house.stream(house.operator_id)
    found = (await house.ask()).agents.spools

    assert (found.agent_count, found.held_samples, found.held_bytes, found.degraded_count) == (3, 15, 1500, 1)
    assert (found.oldest_time.seconds, found.oldest_server_id) == (1000, servers[1])


async def test_an_admin_sees_their_own_agents_and_nothing_of_the_installation(house: StatsHouse) -> None:
    own, foreign = str(new_id()), str(new_id())
    admin = await house.admin(own)
    await house.stream(own)
    for _ in range(3):
        await house.stream(foreign)
    await eventually(lambda: house.ask(admin), lambda answer: answer.agents.known_count == 1, within_s=10)
    answer = await house.ask(admin)
    named = await house.ask(admin, own)
    refused = await refusal(house.ask(admin, house.operator_id))

    assert (answer.agents.known_count, named.agents.known_count) == (1, 1)
    assert not answer.HasField("installation")
    assert not named.HasField("installation")
    assert refused.kind is Kind.NOT_FOUND


async def test_the_operator_sees_all_agents_and_their_own(house: StatsHouse) -> None:
    await house.stream(house.operator_id)
    await house.stream(str(new_id()))
    answer = await house.ask()

    assert answer.agents.known_count == 1
    assert answer.installation.agents.known_count == 2


async def test_who_administers_nothing_is_refused(house: StatsHouse) -> None:
    _, viewer = house.auth.person(organization_id=house.operator_id)
    error = await refusal(house.ask(viewer))

    assert error.kind is Kind.PERMISSION_DENIED


async def test_versions_are_those_that_run(house: StatsHouse) -> None:
    versions = (await house.ask()).installation.versions
    extension = await house.connection.fetchval("select extversion from pg_extension where extname = 'timescaledb'")

    assert (versions.flick, versions.grpc) == (version("flick"), version("grpcio"))
    assert versions.python == platform.python_version()
    assert versions.postgresql == await house.connection.fetchval("show server_version")
    assert versions.timescaledb == extension
    assert versions.timescaledb_license == await house.connection.fetchval("show timescaledb.license")
    assert versions.redis == (await house.redis.info())["redis_version"]
    newest = await house.connection.fetchrow(
        "select number, name, apply_time from telemetry.migrations order by number desc limit 1"
    )
    (schema,) = versions.schemas

    assert newest is not None
    assert (schema.schema, schema.number, schema.name) == ("telemetry", newest["number"], newest["name"])
    assert schema.apply_time.ToDatetime(tzinfo=UTC) == newest["apply_time"]


async def test_the_database_is_as_large_as_postgresql_says(house: StatsHouse) -> None:
    database = (await house.ask()).installation.database
    tables = {one.table: one for one in database.tables if one.schema == "telemetry"}
    total = await house.connection.fetchval("select pg_database_size(current_database())")

    assert not database.trouble
    assert database.total_bytes == pytest.approx(total, rel=0.05)
    assert database.total_bytes == sum(one.total_bytes for one in database.tables) + database.other_bytes
    assert {"metrics", "streams", "sealed_metrics", "rollups_1m", "migrations"} <= set(tables)
    assert tables["streams"].index_bytes > 0


async def test_the_disk_is_that_of_the_folder(house: StatsHouse) -> None:
    disk = (await house.ask()).installation.database.disk
    usage = shutil.disk_usage(house.data_dir)

    assert disk.total_bytes == usage.total
    assert disk.free_bytes == pytest.approx(usage.free, rel=0.1)


async def test_without_an_hour_of_samples_there_is_no_forecast_and_that_is_said(house: StatsHouse) -> None:
    forecast = (await house.ask()).installation.database.forecast

    assert "sealed" in forecast.absent_reason
    assert not forecast.HasField("final_time")


async def test_redis_is_as_it_says_itself(house: StatsHouse) -> None:
    found = (await house.ask()).installation.redis
    info = await house.redis.info()

    assert not found.trouble
    assert found.used_bytes == pytest.approx(info["used_memory"], rel=0.5)
    assert found.max_bytes == info["maxmemory"]
    assert found.client_count >= 1
    assert found.ping.ToMicroseconds() > 0
    assert found.start_time.seconds == pytest.approx(datetime.now(UTC).timestamp() - info["uptime_in_seconds"], abs=10)


async def test_rates_and_quantiles_are_those_of_the_pages(house: StatsHouse) -> None:
    async def measured() -> stats_pb2.IngestStats:
        house.ingest.samples.stored.inc(50)
        house.ingest.commits.lag.observe(0.2)
        house.gateway.requests.labels("GET", "200").inc()
        house.gateway.seconds.observe(0.02)
        return (await house.ask()).installation.ingest

    ingest = await eventually(measured, lambda one: one.samples_per_second > 0, within_s=30, every_s=0.2)
    gateway = (await house.ask()).installation.gateway

    assert ingest.samples_per_second > 0
    assert 100 < ingest.commit_lag_p99.ToMilliseconds() <= 250  # the histogram's bucket
    assert gateway.requests_per_second == pytest.approx(ingest.samples_per_second / 50, rel=0.5)
    assert gateway.request_p99.ToMilliseconds() <= 25
    assert ingest.measured_over.ToTimedelta() > timedelta(seconds=1)


async def test_each_process_tells_its_version_and_one_that_is_away_is_told_so(house: StatsHouse) -> None:
    house.ingest.commits.trouble.labels("disk_full").set(1)

    async def troubled() -> dict[str, stats_pb2.ServiceStats]:
        return {one.service: one for one in (await house.ask()).installation.services}

    services = await eventually(
        troubled, lambda found: found["ingest"].health == stats_pb2.SERVICE_HEALTH_TROUBLED, within_s=30
    )

    assert [*services] == ["ingest", "gateway", "auth", "query"]
    assert services["ingest"].health_reason == "commits fail: disk_full"
    assert services["gateway"].health == stats_pb2.SERVICE_HEALTH_SERVING
    assert services["gateway"].version == version("flick")
    assert services["gateway"].resident_bytes > 1_000_000
    assert services["gateway"].known_by == house.targets[1].partition("=")[2]
    assert services["auth"].health == stats_pb2.SERVICE_HEALTH_UNREACHABLE
    assert services["auth"].health_reason
    assert services["query"].known_by == "itself"


async def test_hours_with_rows_that_are_over_wait_to_be_sealed(house: StatsHouse) -> None:
    server_id = await house.stream(house.operator_id)
    oldest = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
    for ago in (0, 1, 5):
        await house.sample(server_id, time=oldest + timedelta(hours=5 - ago), lag=SECOND)
    waits = (await house.ask()).installation.housekeeping

    assert waits.unsealed_hour_count == 2
    assert waits.oldest_unsealed_time.ToDatetime(tzinfo=UTC) == oldest


async def test_what_waits_for_the_leader_of_the_housekeeping_is_what_ingest_tells(house: StatsHouse) -> None:
    house.ingest.sealing.leads.set(1)
    house.ingest.rollups.waiting.set(7)
    house.ingest.rollups.oldest.set(3600)

    async def told() -> stats_pb2.HousekeepingStats:
        return (await house.ask()).installation.housekeeping

    waits = await eventually(told, lambda one: one.unrolled_hour_count == 7, within_s=30)

    assert (waits.leader_count, waits.unrolled_hour_count) == (1, 7)
    assert waits.oldest_unrolled_time.seconds == pytest.approx(datetime.now(UTC).timestamp() - 3600, abs=60)
    assert not waits.HasField("retention_behind")


async def test_an_answer_is_kept_for_some_seconds(house: StatsHouse) -> None:
    before = await house.ask()
    await house.stream(house.operator_id)
    at_once = await house.ask()
    later = await eventually(house.ask, lambda answer: answer.agents.known_count == 1, within_s=20)

    assert (before.agents.known_count, at_once.agents.known_count) == (0, 0)
    assert later.agents.known_count == 1


async def test_while_a_table_is_locked_the_rest_is_told(house: StatsHouse) -> None:
    async with house.connection.transaction():
        await house.connection.execute("lock table telemetry.streams in access exclusive mode")
        answer = await house.ask()

    assert not answer.HasField("agents")
    assert answer.installation.database.trouble
    assert answer.installation.versions.redis
    assert not answer.installation.redis.trouble


async def test_query_s_own_metrics_tell_of_agents_database_and_redis(house: StatsHouse) -> None:
    await house.stream(house.operator_id, spool=ingest_pb2.SpoolStatus(held_samples=12))
    answer = (await house.ask()).installation

    def value(name: str) -> float | None:
        return house.registry.get_sample_value(f"flick_query_{name}")

    assert value("database_bytes") == answer.database.total_bytes
    assert value("redis_used_bytes") == answer.redis.used_bytes
    assert value("redis_keys") == answer.redis.key_count
    assert (value("agents_connected"), value("agents_spooled_samples")) == (1, 12)


async def test_without_redis_that_is_told_and_everything_else_as_well(
    postgres: DatabaseServer, redis_url: str, tmp_path: Path
) -> None:
    nobody = "redis://127.0.0.1:1/0"
    async with stats_house(postgres, redis_url, data_dir=tmp_path, query_redis_url=nobody) as house:
        await house.stream(house.operator_id)
        answer = await house.ask()

    assert "does not answer" in answer.installation.redis.trouble
    assert not answer.installation.redis.HasField("ping")
    assert answer.agents.known_count == 1
    assert answer.installation.database.total_bytes > 0
    assert (answer.installation.versions.redis, bool(answer.installation.versions.postgresql)) == ("", True)
