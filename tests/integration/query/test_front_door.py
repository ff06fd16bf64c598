"""Query as a process and as a server: start, health, metrics, logs, drain, and calls that are given up."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import asyncpg
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.local.machine.ports import free_port
from flick.errors import Kind
from flick.ids import new_id
from flick.rpc.client import open_channel
from flick.v1 import query_pb2, query_pb2_grpc
from tests.databases import DatabaseServer
from tests.deployables import program
from tests.integration.query.house import QueryHouse, ending
from tests.tiny_auth import make_auth
from tests.waiting import eventually

CPU = "system.cpu.utilization"


async def test_the_process_serves_tells_how_it_does_and_drains_within_seconds(
    postgres: DatabaseServer, telemetry_database: str, redis_url: str, tmp_path: Path
) -> None:
    auth, log, metrics = make_auth(), tmp_path / "query.log", f"127.0.0.1:{free_port()}"
    async with auth.serving() as auth_address:
        environment = {
            "FLICK_QUERY_LISTEN": "127.0.0.1:0",
            "FLICK_QUERY_METRICS_LISTEN": metrics,
            "FLICK_QUERY_DATABASE_URL": postgres.url(database=telemetry_database, role="flick_query"),
            "FLICK_QUERY_SERVICE_SECRET": "canary-secret",
            "FLICK_REDIS_URL": redis_url,
            "FLICK_AUTH_ADDRESS": auth_address,
        }
        organization_id = str(new_id())
        _, metadata = auth.person(organization_id=organization_id)
        server_id = auth.server(organization_id=organization_id)
        async with (
            program("services.query", environment=environment, log=log) as running,
            open_channel(running.address) as channel,
            httpx.AsyncClient() as web,
        ):
            health = await health_pb2_grpc.HealthStub(channel).Check(  # type: ignore[attr-defined]
                health_pb2.HealthCheckRequest(service="flick.v1.QueryService")
            )
            query = query_pb2_grpc.QueryServiceStub(channel)
            await query.SummarizeServers(query_pb2.SummarizeServersRequest(), metadata=metadata)
            page = (await web.get(f"http://{metrics}/metrics")).text
            stream = query.WatchMetrics(query_pb2.WatchMetricsRequest(server_ids=[server_id]), metadata=metadata)
            await stream.wait_for_connection()
            running.process.send_signal(signal.SIGTERM)
            ended = await ending(stream)
            exit_code = await asyncio.wait_for(running.process.wait(), timeout=5)

    assert health.status == health_pb2.HealthCheckResponse.SERVING
    assert 'grpc_server_handled_total{grpc_code="OK",grpc_method="SummarizeServers"' in page
    assert "flick_query_latest_reads_total" in page
    assert ended.kind is Kind.UNAVAILABLE
    assert "watch again" in ended.public
    assert exit_code == 0
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert [one["message"] for one in records][-1] == "stopped"
    assert {one["service"] for one in records} == {"query"}
    assert "canary-secret" not in log.read_text()


async def test_a_missing_setting_is_named() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FLICK_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.query"), env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()

    assert process.returncode == 1
    assert "FLICK_QUERY_DATABASE_URL is not set" in errors.decode()


async def test_the_role_of_query_can_read_and_not_write(postgres: DatabaseServer, telemetry_database: str) -> None:
    connection = await asyncpg.connect(postgres.url(database=telemetry_database, role="flick_query"))
    try:
        for statement in (
            "delete from telemetry.metrics",
            "insert into telemetry.layouts (server_id) values (gen_random_uuid())",
            "update telemetry.processes set snapshot = ''",
            "delete from telemetry.sealed_metrics",
            "update telemetry.sealed_processes set snapshots = ''",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_a_call_that_is_given_up_is_given_up_in_the_database_too(
    house: QueryHouse, postgres: DatabaseServer, telemetry_database: str
) -> None:
    server_id = await house.server()
    blocker = await asyncpg.connect(postgres.url(database=telemetry_database))

    async def waiting() -> int:
        count: int = await house.telemetry.connection.fetchval(
            "select count(*) from pg_locks where not granted and relation = 'telemetry.metrics'::regclass"
        )
        return count

    try:
        async with blocker.transaction():
            await blocker.execute("lock table telemetry.metrics in access exclusive mode")
            request = query_pb2.QueryMetricsRequest(server_id=server_id, names=[CPU])
            call = house.query.QueryMetrics(request, metadata=house.metadata)
            asked = asyncio.ensure_future(call)
            held = await eventually(waiting, lambda count: count == 1, within_s=5, every_s=0.02)
            call.cancel()
            left = await eventually(waiting, lambda count: count == 0, within_s=5, every_s=0.02)
    finally:
        await blocker.close()

    assert held == 1
    assert left == 0
    with pytest.raises(asyncio.CancelledError):
        await asked
