"""How a service shows who it is, by short tokens from auth; and the public keys to check others' tokens by."""

import base64
import logging
from collections.abc import Mapping

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from flick.clock import Clock
from flick.rpc.status import from_rpc_error
from flick.v1 import auth_pb2, auth_pb2_grpc

CALL_TIMEOUT_S = 5.0
RENEW_AFTER = 0.8  # of a token's life
REFETCH_AFTER_S = 10.0  # an unknown key id can't make us ask auth more often than this

Metadata = tuple[tuple[str, str], ...]

logger = logging.getLogger(__name__)


class ServiceIdentity:
    """Keeps a service token for calls to `audience`."""

    def __init__(
        self, *, auth: "auth_pb2_grpc.AuthServiceAsyncStub", service: str, secret: str, audience: str, clock: Clock
    ) -> None:
        self._auth = auth
        self._request = auth_pb2.IssueServiceTokenRequest(service=service, secret=secret, audience=audience)
        self._clock = clock
        self._token = ""
        self._renew_at_s = 0.0

    async def metadata(self) -> Metadata:
        """The metadata that a call carries. Raises what auth answers when it gives no token."""
        if self._clock.monotonic_s() >= self._renew_at_s:
            asked_at_s = self._clock.monotonic_s()
            try:
                answer = await self._auth.IssueServiceToken(self._request, timeout=CALL_TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                raise from_rpc_error(error) from error
            self._token = answer.token
            self._renew_at_s = asked_at_s + answer.expires_in * RENEW_AFTER
        return (("authorization", f"Bearer {self._token}"),)


class RemoteKeys:
    """Auth's public keys, fetched when first needed and when a token names one that is not known."""

    def __init__(self, *, auth: "auth_pb2_grpc.AuthServiceAsyncStub", clock: Clock) -> None:
        self._auth = auth
        self._clock = clock
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._asked_at_s = float("-inf")

    async def keys(self, *, key_id: str) -> Mapping[str, Ed25519PublicKey]:
        """See `flick.rpc.access.source.KeySource`. Keeps what it has when auth does not answer."""
        asked_lately = self._keys and self._clock.monotonic_s() < self._asked_at_s + REFETCH_AFTER_S
        if key_id not in self._keys and not asked_lately:
            await self._fetch()
        return self._keys

    async def _fetch(self) -> None:
        self._asked_at_s = self._clock.monotonic_s()
        try:
            answer = await self._auth.GetJsonWebKeySet(auth_pb2.GetJsonWebKeySetRequest(), timeout=CALL_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            logger.warning("keys can't be fetched", extra={"why": error.details()})
            if not self._keys:
                raise from_rpc_error(error) from error
            return
        self._keys = {key.kid: _public_key(key) for key in answer.keys}


def _public_key(key: auth_pb2.JsonWebKey) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key.x + "=" * (-len(key.x) % 4)))
