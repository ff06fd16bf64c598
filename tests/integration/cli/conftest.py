"""A gateway over scripted backends, and a user of the command line."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.cli.command import User
from tests.integration.gateway.running import Gateway, run_gateway
from tests.integration.gateway.scripted import Backends, make_backends, serve_auth, serve_query

SERVERS = {"019a0000-0000-7000-8000-000000000001": "web-1", "019b": "db-1", "019c": "mail\x1b[31m"}


@pytest_asyncio.fixture(loop_scope="session")
async def backends() -> AsyncIterator[Backends]:
    """Scripted auth and query, running."""
    made = make_backends(dict(SERVERS))
    async with serve_auth(made), serve_query(made):
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(backends: Backends) -> AsyncIterator[Gateway]:
    """A gateway."""
    async with run_gateway(backends) as running:
        yield running


@pytest.fixture
def user(gateway: Gateway, tmp_path: Path) -> User:
    """Somebody who is not signed in yet."""
    return User(home=tmp_path, url=gateway.url)


@pytest_asyncio.fixture(loop_scope="session")
async def signed_in(user: User) -> User:
    """Somebody who is signed in."""
    await user.sign_in()
    return user
