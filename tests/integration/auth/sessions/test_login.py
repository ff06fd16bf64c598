"""Signing in."""

import asyncio
from collections import Counter

import grpc
import pytest

from flick.errors import Kind
from flick.rpc.status import from_rpc_error
from flick.v1 import auth_pb2
from services.auth.credentials.passwords import MAX_WAITING, PARALLEL, RETRY_AFTER_S
from tests.integration.auth.house import PASSWORD, AuthHouse, Person, bearer, refusal


async def login(house: AuthHouse, email: str, password: str = PASSWORD) -> auth_pb2.TokenPair:
    return await house.sessions.Login(auth_pb2.LoginRequest(email=email, password=password))


async def test_the_right_password_opens_a_session(house: AuthHouse, owner: Person) -> None:
    pair = await login(house, owner.email)

    me = await house.sessions.GetMe(auth_pb2.GetMeRequest(), metadata=bearer(pair.access_token))

    assert (me.user_id, me.email) == (str(owner.user_id), owner.email)
    assert [one.organization.organization_id for one in me.organizations] == [str(owner.organization_id)]
    assert (pair.token_type, pair.expires_in) == ("Bearer", 900)


async def test_the_case_of_an_email_address_does_not_matter(house: AuthHouse, owner: Person) -> None:
    pair = await login(house, owner.email.upper())

    assert pair.refresh_token


async def test_an_unknown_address_and_a_wrong_password_get_the_same_answer(house: AuthHouse, owner: Person) -> None:
    unknown = await refusal(login(house, "nobody@example.org"))
    wrong = await refusal(login(house, owner.email, "wrong password"))

    assert (unknown.kind, unknown.public, unknown.reason) == (wrong.kind, wrong.public, wrong.reason)
    assert wrong.kind is Kind.UNAUTHENTICATED


async def test_an_overlong_password_is_refused_before_any_work(house: AuthHouse, owner: Person) -> None:
    error = await refusal(login(house, owner.email, "x" * 1_000_000))

    assert error.kind is Kind.INVALID_ARGUMENT
    assert error.violations[0].field == "password"


async def test_an_address_that_is_none_is_named(house: AuthHouse) -> None:
    for email in ("", "nobody", "a@", "@b", "a b@example.org", "a\0@example.org", "x" * 400 + "@example.org"):
        error = await refusal(login(house, email))

        assert (error.kind, error.violations[0].field) == (Kind.INVALID_ARGUMENT, "email"), email


async def test_a_flood_of_logins_is_turned_away_with_a_time_to_come_back(house: AuthHouse, owner: Person) -> None:
    async def attempt() -> tuple[str, float | None]:
        try:
            await login(house, owner.email)
        except grpc.aio.AioRpcError as error:
            refused = from_rpc_error(error)
            return refused.kind.name, refused.retry_after_s
        return "OK", None

    outcomes = Counter(await asyncio.gather(*(attempt() for _ in range(3 * (PARALLEL + MAX_WAITING)))))

    assert set(outcomes) == {("OK", None), ("RESOURCE_EXHAUSTED", RETRY_AFTER_S)}
    assert outcomes["OK", None] >= PARALLEL + MAX_WAITING


async def test_while_people_sign_in_other_calls_are_answered(house: AuthHouse, owner: Person) -> None:
    flood = [asyncio.ensure_future(refusal(login(house, owner.email, f"wrong {n}"))) for n in range(20)]
    await asyncio.sleep(0)

    await house.sessions.GetMe(auth_pb2.GetMeRequest(), metadata=owner.metadata, timeout=2)
    unfinished = [one for one in flood if not one.done()]
    await asyncio.gather(*flood)

    assert unfinished


async def test_no_email_address_and_no_secret_is_logged(
    house: AuthHouse, owner: Person, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")

    pair = await login(house, owner.email)
    await refusal(login(house, owner.email, "a wrong password"))
    await house.sessions.Logout(auth_pb2.LogoutRequest(refresh_token=pair.refresh_token))

    logged = "\n".join(str(vars(record)) for record in caplog.records)
    assert "signed in" in logged
    for secret in (owner.email, PASSWORD, "a wrong password", pair.access_token, pair.refresh_token):
        assert secret not in logged
