"""Auth without its database: it says so, claims nothing, and recovers by itself."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from flick.errors import Kind
from flick.rpc.status import from_rpc_error
from flick.v1 import access_pb2, auth_pb2
from tests.databases import DatabaseServer
from tests.integration.auth.house import PASSWORD, AuthHouse, auth_house, refusal
from tests.network.wire import Wire, wired
from tests.waiting import eventually

ME = auth_pb2.GetMeRequest()


@pytest_asyncio.fixture(loop_scope="session")
async def lonely(
    postgres: DatabaseServer, empty_database: str, tmp_path: Path
) -> AsyncIterator[tuple[AuthHouse, Wire]]:
    """Auth over a database that can be taken away."""
    async with (
        wired(postgres.url(database=empty_database, role="flick_auth")) as (url, wire),
        auth_house(database_url=url, owner_url=postgres.url(database=empty_database), folder=tmp_path) as house,
    ):
        yield house, wire


async def test_calls_say_that_the_database_is_away_and_work_again_when_it_is_back(
    lonely: tuple[AuthHouse, Wire],
) -> None:
    house, wire = lonely
    person = await house.person()
    login = auth_pb2.LoginRequest(email=person.email, password=PASSWORD)

    wire.cut()
    errors = [await refusal(house.sessions.GetMe(ME, metadata=person.metadata)) for _ in range(3)]
    errors.append(await refusal(house.sessions.Login(login)))
    wire.mend()

    assert {error.kind for error in errors} == {Kind.UNAVAILABLE}
    assert (await house.sessions.GetMe(ME, metadata=person.metadata)).email == person.email
    assert (await house.sessions.Login(login)).access_token


async def test_a_watch_ends_rather_than_claim_what_it_can_not_know(lonely: tuple[AuthHouse, Wire]) -> None:
    house, wire = lonely
    await house.person()
    call = house.access.WatchAccess(access_pb2.WatchAccessRequest(), metadata=house.service_metadata())
    first = await call.read()
    assert isinstance(first, access_pb2.WatchAccessResponse)

    wire.cut()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _read_to_the_end(call)

    assert from_rpc_error(caught.value).kind is Kind.UNAVAILABLE


async def test_changes_are_heard_of_at_once_again_after_an_outage(lonely: tuple[AuthHouse, Wire]) -> None:
    house, wire = lonely
    listening = "select 1 from pg_stat_activity where application_name = 'flick-auth-bell' and datname = $1"
    database = (await house.sql("select current_database()"))[0]["current_database"]
    wire.cut()
    wire.mend()

    assert await eventually(lambda: house.sql(listening, database), bool, within_s=6)


async def _read_to_the_end(call: Any) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass
