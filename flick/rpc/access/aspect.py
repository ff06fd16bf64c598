"""The aspect that lets a call in or refuses it, by the contract's own rules. Default deny."""

import hmac
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from flick import tokens
from flick.errors import FlickError, Kind, invalid, not_found, unauthenticated
from flick.ids import parse_id
from flick.rpc.access.caller import ANONYMOUS, Caller, set_caller
from flick.rpc.access.rules import MethodRule, named_organization, named_servers
from flick.rpc.access.source import AccessSource, KeySource
from flick.rpc.aspect import Call, Context
from flick.v1 import options_pb2

MAX_SERVERS = 1000  # that one call may name: each is looked up before the handler sees the request

_AUTHORIZATION = "authorization"


class AccessAspect:
    """Refuses whoever the rules do not let in, and tells the handler who is calling (`current_caller`)."""

    def __init__(
        self, *, rules: Mapping[str, MethodRule], source: AccessSource, keys: KeySource, audience: str
    ) -> None:
        self._rules = rules
        self._source = source
        self._keys = keys
        self._audience = audience

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """See `Aspect`."""
        rule = self._rules.get(call.method)
        if rule is None:
            raise FlickError(Kind.PERMISSION_DENIED, "This method may not be called.", private="no access rule")
        public = options_pb2.CALLER_KIND_ANONYMOUS in rule.callers
        caller = ANONYMOUS if public else await self._identify(call.context)
        self._check_kind(rule, caller)
        if caller.kind == options_pb2.CALLER_KIND_USER:
            await self._check_resources(rule, caller, call)
        set_caller(caller)
        yield

    async def _identify(self, context: Context) -> Caller:
        token = _bearer(context)
        if not token:
            raise unauthenticated("The call carries no credential. Sign in and send `Authorization: Bearer TOKEN`.")
        if token.startswith(tokens.AGENT_KEY_PREFIX + "_"):
            return await self._identify_agent(token)
        key_id, token_type = tokens.key_id_of(token)
        keys = await self._keys.keys(key_id=key_id)
        if token_type == tokens.SERVICE_TOKEN_TYPE:
            claims = tokens.verify(token, keys=keys, audience=self._audience, token_type=token_type)
            return Caller(
                kind=options_pb2.CALLER_KIND_SERVICE, service=claims.subject, expire_time_s=claims.expire_time_s
            )
        claims = tokens.verify(token, keys=keys, audience=tokens.USER_AUDIENCE, token_type=tokens.ACCESS_TOKEN_TYPE)
        return Caller(
            kind=options_pb2.CALLER_KIND_USER,
            user_id=claims.subject,
            session_id=claims.session,
            expire_time_s=claims.expire_time_s,
        )

    async def _identify_agent(self, token: str) -> Caller:
        parsed = tokens.parse_opaque(token, prefix=tokens.AGENT_KEY_PREFIX)
        key = await self._source.agent_key(key_id=str(parsed.id)) if parsed else None
        if parsed is None or key is None or not hmac.compare_digest(key.secret_sha256, parsed.secret_sha256):
            raise unauthenticated("The agent key is not valid or was revoked. Enroll this server anew.")
        return Caller(
            kind=options_pb2.CALLER_KIND_AGENT,
            key_id=key.key_id,
            server_id=key.server_id,
            organization_id=key.organization_id,
        )

    def _check_kind(self, rule: MethodRule, caller: Caller) -> None:
        allowed = caller.kind in rule.callers
        if allowed and caller.kind == options_pb2.CALLER_KIND_SERVICE:
            allowed = caller.service in rule.services
        if not allowed:
            raise FlickError(Kind.PERMISSION_DENIED, "This credential may not call this method.")

    async def _check_resources(self, rule: MethodRule, caller: Caller, call: Call) -> None:
        servers = list(dict.fromkeys(named_servers(rule, call.request)))
        if rule.server_field and not servers:
            raise invalid(rule.server_field, "names no server; give at least one server id.")
        if len(servers) > MAX_SERVERS:
            raise invalid(rule.server_field, f"names {len(servers)} servers; name at most {MAX_SERVERS} in one call.")
        if servers:
            await self._check_servers(rule, caller, servers)
        organization_id = named_organization(rule, call.request)
        if organization_id:
            role = await self.role_in(caller, organization_id)
            _require(role, rule.role, subject="organization")

    async def _check_servers(self, rule: MethodRule, caller: Caller, servers: Sequence[str]) -> None:
        """Every one of them must be reachable: one that is not refuses the whole call."""
        known = [one for one in servers if parse_id(one)]
        owners = await self._source.organizations_of(server_ids=known)
        for organization_id in dict.fromkeys(owners.get(one, "") for one in servers):
            role = await self.role_in(caller, organization_id) if organization_id else options_pb2.ROLE_UNSPECIFIED
            _require(role, rule.role, subject="server")

    async def role_in(self, caller: Caller, organization_id: str) -> int:
        """The caller's role in an organization; ROLE_UNSPECIFIED when it has none or there is no such organization."""
        if not parse_id(organization_id):
            return options_pb2.ROLE_UNSPECIFIED
        return await self._source.role(user_id=caller.user_id, organization_id=organization_id)


def _require(role: int, least: int, *, subject: str) -> None:
    if role == options_pb2.ROLE_UNSPECIFIED:  # a foreign thing answers as an unknown one
        raise not_found(subject)
    if role < least:
        name = options_pb2.Role.Name(options_pb2.Role.ValueType(least)).removeprefix("ROLE_").lower()
        raise FlickError(Kind.PERMISSION_DENIED, f"This needs the role {name} in the organization.")


def _bearer(context: Context) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == _AUTHORIZATION and isinstance(value, str):
            scheme, _, token = value.partition(" ")
            return token.strip() if scheme.lower() == "bearer" else ""
    return ""
