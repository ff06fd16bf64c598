"""The main job: what this machine does is read back by every door."""

import asyncio
import itertools
import json
import multiprocessing
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from multiprocessing.synchronize import Event
from typing import Any

import grpc
import httpx
import psutil
import pytest
import websockets

from flick.rpc.client import open_channel
from flick.v1 import query_pb2, query_pb2_grpc
from tests.e2e.installation import Installation
from tests.waiting import eventually

CPU = "system.cpu.utilization"
MEMORY = "system.memory.limit"
WITHIN_S = 30.0


def value_of(values: list[Mapping[str, Any]], name: str) -> float:
    return float(next(one["value"] for one in values if one["name"] == name))


async def first_lines(response: httpx.Response, count: int) -> list[str]:
    lines = []
    async for line in response.aiter_lines():
        if line.strip():
            lines.append(line)
        if len(lines) == count:
            break
    return lines


def burn(stop: Event) -> None:
    while not stop.is_set():
        sum(range(10_000))


@pytest.fixture
def busy_processor() -> Iterator[None]:
    """One logical processor works as hard as it can."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    process = context.Process(target=burn, args=(stop,))
    process.start()
    try:
        yield
    finally:
        stop.set()
        process.join()


async def latest(client: httpx.AsyncClient, server_id: str) -> list[Mapping[str, Any]]:
    answer = await client.get(f"/api/v1/servers/{server_id}/metrics:latest")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["values"])


async def test_rest_tells_this_machines_memory_and_processors(
    installation: Installation, client: httpx.AsyncClient
) -> None:
    values = await eventually(lambda: latest(client, installation.server_id), bool)

    assert value_of(values, MEMORY) == psutil.virtual_memory().total
    assert value_of(values, "system.cpu.logical.count") == psutil.cpu_count()


async def test_rest_shows_a_busy_processor(
    installation: Installation, client: httpx.AsyncClient, busy_processor: None
) -> None:
    share = 0.8 / (psutil.cpu_count() or 1)

    async def utilization() -> float:
        values = await latest(client, installation.server_id)
        return value_of(values, CPU) if values else 0.0

    assert await eventually(utilization, lambda found: found >= share) >= share


async def test_history_holds_samples_on_the_five_second_grid(
    installation: Installation, client: httpx.AsyncClient
) -> None:
    async def times() -> list[float]:
        answer = await client.get(f"/api/v1/servers/{installation.server_id}/metrics", params={"names": CPU})
        assert answer.status_code == 200, answer.text
        return [moment for series in answer.json()["series"] for moment in series["times"]]

    found = await eventually(times, lambda moments: len(moments) >= 3)

    assert len(found) >= 3
    assert all(moment % 5 == 0 for moment in found)
    assert [later - earlier for earlier, later in itertools.pairwise(found)] == [5.0] * (len(found) - 1)


async def test_the_delivery_tells_what_is_stored_how_late_and_by_whom(
    installation: Installation, client: httpx.AsyncClient
) -> None:
    async def delivery() -> Mapping[str, Any]:
        answer = await client.get(f"/api/v1/servers/{installation.server_id}/delivery")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    found = await eventually(delivery, lambda one: int(one["committedCount"]) >= 3 and bool(one["stream"]))
    unknown = await client.get("/api/v1/servers/019a0000-0000-7000-8000-000000000001/delivery")

    assert int(found["receivedCount"]) >= int(found["committedCount"]) >= 3
    assert (found["conflictCount"], found["rejected"], found["overflowed"]) == ("0", [], [])
    assert 0 <= float(found["lag"]["p50"].removesuffix("s")) <= float(found["lag"]["p99"].removesuffix("s"))
    assert found["stream"]["connected"]
    assert found["stream"]["agent"]["spoolId"]
    assert unknown.status_code == 404


async def test_processes_name_this_very_test(installation: Installation, client: httpx.AsyncClient) -> None:
    async def pids() -> set[int]:
        answer = await client.get(f"/api/v1/servers/{installation.server_id}/processes")
        assert answer.status_code == 200, answer.text
        return {int(process["pid"]) for process in answer.json()["processes"]}

    found = await eventually(pids, lambda some: bool(some))

    assert found & set(psutil.pids())


async def test_ndjson_sends_a_line_every_second(installation: Installation, client: httpx.AsyncClient) -> None:
    path = f"/api/v1/servers/{installation.server_id}/metrics:watch"
    async with client.stream("GET", path, timeout=WITHIN_S) as response:
        lines = await first_lines(response, 4)
    moments = [json.loads(line)["result"]["time"] for line in lines]

    assert response.headers["content-type"].startswith("application/json")
    assert len(set(moments)) == 4
    assert value_of(json.loads(lines[-1])["result"]["values"], MEMORY) == psutil.virtual_memory().total


async def test_sse_sends_the_same_as_events(installation: Installation, client: httpx.AsyncClient) -> None:
    path = f"/api/v1/servers/{installation.server_id}/metrics:watch"
    headers = {"Accept": "text/event-stream"}
    async with client.stream("GET", path, params={"names": CPU}, headers=headers, timeout=WITHIN_S) as response:
        lines = [line async for line in _until_data(response, 2)]

    assert response.headers["content-type"].startswith("text/event-stream")
    assert all(0 <= value_of(json.loads(line)["result"]["values"], CPU) <= 1 for line in lines)


async def _until_data(response: httpx.Response, count: int) -> AsyncIterator[str]:
    async for line in response.aiter_lines():
        if line.startswith("data:"):
            yield line.removeprefix("data:")
            count -= 1
        if count == 0:
            return


async def test_the_websocket_shows_live_values(installation: Installation, token: str) -> None:
    address = installation.url.replace("http", "ws", 1) + "/api/v1/ws"
    async with asyncio.timeout(WITHIN_S):
        async with websockets.connect(address, subprotocols=["bearer", token]) as sock:  # type: ignore[list-item]
            subscribe = {"subscriptionId": "a", "serverIds": [installation.server_id], "names": [CPU]}
            await sock.send(json.dumps({"subscribe": subscribe}))
            updates: list[Mapping[str, Any]] = []
            while len(updates) < 3:
                frame = json.loads(await sock.recv())
                assert "error" not in frame, frame
                if "metrics" in frame:
                    updates.append(frame["metrics"]["update"])

    assert all(0 <= value_of(update["values"], CPU) <= 1 for update in updates)
    assert len({update["time"] for update in updates}) == 3


async def test_grpc_answers_other_services_directly(installation: Installation, token: str) -> None:
    async with open_channel(installation.ready["grpc"]["query"]) as channel:
        stub: query_pb2_grpc.QueryServiceAsyncStub = query_pb2_grpc.QueryServiceStub(channel)
        metadata = (("authorization", f"Bearer {token}"),)
        request = query_pb2.WatchMetricsRequest(server_ids=[installation.server_id], names=[MEMORY])
        updates: list[query_pb2.WatchMetricsResponse] = []
        async with asyncio.timeout(WITHIN_S):
            call = stub.WatchMetrics(request, metadata=metadata)
            while len(updates) < 3:
                update = await call.read()
                assert isinstance(update, query_pb2.WatchMetricsResponse)
                updates.append(update)
        call.cancel()

    assert all(update.values[0].value == psutil.virtual_memory().total for update in updates)
    assert await call.code() is grpc.StatusCode.CANCELLED


async def test_the_fleet_is_this_machine_and_it_is_online(
    installation: Installation, client: httpx.AsyncClient
) -> None:
    async def summary() -> Mapping[str, Any]:
        return dict((await client.get("/api/v1/servers:summary")).json())

    found = await eventually(summary, lambda answer: answer["onlineCount"] == 1)

    assert (found["totalCount"], found["onlineCount"]) == (1, 1)
    assert found["servers"][0]["serverId"] == installation.server_id


async def test_the_registry_names_this_machine(installation: Installation, client: httpx.AsyncClient) -> None:
    servers = (await client.get("/api/v1/servers")).json()["servers"]

    assert [server["serverId"] for server in servers] == [installation.server_id]
    assert servers[0]["host"]["hostname"] == socket.gethostname()


async def test_a_changed_interval_reaches_the_agent(installation: Installation, client: httpx.AsyncClient) -> None:
    path = f"/api/v1/servers/{installation.server_id}/settings"
    changed = await client.patch(path, json={"metricInterval": "2s"})
    assert changed.status_code == 200, changed.text

    async def gaps() -> set[float]:
        answer = await client.get(f"/api/v1/servers/{installation.server_id}/metrics", params={"names": CPU})
        times = [moment for series in answer.json()["series"] for moment in series["times"]]
        return {later - earlier for earlier, later in itertools.pairwise(times[-3:])}

    try:
        assert await eventually(gaps, lambda found: found == {2.0}) == {2.0}
    finally:
        await client.patch(path, json={"metricInterval": "5s"})
