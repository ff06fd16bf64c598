"""Who watches: when their token ends, and what they are told of failures."""

import base64
import json

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata

from flick.errors import FlickError, Kind
from flick.rpc.status import DETAILS_KEY, to_status
from gateway.live.viewer import expire_time_s, public_error


def jwt(claims: object) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.c2ln"


def test_the_end_of_a_jwt_is_read() -> None:
    assert expire_time_s(jwt({"exp": 1234.5})) == 1234


@pytest.mark.parametrize(
    "token", ["", "opaque", "a.b.c", "e30.!!!.x", jwt([]), jwt({}), jwt({"exp": "soon"}), "a.b.c.d"]
)
def test_a_token_that_tells_no_end_has_none(token: str) -> None:
    assert expire_time_s(token) is None


def test_what_a_service_says_is_passed_on() -> None:
    status = to_status(FlickError(Kind.NOT_FOUND, "There is no such server."))
    error = AioRpcError(
        grpc.StatusCode.NOT_FOUND, Metadata(), Metadata((DETAILS_KEY, status.SerializeToString())), "details"
    )

    assert public_error(error).public == "There is no such server."


def test_what_the_library_says_of_a_connection_is_kept_back() -> None:
    text = "failed to connect to all addresses; last error: ipv4:10.0.0.7:443"
    found = public_error(AioRpcError(grpc.StatusCode.UNAVAILABLE, Metadata(), Metadata(), text))

    assert found.kind is Kind.UNAVAILABLE
    assert "10.0.0.7" not in found.public
