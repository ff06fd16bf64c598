"""Refresh tokens: exchanged once, betraying whoever uses one twice."""

import asyncio

import grpc
import pytest

from flick.errors import Kind
from flick.v1 import auth_pb2
from tests.integration.auth.house import PASSWORD, AuthHouse, Person, bearer, refusal

BEYOND_RETRY_S = 11
RACES = 40


async def begin(house: AuthHouse, person: Person) -> str:
    pair = await house.sessions.Login(auth_pb2.LoginRequest(email=person.email, password=PASSWORD))
    return pair.refresh_token


async def refresh(house: AuthHouse, token: str) -> auth_pb2.TokenPair:
    return await house.sessions.RefreshToken(auth_pb2.RefreshTokenRequest(refresh_token=token))


async def refused(house: AuthHouse, token: str) -> bool:
    error = await refusal(refresh(house, token))
    assert (error.kind, error.reason) == (Kind.UNAUTHENTICATED, "SESSION_ENDED")
    return True


async def test_a_refresh_token_gives_a_new_pair(house: AuthHouse, owner: Person) -> None:
    first = await begin(house, owner)

    pair = await refresh(house, first)
    me = await house.sessions.GetMe(auth_pb2.GetMeRequest(), metadata=bearer(pair.access_token))

    assert me.user_id == str(owner.user_id)
    assert pair.refresh_token != first


async def test_an_honest_retry_gets_a_pair_that_works(house: AuthHouse, owner: Person) -> None:
    first = await begin(house, owner)
    await refresh(house, first)  # the answer is lost

    again = await refresh(house, first)

    assert (await refresh(house, again.refresh_token)).access_token


async def test_a_late_reuse_ends_the_session(house: AuthHouse, owner: Person) -> None:
    first = await begin(house, owner)
    second = await refresh(house, first)
    house.clock.advance(BEYOND_RETRY_S)

    assert await refused(house, first)
    assert await refused(house, second.refresh_token)


async def test_a_thief_who_comes_first_is_found_when_the_owner_goes_on(house: AuthHouse, owner: Person) -> None:
    stolen = await begin(house, owner)
    thief = await refresh(house, stolen)
    owners = await refresh(house, stolen)  # within the time of an honest retry
    thiefs_next = await refresh(house, thief.refresh_token)

    assert await refused(house, owners.refresh_token)
    assert await refused(house, thiefs_next.refresh_token)


async def test_a_thief_who_comes_second_is_found_when_going_on(house: AuthHouse, owner: Person) -> None:
    stolen = await begin(house, owner)
    owners = await refresh(house, stolen)
    thief = await refresh(house, stolen)
    owners_next = await refresh(house, owners.refresh_token)

    assert await refused(house, thief.refresh_token)
    assert await refused(house, owners_next.refresh_token)


async def test_a_reuse_after_the_child_was_used_ends_the_session_at_once(house: AuthHouse, owner: Person) -> None:
    first = await begin(house, owner)
    second = await refresh(house, first)
    third = await refresh(house, second.refresh_token)

    assert await refused(house, first)
    assert await refused(house, third.refresh_token)


async def test_the_other_sessions_of_the_user_live_on(house: AuthHouse, owner: Person) -> None:
    elsewhere = await begin(house, owner)
    first = await begin(house, owner)
    second = await refresh(house, first)
    await refresh(house, second.refresh_token)
    await refused(house, first)

    assert (await refresh(house, elsewhere)).access_token


async def test_of_tokens_raced_for_only_one_line_goes_on(house: AuthHouse, owner: Person) -> None:
    """Two who present the same token at once may both get a pair; but never can both go on."""
    for _ in range(RACES):
        first = await begin_quickly(house, owner)
        pairs = await asyncio.gather(*(refresh(house, first) for _ in range(3)))

        goes_on = [await works(house, pair.refresh_token) for pair in pairs]

        assert goes_on == [True, False, False]


async def test_children_raced_for_leave_at_most_one_line(house: AuthHouse, owner: Person) -> None:
    for _ in range(RACES):
        first = await begin_quickly(house, owner)
        pairs = await asyncio.gather(*(refresh(house, first) for _ in range(2)))

        outcomes = await asyncio.gather(*(works(house, pair.refresh_token) for pair in pairs))

        assert outcomes.count(True) == 1
        live = "select count(*) from auth.sessions where user_id = $1 and end_time is null"
        assert (await house.sql(live, owner.user_id))[0]["count"] == 0


async def test_a_token_of_eight_days_is_refused(house: AuthHouse, owner: Person) -> None:
    token = await begin(house, owner)
    house.clock.advance(8 * 24 * 3600)

    assert await refused(house, token)


async def test_logging_out_ends_the_session(house: AuthHouse, owner: Person) -> None:
    token = await begin(house, owner)

    await house.sessions.Logout(auth_pb2.LogoutRequest(refresh_token=token))

    assert await refused(house, token)


async def test_logging_out_tells_nothing_of_unknown_tokens(house: AuthHouse) -> None:
    answer = await house.sessions.Logout(auth_pb2.LogoutRequest(refresh_token="flr_of_nobody"))

    assert answer == auth_pb2.LogoutResponse()


@pytest.mark.parametrize("token", ["", "flr", "x" * 100_000, "flk_00_aa_bb"])
async def test_what_is_no_refresh_token_is_refused(house: AuthHouse, token: str) -> None:
    assert await refused(house, token)


async def test_only_a_hash_of_the_token_is_stored(house: AuthHouse, owner: Person) -> None:
    token = await begin(house, owner)

    stored = await house.sql("select t::text as row from auth.refresh_tokens as t")

    secret = token.split("_")[2]
    assert stored
    assert not [row for row in stored if secret in row["row"]]


async def begin_quickly(house: AuthHouse, person: Person) -> str:
    """A session without the work of a login, and none beside it."""
    await house.sql("delete from auth.sessions where user_id = $1", person.user_id)
    return await begin(house, person)


async def works(house: AuthHouse, token: str) -> bool:
    try:
        await refresh(house, token)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNAUTHENTICATED:
            raise
        return False
    return True
