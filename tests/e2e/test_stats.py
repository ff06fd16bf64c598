"""What FLick tells of itself after `flick up`, compared with what can be seen from outside."""

import shutil
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from typing import Any

import httpx
import psutil
import pytest

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
        all(one["health"] == "SERVICE_HEALTH_SERVING" and one["cpuUsage"] is not None for one in house["services"])
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
