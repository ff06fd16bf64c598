"""The gateway and the command line before the real services: sessions that rotate, tokens that end, servers that go."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio
from websockets.exceptions import ConnectionClosed

from flick import tokens
from tests.databases import DatabaseServer
from tests.integration.cli.command import User
from tests.integration.gateway.inhabited import EMAIL, PASSWORD, Inhabited, inhabited_house


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def inhabited(postgres: DatabaseServer, redis_url: str) -> AsyncIterator[Inhabited]:
    async with inhabited_house(postgres=postgres, redis_url=redis_url) as made:
        yield made


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
