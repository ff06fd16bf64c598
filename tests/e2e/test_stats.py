"""What FLick tells of itself after `flick up`, compared with what can be seen from outside."""

import json
import shutil
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from deploy.local.parts import MIGRATIONS
from tests.e2e.installation import Installation
from tests.waiting import eventually

WITHIN_S = 60.0
PARTS = {"auth": "services.auth", "ingest": "services.ingest", "query": "services.query", "gateway": "gateway"}


async def stats(client: httpx.AsyncClient) -> Mapping[str, Any]:
    answer = await client.get("/api/v1/stats")
    assert answer.status_code == 200, answer.text
    found: Mapping[str, Any] = answer.json()
    return found


def complete(found: Mapping[str, Any]) -> bool:
    """Whether every process has been read twice, and the agent has told of its spool."""
    house = found["installation"]
    return (
        all(one["health"] == "SERVICE_HEALTH_SERVING" and "cpuUsage" in one for one in house["services"])
        and float(house["ingest"].get("samplesPerSecond") or 0) > 0
        and found["agents"]["lag"] is not None
    )


async def test_the_first_admin_sees_the_installation_as_it_is(
    installation: Installation, client: httpx.AsyncClient
) -> None:
    found = await eventually(lambda: stats(client), complete, within_s=WITHIN_S)
    house, agents = found["installation"], found["agents"]
    services = {one["service"]: one for one in house["services"]}
    disk = shutil.disk_usage(installation.data_dir)

    assert complete(found), found
    assert agents["connectedCount"] >= 1
    assert {one["version"] for one in agents["versions"]} == {version("flick")}
    assert sum(one["streamCount"] for one in house["ingest"]["processes"]) == house["agents"]["connectedCount"]
    assert 0 < float(house["ingest"]["samplesPerSecond"]) < 100
    assert house["versions"]["flick"] == version("flick")
    assert house["versions"]["timescaledbLicense"] in ("apache", "timescale")
    assert set(services) == set(PARTS)
    assert {one["version"] for one in services.values()} == {version("flick")}
    assert {name: one["knownBy"] for name, one in services.items()} == installation.ready["metrics"]
    assert int(house["database"]["disk"]["totalBytes"]) == disk.total
    assert not house["redis"].get("trouble")
    assert house["housekeeping"]["leaderCount"] == 1


async def test_its_numbers_are_those_of_the_database(installation: Installation, client: httpx.AsyncClient) -> None:
    ports = json.loads((installation.data_dir / "state.json").read_text())["ports"]
    connection = await asyncpg.connect(
        host="127.0.0.1",
        port=ports["postgres"],
        user="flick_query",
        password=(installation.data_dir / "secrets" / "flick_query").read_text().strip(),
        database="flick",
    )
    found = await stats(client)
    house = found["installation"]
    total = await connection.fetchval("select pg_database_size(current_database())")
    streams = await connection.fetchval("select count(*) from telemetry.streams where ended_at is null")
    tables = await connection.fetch(
        "select schemaname, tablename from pg_tables where schemaname in ('auth', 'telemetry')"
    )
    versions = await connection.fetchrow(
        "select current_setting('server_version'), current_setting('timescaledb.license')"
    )
    await connection.close()
    schemas = {one["schema"]: one["number"] for one in house["versions"]["schemas"]}

    assert int(house["database"]["totalBytes"]) == pytest.approx(total, rel=0.3)  # of the last minute
    assert found["agents"]["connectedCount"] == streams
    assert {(one["schema"], one["table"]) for one in house["database"]["tables"]} == {tuple(row) for row in tables}
    assert (house["versions"]["postgresql"], house["versions"]["timescaledbLicense"]) == tuple(versions or ())
    assert schemas == {schema: len(list(folder.glob("*.sql"))) for schema, folder in MIGRATIONS.items()}


@pytest.mark.parametrize("part", PARTS)
async def test_what_a_process_takes_is_what_the_system_says(
    installation: Installation, client: httpx.AsyncClient, part: str
) -> None:
    found = await eventually(lambda: stats(client), complete, within_s=WITHIN_S)
    told = next(one for one in found["installation"]["services"] if one["service"] == part)
    process = installation.child("-m", PARTS[part])

    assert int(told["residentBytes"]) == pytest.approx(process.memory_info().rss, rel=0.3)
    assert psutil.Process(process.pid).create_time() == pytest.approx(_seconds(told["startTime"]), abs=5)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def history(installation: Installation, client: httpx.AsyncClient, name: str) -> list[Mapping[str, Any]]:
    answer = await client.get(f"/api/v1/servers/{installation.server_id}/metrics", params={"names": name})
    if answer.status_code == 400:  # no sample of it came yet, so nobody knows the name
        return []
    assert answer.status_code == 200, answer.text
    return [one for one in answer.json()["series"] if any(map(float, one["values"]))]


@pytest.mark.parametrize(
    ("name", "service", "least", "most"),
    [
        ("flick_ingest_samples_stored_total", "ingest", 0.01, 100),
        ("flick_query_database_bytes", "query", 1e6, 1e12),
        ("process_resident_memory_bytes", "gateway", 1e7, 1e10),
    ],
)
async def test_its_own_figures_are_metrics_of_this_machine(
    installation: Installation, client: httpx.AsyncClient, name: str, service: str, least: float, most: float
) -> None:
    async def told() -> list[Mapping[str, Any]]:
        found = await history(installation, client, name)
        return [one for one in found if one["labels"].get("service") == service]

    (series,) = await eventually(told, bool, within_s=WITHIN_S) or [{}]

    assert series, "nothing came"
    assert least < max(map(float, series["values"])) < most
