"""A gateway over scripted backends, for the tests of one file or of one test."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.integration.gateway.running import Gateway, run_gateway
from tests.integration.gateway.scripted import Backends, make_backends, serve_auth, serve_query

SERVERS = {"s1": "web-1", "s2": "db-1", "s3": "mail"}


@pytest_asyncio.fixture(loop_scope="session")
async def backends() -> AsyncIterator[Backends]:
    """Scripted auth and query, running."""
    made = make_backends(dict(SERVERS))
    async with serve_auth(made), serve_query(made):
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(backends: Backends) -> AsyncIterator[Gateway]:
    """A gateway with the product's limits."""
    async with run_gateway(backends) as running:
        yield running
