"""The gateway and the command line before the real services: sessions that rotate, tokens that end, servers that go."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from flick import tokens
from tests.databases import DatabaseServer
from tests.deployables import ROOT, House, house, migrate
from tests.folders import reachable_folder
from tests.integration.cli.command import User

EMAIL, PASSWORD = "ada@example.org", "a password of good length"


@dataclass
class Inhabited:
    """A running house with its first admin and first server."""

    house: House
    user_id: str
    server_id: str

    def token(self, *, lifetime_s: int) -> str:
        """An access token of the admin, as auth signs them."""
        return self.house.signer().sign(
            subject=self.user_id,
            audience=tokens.USER_AUDIENCE,
            token_type=tokens.ACCESS_TOKEN_TYPE,
            lifetime_s=lifetime_s,
        )

    def socket(self, token: str) -> connect:
        address = self.house.gateway.replace("http", "ws", 1) + "/api/v1/ws"
        return connect(address, subprotocols=["bearer", token], proxy=None)  # type: ignore[list-item]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def inhabited(postgres: DatabaseServer, redis_url: str) -> AsyncIterator[Inhabited]:
    template = await postgres.template("flick_test_migrated", lambda url: migrate(url=url))
    async with postgres.database(template=template) as database:
        await bootstrap(postgres.url(database=database, role="flick_auth"))
        with reachable_folder() as folder:
            async with house(postgres=postgres, database=database, redis_url=redis_url, folder=folder) as running:
                async with httpx.AsyncClient(base_url=running.gateway) as client:
                    pair = await client.post("/api/v1/auth/login", json={"email": EMAIL, "password": PASSWORD})
                    client.headers["Authorization"] = f"Bearer {pair.json()['accessToken']}"
                    me = (await client.get("/api/v1/auth/me")).json()
                    servers = (await client.get("/api/v1/servers")).json()["servers"]
                yield Inhabited(running, me["userId"], servers[0]["serverId"])


async def bootstrap(url: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.auth", "bootstrap"),
        env={
            **os.environ,
            "FLICK_AUTH_DATABASE_URL": url,
            "FLICK_BOOTSTRAP_EMAIL": EMAIL,
            "FLICK_BOOTSTRAP_PASSWORD": PASSWORD,
        },
        cwd=ROOT,
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert await process.wait() == 0


async def end_of(socket: Any, *, within_s: float) -> tuple[int | None, list[dict[str, Any]]]:
    """The close code, and the frames before it."""
    frames: list[dict[str, Any]] = []
    async with asyncio.timeout(within_s):
        with suppress(ConnectionClosed):
            while True:
                frames.append(json.loads(await socket.recv()))
    return socket.close_code, frames


async def test_a_token_that_ends_closes_the_live_socket(inhabited: Inhabited) -> None:
    began_s = time.monotonic()
    async with inhabited.socket(inhabited.token(lifetime_s=2)) as socket:
        await socket.send(json.dumps({"subscribe": {"subscriptionId": "a", "serverIds": [inhabited.server_id]}}))
        code, frames = await end_of(socket, within_s=8)

    assert frames[0] == {"ready": {}}
    assert code == 4401
    assert frames[-1]["error"]["status"]["details"][0]["reason"] == "TOKEN_EXPIRED"
    assert time.monotonic() - began_s < 7


async def test_a_service_token_may_not_watch(inhabited: Inhabited) -> None:
    token = inhabited.house.signer().sign(
        subject="ingest", audience="auth", token_type=tokens.SERVICE_TOKEN_TYPE, lifetime_s=60
    )
    async with inhabited.socket(token) as socket:
        code, frames = await end_of(socket, within_s=5)

    assert code == 4403
    assert frames[-1]["error"]["status"]["code"] == 7


async def test_commands_at_once_do_not_end_the_session_they_share(inhabited: Inhabited, tmp_path: Path) -> None:
    user = User(home=tmp_path, url=inhabited.house.gateway)
    login = await user.flick("login", "--email", EMAIL, "--password-stdin", stdin=PASSWORD + "\n")
    for _ in range(3):
        document = json.loads(user.credentials.read_text())
        document["installations"][user.url]["expire_time_s"] = 0
        user.credentials.write_text(json.dumps(document))
        outcomes = await asyncio.gather(*(user.flick("servers", "ls", "--json") for _ in range(4)))

        assert [outcome.code for outcome in outcomes] == [0] * 4
    assert login.code == 0


async def test_a_session_ended_elsewhere_is_told(inhabited: Inhabited, tmp_path: Path) -> None:
    user = User(home=tmp_path, url=inhabited.house.gateway)
    await user.flick("login", "--email", EMAIL, "--password-stdin", stdin=PASSWORD + "\n")
    document = json.loads(user.credentials.read_text())
    entry = document["installations"][user.url]
    async with httpx.AsyncClient(base_url=user.url) as client:
        await client.post("/api/v1/auth/logout", json={"refreshToken": entry["refresh_token"]})
    entry["expire_time_s"] = 0
    user.credentials.write_text(json.dumps(document))
    outcome = await user.flick("whoami")

    assert outcome.code == 3
    assert "flick login" in outcome.err


async def test_a_deleted_server_is_no_longer_watched(inhabited: Inhabited) -> None:
    token = inhabited.token(lifetime_s=600)
    async with inhabited.socket(token) as socket:
        await socket.recv()
        await socket.send(json.dumps({"subscribe": {"subscriptionId": "a", "serverIds": [inhabited.server_id]}}))
        async with httpx.AsyncClient(base_url=inhabited.house.gateway) as client:
            headers = {"Authorization": f"Bearer {token}"}
            answer = await client.delete(f"/api/v1/servers/{inhabited.server_id}", headers=headers)
        began_s = time.monotonic()
        async with asyncio.timeout(10):
            while "error" not in (frame := json.loads(await socket.recv())):
                pass

    assert answer.status_code == 200
    assert frame["error"]["status"]["code"] in (5, 16)
    assert time.monotonic() - began_s <= 5
