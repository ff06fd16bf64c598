"""One installation for all tests that only read from it."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.e2e.installation import Installation, flick_up
from tests.folders import reachable_folder


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def installation() -> AsyncIterator[Installation]:
    with reachable_folder() as folder:
        async with flick_up(data_dir=folder / "data") as running:
            yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def client(installation: Installation) -> AsyncIterator[httpx.AsyncClient]:
    async with installation.client() as client:
        await installation.sign_in(client)
        yield client


@pytest.fixture
def token(client: httpx.AsyncClient) -> str:
    return client.headers["Authorization"].removeprefix("Bearer ")


@pytest.fixture
def data_dir(reachable_dir: Path) -> Path:
    return reachable_dir / "data"
