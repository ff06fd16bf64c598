"""EnrollmentService: join tokens, and the servers that join by them."""

import logging
from uuid import UUID

from flick.clock import Clock, utc
from flick.errors import FlickError, Kind, invalid, not_found
from flick.ids import new_id, parse_id
from flick.rpc.access.caller import current_caller
from flick.rpc.aspect import Context
from flick.tokens import JOIN_TOKEN_PREFIX, make_opaque, parse_opaque
from flick.v1 import enrollment_pb2, enrollment_pb2_grpc, options_pb2
from services.auth.credentials.trust import TrustAnchor
from services.auth.rules import joining, names, pages, roles
from services.auth.store.enrollment import EnrollmentStore
from services.auth.store.organizations import OrganizationStore
from services.auth.telemetry import AuthMetrics

logger = logging.getLogger(__name__)


class EnrollmentServicer(enrollment_pb2_grpc.EnrollmentServiceServicer):
    """See the contract. The access aspect has checked the caller's role in an organization that is named."""

    def __init__(
        self,
        *,
        store: EnrollmentStore,
        organizations: OrganizationStore,
        trust: TrustAnchor,
        public_url: str,
        ingest_address: str,
        metrics: AuthMetrics,
        clock: Clock,
    ) -> None:
        self._store = store
        self._organizations = organizations
        self._trust = trust
        self._public_url = public_url
        self._ingest_address = ingest_address
        self._metrics = metrics
        self._clock = clock

    async def CreateJoinToken(
        self, request: enrollment_pb2.CreateJoinTokenRequest, context: Context
    ) -> enrollment_pb2.CreateJoinTokenResponse:
        """See the contract."""
        name = names.optional_display_name(request.server_display_name, field="server_display_name")
        lifetime = joining.time_to_live(request.ttl if request.HasField("ttl") else None)
        organization_id = await self._organization(request.organization_id)
        token = make_opaque(prefix=JOIN_TOKEN_PREFIX, token_id=new_id(), fingerprint=self._trust.fingerprint)
        now = utc(self._clock)
        join_token = await self._store.create_token(
            token, organization_id=organization_id, display_name=name, now=now, expire_time=now + lifetime
        )
        return enrollment_pb2.CreateJoinTokenResponse(
            join_token=join_token, token=token.text, enroll_url=self._public_url
        )

    async def ListJoinTokens(
        self, request: enrollment_pb2.ListJoinTokensRequest, context: Context
    ) -> enrollment_pb2.ListJoinTokensResponse:
        """See the contract."""
        size = pages.page_size(request.page_size)
        found = await self._store.usable_tokens(
            organization_id=await self._organization(request.organization_id),
            now=utc(self._clock),
            before=pages.read_id(request.page_token),
            limit=size + 1,
        )
        page, last = pages.cut(found, size=size)
        return enrollment_pb2.ListJoinTokensResponse(
            join_tokens=page, next_page_token=pages.write_token(last.join_token_id) if last else ""
        )

    async def DeleteJoinToken(
        self, request: enrollment_pb2.DeleteJoinTokenRequest, context: Context
    ) -> enrollment_pb2.DeleteJoinTokenResponse:
        """See the contract."""
        token_id = parse_id(request.join_token_id)
        if token_id is None:
            raise not_found("join token")
        role = await self._store.role_for_token(join_token_id=token_id, user_id=UUID(current_caller().user_id))
        roles.require(role, least=options_pb2.ROLE_ADMIN, subject="join token")
        await self._store.delete_token(join_token_id=token_id)
        return enrollment_pb2.DeleteJoinTokenResponse()

    async def EnrollServer(
        self, request: enrollment_pb2.EnrollServerRequest, context: Context
    ) -> enrollment_pb2.EnrollServerResponse:
        """See the contract."""
        host = joining.checked_host(request.host)
        version = joining.checked_agent_version(request.agent_version)
        token = parse_opaque(request.token.strip(), prefix=JOIN_TOKEN_PREFIX)
        if token is None:
            raise invalid("token", f"is no whole join token; it begins with {JOIN_TOKEN_PREFIX}_. Copy all of it.")
        if not self._ingest_address:
            raise FlickError(
                Kind.FAILED_PRECONDITION,
                "No server can join: auth is not told where agents reach ingest. Set FLICK_PUBLIC_INGEST_ADDRESS.",
            )
        try:
            joined = await self._store.enroll(token, host=host, agent_version=version, now=utc(self._clock))
        except FlickError as error:
            self._metrics.enrollments.labels(error.reason.lower()).inc()
            raise
        self._metrics.enrollments.labels("accepted").inc()
        logger.info("server enrolled", extra={"server_id": joined.server.server_id})
        return enrollment_pb2.EnrollServerResponse(
            server=joined.server,
            agent_key=joined.agent_key,
            ingest_address=self._ingest_address,
            trust_bundle=self._bundle(),
        )

    async def GetTrustBundle(
        self, request: enrollment_pb2.GetTrustBundleRequest, context: Context
    ) -> enrollment_pb2.TrustBundle:
        """See the contract."""
        return self._bundle()

    def _bundle(self) -> enrollment_pb2.TrustBundle:
        return enrollment_pb2.TrustBundle(ca_pem=self._trust.ca_pem)

    async def _organization(self, named: str) -> UUID:
        """The organization that the request names, or else the only one of which the caller is admin."""
        if named:
            return UUID(named)
        mine = await self._organizations.roles(user_id=UUID(current_caller().user_id))
        return UUID(roles.only_organization(mine, least=options_pb2.ROLE_ADMIN))
