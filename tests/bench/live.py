"""How old a sample is when a viewer gets it: 500 agents on the whole house, and on a bare relay beside it.

The samples go from a program that plays the agents, over TLS, through ingest, Redis, query and the gateway to sockets
in this process. The clock of one machine tells when each was sent and when it came.
"""

import asyncio
import json
import re
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
from websockets.asyncio.client import connect

from deploy.local.certificates import ensure_certificates
from tests.bench.live_agents import LIVE_INTERVAL_S, sent_ns
from tests.bench.result import Result
from tests.deployables import ROOT, STOP_WITHIN_S, end
from tests.e2e.installation import flick_up
from tests.folders import reachable_folder

AGENTS = 500
WATCHED = 40
VIEWERS = 20
SERVERS_OF_VIEWER = 4  # so that each server has two viewers
WARM_S = 10.0
GOAL_MS = 250.0
ENROLLING_AT_ONCE = 8
OPENED_WITHIN_S = 60.0

_TIME = re.compile(r'"time":"([^"]+)"')


async def measure(steady_s: float) -> list[Result]:
    """Milliseconds from sending to arrival, of all samples that all viewers got within the steady time."""
    house, relay = await _through_the_house(steady_s), await _through_a_relay(steady_s)
    return [
        Result(name="live_p99", value=_percentile(house, 99), unit="ms", goal=GOAL_MS),
        Result(name="live_p99_to_relay", value=_percentile(house, 99), ceiling=_percentile(relay, 99), unit="ms"),
        Result(name="live_p50_to_relay", value=_percentile(house, 50), ceiling=_percentile(relay, 50), unit="ms"),
    ]


async def _through_the_house(steady_s: float) -> list[float]:
    with reachable_folder() as folder:
        async with flick_up(data_dir=folder / "data") as running, running.client() as client:
            token = await running.sign_in(client)
            enrolled = await _enroll(client, AGENTS)
            keys, servers = list(enrolled), list(enrolled.values())
            address, authority = str(running.ready["ingest"]), Path(str(running.ready["ca"]))
            async with _agents(address, authority_file=authority, keys=keys, folder=folder):
                url = running.url.replace("http", "ws", 1) + "/api/v1/ws"
                viewers = [_Viewer(url=url, token=token, servers=share) for share in _shares(servers)]
                return await _watch(viewers, steady_s=steady_s)


async def _through_a_relay(steady_s: float) -> list[float]:
    keys = [f"agent-{number}" for number in range(AGENTS)]
    with reachable_folder() as folder:
        made = ensure_certificates(directory=folder / "tls", names=(), now=datetime.now(tz=UTC))
        arguments = ("tests.bench.ceilings.live_relay", str(made.certificate_file), str(made.key_file))
        async with _program(*arguments) as relay:
            assert relay.stdout is not None
            told = json.loads(await relay.stdout.readline())
            async with _agents(told["streams"], authority_file=made.authority_file, keys=keys, folder=folder):
                viewers = [_Viewer(url=f"{told['sockets']}/?{'&'.join(share)}") for share in _shares(keys)]
                return await _watch(viewers, steady_s=steady_s)


class _Viewer:
    """A socket that keeps what comes and when; it is read after the run, so that reading holds up nothing."""

    def __init__(self, *, url: str, token: str = "", servers: Sequence[str] = ()) -> None:
        self._url = url
        self._token = token
        self._servers = servers
        self.came: list[tuple[int, str | bytes]] = []

    async def watch(self) -> None:
        """Take frames until cancelled."""
        options = {"subprotocols": ["bearer", self._token]} if self._token else {}
        async with connect(self._url, proxy=None, compression=None, max_size=None, **options) as socket:  # type: ignore[arg-type]
            if self._servers:
                await socket.send(json.dumps({"subscribe": {"subscriptionId": "a", "serverIds": self._servers}}))
            async for frame in socket:
                self.came.append((time.time_ns(), frame))

    def lags_ms(self, *, start_ns: int, end_ns: int) -> list[float]:
        """Of every sample that was sent within a span: how old it was when it came."""
        sent = ((_sent_ns(frame), came_ns) for came_ns, frame in self.came)
        return [(came_ns - one) / 1e6 for one, came_ns in sent if start_ns <= one < end_ns]


async def _watch(viewers: Sequence[_Viewer], *, steady_s: float) -> list[float]:
    """Watch for the steady time. Fails where samples are missing: then the rest would tell nothing."""
    watching = [asyncio.create_task(viewer.watch()) for viewer in viewers]
    await asyncio.sleep(WARM_S)
    start_ns = time.time_ns()
    await asyncio.sleep(steady_s)
    end_ns = time.time_ns()
    await asyncio.sleep(2 * LIVE_INTERVAL_S)
    for task in watching:
        assert not task.done() or task.exception() is None, task.exception()
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    lags = [lag for viewer in viewers for lag in viewer.lags_ms(start_ns=start_ns, end_ns=end_ns)]
    wanted = VIEWERS * SERVERS_OF_VIEWER * steady_s / LIVE_INTERVAL_S
    assert len(lags) >= 0.99 * wanted, f"{len(lags)} of {wanted:.0f} samples came"
    return lags


async def _enroll(client: httpx.AsyncClient, count: int) -> dict[str, str]:
    """New servers as agents make them: the key of each, and its id."""
    gate = asyncio.Semaphore(ENROLLING_AT_ONCE)

    async def one(number: int) -> tuple[str, str]:
        async with gate:
            token = await client.post("/api/v1/join-tokens", json={"serverDisplayName": f"server {number}"})
            host = {"hostname": f"host-{number}", "osType": "linux", "osDescription": "Linux", "arch": "amd64"}
            body = {"token": token.json()["token"], "host": host, "agentVersion": "0.0.0"}
            answer = await client.post("/api/v1/servers:enroll", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["agentKey"], answer.json()["server"]["serverId"]

    return dict(await asyncio.gather(*map(one, range(count))))


@asynccontextmanager
async def _agents(address: str, *, authority_file: Path, keys: Sequence[str], folder: Path) -> AsyncIterator[None]:
    (folder / "keys").write_text("\n".join(keys))
    arguments = ("tests.bench.live_agents", address, str(authority_file), str(folder / "keys"), str(WATCHED))
    async with _program(*arguments) as process:
        assert process.stdout is not None
        async with asyncio.timeout(OPENED_WITHIN_S):
            assert await process.stdout.readline() == b"ready\n"
        yield
        assert process.returncode is None, "an agent's stream broke"


@asynccontextmanager
async def _program(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    try:
        yield process
    finally:
        await end(process, within_s=STOP_WITHIN_S)


def _shares(names: Sequence[str]) -> list[Sequence[str]]:
    starts = [number * SERVERS_OF_VIEWER % WATCHED for number in range(VIEWERS)]
    return [names[start : start + SERVERS_OF_VIEWER] for start in starts]


def _sent_ns(frame: str | bytes) -> int:
    if isinstance(frame, bytes):
        return sent_ns(frame)
    found = _TIME.search(frame) if frame.startswith('{"metrics"') else None
    return round(datetime.fromisoformat(found[1]).timestamp() * 1e6) * 1000 if found else 0


def _percentile(lags: Sequence[float], percent: int) -> float:
    return statistics.quantiles(lags, n=100)[percent - 1]
