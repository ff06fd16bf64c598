"""What is swept away, and what must stay."""

from datetime import timedelta

from flick.db.pool import open_pool
from flick.v1 import auth_pb2
from services.auth.store.housekeeping import Housekeeping
from tests.integration.auth.house import PASSWORD, AuthHouse, Person


async def sweep(house: AuthHouse) -> None:
    async with open_pool(house.config.database_url, application_name="test") as pool:
        await Housekeeping(pool=pool, clock=house.clock).sweep()


async def begin(house: AuthHouse, person: Person) -> str:
    pair = await house.sessions.Login(auth_pb2.LoginRequest(email=person.email, password=PASSWORD))
    return pair.refresh_token


async def count(house: AuthHouse, statement: str, *arguments: object) -> int:
    return int((await house.sql(statement, *arguments))[0]["count"])


async def test_sessions_go_when_their_last_token_has_expired(house: AuthHouse, owner: Person) -> None:
    await begin(house, owner)
    sessions = "select count(*) from auth.sessions where user_id = $1"

    await sweep(house)
    kept = await count(house, sessions, owner.user_id)
    house.clock.advance(timedelta(days=9).total_seconds())
    await sweep(house)

    assert (kept, await count(house, sessions, owner.user_id)) == (1, 0)


async def test_a_used_token_stays_to_betray_its_reuse(house: AuthHouse, owner: Person) -> None:
    first = await begin(house, owner)
    await house.sessions.RefreshToken(auth_pb2.RefreshTokenRequest(refresh_token=first))
    house.clock.advance(timedelta(days=6).total_seconds())

    await sweep(house)

    tokens = "select count(*) from auth.refresh_tokens join auth.sessions using (session_id) where user_id = $1"
    assert await count(house, tokens, owner.user_id) == 2


async def test_expired_join_tokens_go(house: AuthHouse, owner: Person) -> None:
    await house.join_token(owner)
    house.clock.advance(timedelta(days=2).total_seconds())

    await sweep(house)

    tokens = "select count(*) from auth.join_tokens where organization_id = $1"
    assert await count(house, tokens, owner.organization_id) == 0


async def test_of_the_log_of_changes_the_last_minutes_stay(house: AuthHouse, owner: Person) -> None:
    await house.sql("update auth.access_changes set change_time = now() - interval '11 minutes'")
    await house.server(owner)

    await sweep(house)

    [row] = await house.sql("select count(*), max(revision) from auth.access_changes")
    revision = (await house.sql("select revision from auth.access_revision"))[0]["revision"]
    assert (row["count"], row["max"]) == (2, revision)  # the new server and its key
