"""One of 50 viewers stops reading: it costs its gateway a bounded memory, is sent away, and nobody else notices."""

import asyncio
import json
import socket
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psutil
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from deploy.local.machine.ports import free_port
from flick.ids import new_id
from tests.chaos.house.pipeline import Pipeline, pipeline, read_metric
from tests.chaos.load import under_load
from tests.databases import DatabaseServer
from tests.deployables import program
from tests.integration.ingest.schema import telemetry_template
from tests.report import report
from tests.waiting import until

VIEWERS = 50
SERVERS = 10
SAMPLES_EVERY_S = 0.2  # with about 7 KB for each, what waits for the slow viewer reaches its limit within seconds
SOCKETS_OF_USER = 10  # a person may have 20
STALL_S = 10.0  # what the gateway gives a viewer that takes nothing
MORE_MIB = 2.0  # of memory, and
OTHERS_LAG_S = 1.0  # at the 99th percentile; the long form holds both, this one where half of it is enough without
TIMES_THE_LAG = 3.0  # of viewers at another gateway at the same time
LATE_S = 20.0  # until the slow viewer is gone, on a loaded machine


@dataclass
class Viewer:
    """A socket that watches some servers; `lags_s` has the age of each sample that came."""

    connection: ClientConnection
    lags_s: list[float] = field(default_factory=list)

    async def subscribe(self, server_ids: Sequence[str]) -> None:
        """Watch these servers from now on."""
        await self.connection.send(json.dumps({"subscribe": {"subscriptionId": "a", "serverIds": list(server_ids)}}))

    async def read(self) -> None:
        """Take what comes until the socket ends."""
        with suppress(ConnectionClosed):
            async for text in self.connection:
                update = json.loads(text).get("metrics", {}).get("update")
                if update:
                    self.lags_s.append(time.time() - datetime.fromisoformat(update["time"]).timestamp())


@dataclass(frozen=True)
class Gateway:
    """A running gateway."""

    address: str
    metrics: str
    pid: int

    @asynccontextmanager
    async def viewer(self, token: str, *, narrow: bool = False) -> AsyncIterator[Viewer]:
        """A socket on which the viewer is known. A narrow one has hardly any room on its way."""
        options = {"sock": _narrow_socket(self.address), "ping_interval": None} if narrow else {}
        url = f"ws://{self.address}/api/v1/ws"
        async with connect(url, proxy=None, compression=None, subprotocols=["bearer", token], **options) as connection:  # type: ignore[list-item,arg-type]
            assert "ready" in json.loads(await connection.recv())
            yield Viewer(connection)

    def rss_mib(self) -> float:
        """What it holds in memory."""
        return psutil.Process(self.pid).memory_info().rss / 2**20

    async def cut_off(self) -> float:
        """How many viewers were closed with 1013."""
        return await read_metric(self.metrics, "flick_gateway_live_sockets_closed_total", code="1013")


@pytest.mark.timeout(300)
async def test_one_of_fifty_viewers_stops_reading_and_the_others_do_not_notice(
    postgres: DatabaseServer, redis_url: str, tmp_path: Path, long_form: bool
) -> None:
    steady_s = 30.0 if long_form else 1.5
    async with AsyncExitStack() as stack:
        template = await telemetry_template(postgres)
        database = await stack.enter_async_context(postgres.database(template=template))
        line = await stack.enter_async_context(
            pipeline(
                postgres=postgres, database=database, redis_url=redis_url, folder=tmp_path, agents=SERVERS,
                interval_s=SAMPLES_EVERY_S,
            )
        )  # fmt: skip
        query_url = postgres.url(database=database, role="flick_query")
        struck, quiet = await stack.enter_async_context(_two_gateways(line, query_url, redis_url, tmp_path))
        tokens, servers = _people(line), [one.server_id for one in line.enrolled]
        near, far = [
            [await stack.enter_async_context(gateway.viewer(token)) for token in some]
            for gateway, some in ((struck, tokens[1::2]), (quiet, tokens[2::2]))
        ]
        slow = await stack.enter_async_context(struck.viewer(tokens[0], narrow=True))
        for number, viewer in enumerate([*near, *far]):
            await viewer.subscribe([servers[number % SERVERS]])
        await slow.subscribe(servers)
        await stack.enter_async_context(under_load(line.agents))
        reading = [asyncio.create_task(viewer.read()) for viewer in (slow, *near, *far)]
        await until(lambda: all(viewer.lags_s for viewer in (slow, *near, *far)), within_s=30)
        await asyncio.sleep(steady_s)
        before_mib = struck.rss_mib()
        slow.connection.transport.pause_reading()
        for viewer in (*near, *far):
            viewer.lags_s.clear()
        began_s, most_mib = time.monotonic(), before_mib
        while not await struck.cut_off() and time.monotonic() - began_s < LATE_S:
            most_mib = max(most_mib, struck.rss_mib())
            await asyncio.sleep(0.2)
        took_s = time.monotonic() - began_s
        dropped = await read_metric(struck.metrics, "flick_gateway_live_frames_dropped_total")
        slow.connection.transport.resume_reading()
        await asyncio.wait_for(slow.connection.wait_closed(), timeout=10)
        code = slow.connection.close_code
        await asyncio.sleep(steady_s)
        alive = [viewer.connection.close_code for viewer in (*near, *far)]
        for task in reading:
            task.cancel()
    near_s, far_s = _p99([lag for one in near for lag in one.lags_s]), _p99([lag for one in far for lag in one.lags_s])
    report(
        "viewers", took_s=round(took_s, 1), more_mib=round(most_mib - before_mib, 2), dropped=dropped,
        near_p99_s=round(near_s, 3), far_p99_s=round(far_s, 3),
    )  # fmt: skip

    assert code == 1013
    assert took_s >= STALL_S
    assert dropped > 0, "its queue never reached the limit"
    assert most_mib - before_mib <= (MORE_MIB if long_form else 2 * MORE_MIB)
    assert alive == [None] * (VIEWERS - 1)
    assert all(viewer.lags_s for viewer in (*near, *far))
    assert near_s <= TIMES_THE_LAG * far_s
    assert near_s <= OTHERS_LAG_S or far_s > OTHERS_LAG_S / 2 or not long_form


@asynccontextmanager
async def _two_gateways(
    line: Pipeline, query_url: str, redis_url: str, folder: Path
) -> AsyncIterator[tuple[Gateway, Gateway]]:
    """Both before the same query: one for the slow viewer, one that shows how the others would do without it."""
    query_environment = {
        "FLICK_QUERY_LISTEN": "127.0.0.1:0",
        "FLICK_QUERY_DATABASE_URL": query_url,
        "FLICK_QUERY_SERVICE_SECRET": "secret",
        "FLICK_REDIS_URL": redis_url,
        "FLICK_AUTH_ADDRESS": line.auth_address,
    }
    async with AsyncExitStack() as stack:
        query = await stack.enter_async_context(
            program("services.query", environment=query_environment, log=folder / "query.log")
        )
        gateways = []
        for name in ("struck", "quiet"):
            metrics = f"127.0.0.1:{free_port()}"
            environment = {
                "FLICK_GATEWAY_LISTEN": "127.0.0.1:0",
                "FLICK_GATEWAY_METRICS_LISTEN": metrics,
                "FLICK_AUTH_ADDRESS": line.auth_address,
                "FLICK_QUERY_ADDRESS": query.address,
                "FLICK_INGEST_ADDRESS": query.address,  # nothing is pushed here
            }
            running = await stack.enter_async_context(
                program("gateway", environment=environment, log=folder / f"{name}.log")
            )
            gateways.append(Gateway(running.address, metrics, running.process.pid))
        yield gateways[0], gateways[1]


def _people(line: Pipeline) -> list[str]:
    """A token for every viewer, of people who may see every server."""
    tokens: list[str] = []
    for _ in range(VIEWERS // SOCKETS_OF_USER):
        user_id = str(new_id())
        for enrolled in line.enrolled:
            _, metadata = line.auth.person(organization_id=enrolled.organization_id, user_id=user_id)
        tokens += [dict(metadata)["authorization"].removeprefix("Bearer ")] * SOCKETS_OF_USER
    return tokens


def _narrow_socket(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    made.connect((host, int(port)))
    made.setblocking(False)
    return made


def _p99(lags_s: Sequence[float]) -> float:
    return statistics.quantiles(lags_s, n=100)[98]
