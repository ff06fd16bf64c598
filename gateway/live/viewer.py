"""Who is watching: the viewer's token, shown to auth, which says whose it is."""

import base64
import binascii
import json
from dataclasses import dataclass

import grpc

from flick.errors import FlickError, Kind, unauthenticated
from flick.rpc.status import DETAILS_KEY, from_rpc_error
from flick.v1 import auth_pb2, auth_pb2_grpc

MAX_TOKEN_BYTES = 8192  # cut before anything is parsed
CALL_TIMEOUT_S = 5.0

Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """A person as auth knows them, and the token that every call for them carries."""

    user_id: str
    token: str
    expire_time_s: int | None
    """Seconds since the Unix epoch; None: the token does not say."""

    def metadata(self, *, request_id: str) -> Metadata:
        """What a call for this viewer carries: their own credential and nothing of ours."""
        return bearer(self.token, request_id=request_id)


class Viewers:
    """Asks auth. The gateway has no keys and no say of its own."""

    def __init__(self, *, auth: "auth_pb2_grpc.AuthServiceAsyncStub") -> None:
        self._auth = auth

    async def identify(self, token: str, *, request_id: str) -> Viewer:
        """The viewer whose token this is. Raises what auth answers, or UNAUTHENTICATED for what can't be a token."""
        if not token or len(token) > MAX_TOKEN_BYTES or not token.isascii() or not token.isprintable():
            raise unauthenticated("This is no access token. Sign in and send the new one.", reason="TOKEN_INVALID")
        try:
            me = await self._auth.GetMe(
                auth_pb2.GetMeRequest(), metadata=bearer(token, request_id=request_id), timeout=CALL_TIMEOUT_S
            )
        except grpc.aio.AioRpcError as error:
            raise public_error(error) from error
        return Viewer(user_id=me.user_id, token=token, expire_time_s=expire_time_s(token))


def bearer(token: str, *, request_id: str) -> Metadata:
    """The metadata of a call on behalf of whoever has the token."""
    return (("authorization", f"Bearer {token}"), ("x-request-id", request_id))


def public_error(error: grpc.aio.AioRpcError) -> FlickError:
    """What a service answered. What the gRPC library itself says names addresses of the inside, so it is replaced."""
    found = from_rpc_error(error)
    if any(key == DETAILS_KEY for key, _ in error.trailing_metadata() or ()):
        return found
    if found.kind in (Kind.UNAVAILABLE, Kind.UNKNOWN, Kind.INTERNAL, Kind.CANCELLED):
        return FlickError(
            Kind.UNAVAILABLE, "The service does not answer at the moment.", private=found.public, retry_after_s=1.0
        )
    return found


def expire_time_s(token: str) -> int | None:
    """When a JWT that auth has accepted ends; None for a token of another form. Nothing is trusted to it but an end."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return None
    expires = claims.get("exp") if isinstance(claims, dict) else None
    return int(expires) if isinstance(expires, int | float) else None
