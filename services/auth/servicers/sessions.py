"""AuthService: signing in and out, and the identity of FLick's own services."""

import logging
from uuid import UUID

from flick.clock import Clock, utc
from flick.errors import FlickError, Kind, unauthenticated
from flick.rpc.access.caller import current_caller
from flick.rpc.aspect import Context
from flick.tokens import (
    ACCESS_TOKEN_TYPE,
    REFRESH_TOKEN_PREFIX,
    SERVICE_TOKEN_TYPE,
    USER_AUDIENCE,
    OpaqueToken,
    parse_opaque,
)
from flick.v1 import auth_pb2, auth_pb2_grpc
from services.auth.credentials.passwords import Passwords
from services.auth.credentials.service_secrets import ServiceSecrets, may_call
from services.auth.credentials.signing import SigningKeys, encode_public_key
from services.auth.rules import names
from services.auth.rules.refresh import Verdict
from services.auth.store.sessions import Exchange, SessionStore
from services.auth.telemetry import AuthMetrics

ACCESS_TOKEN_LIFETIME_S = 15 * 60
SERVICE_TOKEN_LIFETIME_S = 5 * 60

logger = logging.getLogger(__name__)


class AuthServicer(auth_pb2_grpc.AuthServiceServicer):
    """See the contract."""

    def __init__(
        self,
        *,
        store: SessionStore,
        passwords: Passwords,
        signing_keys: SigningKeys,
        service_secrets: ServiceSecrets,
        metrics: AuthMetrics,
        clock: Clock,
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._signing_keys = signing_keys
        self._service_secrets = service_secrets
        self._metrics = metrics
        self._clock = clock

    async def Login(self, request: auth_pb2.LoginRequest, context: Context) -> auth_pb2.TokenPair:
        """An unknown e-mail address and a wrong password get the same answer after the same work."""
        password = names.password(request.password)
        account = await self._store.find_account(email=names.email(request.email))
        right = await self._passwords.verify(account.password_hash if account else None, password)
        if account is None or not right:
            self._metrics.logins.labels("refused").inc()
            logger.info("sign-in refused", extra={"user_id": str(account.user_id) if account else None})
            raise unauthenticated("The e-mail address or the password is wrong.", reason="LOGIN_FAILED")
        session = await self._store.begin(user_id=account.user_id, now=utc(self._clock))
        self._metrics.logins.labels("accepted").inc()
        logger.info("signed in", extra={"user_id": session.user_id, "session_id": session.session_id})
        return self._pair(session)

    async def RefreshToken(self, request: auth_pb2.RefreshTokenRequest, context: Context) -> auth_pb2.TokenPair:
        """See the contract and `services.auth.rules.refresh`."""
        token = _refresh_token(request.refresh_token)
        exchange = (
            await self._store.exchange(token, now=utc(self._clock)) if token else Exchange(verdict=Verdict.REFUSE)
        )
        self._metrics.refreshes.labels(exchange.verdict.value).inc()
        if exchange.verdict is Verdict.END_SESSION:
            logger.warning(
                "a refresh token was used twice; its session is ended",
                extra={"user_id": exchange.user_id, "session_id": exchange.session_id},
            )
        if not exchange.token:
            raise unauthenticated("The session has ended. Sign in again.", reason="SESSION_ENDED")
        return self._pair(exchange)

    async def Logout(self, request: auth_pb2.LogoutRequest, context: Context) -> auth_pb2.LogoutResponse:
        """See the contract. Whether there was such a session is not told."""
        token = _refresh_token(request.refresh_token)
        if token is not None:
            await self._store.end(token, now=utc(self._clock))
        return auth_pb2.LogoutResponse()

    async def GetMe(self, request: auth_pb2.GetMeRequest, context: Context) -> auth_pb2.Me:
        """See the contract."""
        me = await self._store.me(user_id=UUID(current_caller().user_id))
        if me is None:
            raise unauthenticated("This account is no more.", private="a valid token of an unknown user")
        return me

    async def GetJsonWebKeySet(
        self, request: auth_pb2.GetJsonWebKeySetRequest, context: Context
    ) -> auth_pb2.JsonWebKeySet:
        """See the contract."""
        return auth_pb2.JsonWebKeySet(
            keys=[
                auth_pb2.JsonWebKey(
                    kty="OKP", crv="Ed25519", x=encode_public_key(key), kid=key_id, use="sig", alg="EdDSA"
                )
                for key_id, key in self._signing_keys.public_keys.items()
            ]
        )

    async def IssueServiceToken(
        self, request: auth_pb2.IssueServiceTokenRequest, context: Context
    ) -> auth_pb2.IssueServiceTokenResponse:
        """See the contract."""
        if not self._service_secrets.verify(service=request.service, secret=request.secret):
            raise unauthenticated("The service or its secret is wrong.", reason="SERVICE_UNKNOWN")
        if not may_call(service=request.service, audience=request.audience):
            raise FlickError(Kind.PERMISSION_DENIED, "This service has no business with that one.")
        token = self._signing_keys.signer.sign(
            subject=request.service,
            audience=request.audience,
            token_type=SERVICE_TOKEN_TYPE,
            lifetime_s=SERVICE_TOKEN_LIFETIME_S,
        )
        return auth_pb2.IssueServiceTokenResponse(token=token, expires_in=SERVICE_TOKEN_LIFETIME_S)

    def _pair(self, session: Exchange) -> auth_pb2.TokenPair:
        access_token = self._signing_keys.signer.sign(
            subject=session.user_id,
            audience=USER_AUDIENCE,
            token_type=ACCESS_TOKEN_TYPE,
            lifetime_s=ACCESS_TOKEN_LIFETIME_S,
            session=session.session_id,
        )
        return auth_pb2.TokenPair(
            access_token=access_token,
            refresh_token=session.token,
            expires_in=ACCESS_TOKEN_LIFETIME_S,
            token_type="Bearer",  # noqa: S106 - RFC 6749's name for the kind, no secret
        )


def _refresh_token(text: str) -> OpaqueToken | None:
    return parse_opaque(text, prefix=REFRESH_TOKEN_PREFIX)
