"""The whole house with its first admin and first server: what the gateway's tests before the real services need."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from websockets.asyncio.client import connect

from flick import tokens
from tests.databases import DatabaseServer
from tests.deployables import ROOT, House, house, migrate
from tests.folders import reachable_folder

EMAIL, PASSWORD = "ada@example.org", "a password of good length"


@dataclass
class Inhabited:
    """A running house with its first admin and first server."""

    house: House
    user_id: str
    organization_id: str
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
        """Open the live socket; to be entered."""
        address = self.house.gateway.replace("http", "ws", 1) + "/api/v1/ws"
        return connect(address, subprotocols=["bearer", token], proxy=None)  # type: ignore[list-item]


@asynccontextmanager
async def inhabited_house(*, postgres: DatabaseServer, redis_url: str) -> AsyncIterator[Inhabited]:
    """The house over a database of its own."""
    template = await postgres.template("flick_test_migrated", lambda url: migrate(url=url))
    async with postgres.database(template=template) as database:
        await _bootstrap(postgres.url(database=database, role="flick_auth"))
        with reachable_folder() as folder:
            async with house(postgres=postgres, database=database, redis_url=redis_url, folder=folder) as running:
                async with httpx.AsyncClient(base_url=running.gateway) as client:
                    pair = await client.post("/api/v1/auth/login", json={"email": EMAIL, "password": PASSWORD})
                    client.headers["Authorization"] = f"Bearer {pair.json()['accessToken']}"
                    me = (await client.get("/api/v1/auth/me")).json()
                    server = (await client.get("/api/v1/servers")).json()["servers"][0]
                yield Inhabited(running, me["userId"], server["organizationId"], server["serverId"])


async def _bootstrap(url: str) -> None:
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
