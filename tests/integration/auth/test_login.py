"""Signing in."""

from flick.v1 import auth_pb2
from tests.integration.auth.house import PASSWORD, AuthHouse, Person, bearer


def login(house: AuthHouse, email: str, password: str):  # type: ignore[no-untyped-def]  # noqa: ANN201
    return house.sessions.Login(auth_pb2.LoginRequest(email=email, password=password))


async def test_the_right_password_opens_a_session(house: AuthHouse, owner: Person) -> None:
    pair = await login(house, owner.email, PASSWORD)

    me = await house.sessions.GetMe(auth_pb2.GetMeRequest(), metadata=bearer(pair.access_token))

    assert (me.user_id, me.email) == (str(owner.user_id), owner.email)
    assert [one.organization.organization_id for one in me.organizations] == [str(owner.organization_id)]
    assert (pair.token_type, pair.expires_in) == ("Bearer", 900)
