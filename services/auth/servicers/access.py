"""AccessService: tells FLick's own services what is granted, as it changes, and hears from them of agents' hosts."""

import logging
from collections.abc import AsyncIterator
from uuid import UUID

from flick.clock import Clock, utc
from flick.errors import FlickError, Kind, invalid
from flick.ids import parse_id
from flick.rpc.aspect import Context
from flick.v1 import access_pb2, access_pb2_grpc
from services.auth.bell import Bell
from services.auth.filters.conditions import condition
from services.auth.rules.joining import checked_agent_version, checked_host
from services.auth.store.access import FIRST, FIRST_FREE, AccessStore
from services.auth.store.hosts import HostStore, ToldHost
from services.auth.telemetry import AuthMetrics

# A message shows that access was read at that moment, so it is only ever sent after a look into the database. The
# contract promises one every 2 s; readers count the stream as broken after 5 s.
LOOK_EVERY_S = 1.0
MAX_IDS = 10_000
MAX_FOUND = 50_000  # ids in one message: below 2 MiB
MAX_REPORTS = 200  # of hosts: some 200 KiB

logger = logging.getLogger(__name__)


class AccessServicer(access_pb2_grpc.AccessServiceServicer):
    """See the contract."""

    def __init__(self, *, store: AccessStore, hosts: HostStore, bell: Bell, metrics: AuthMetrics, clock: Clock) -> None:
        self._store = store
        self._hosts = hosts
        self._bell = bell
        self._metrics = metrics
        self._clock = clock

    async def WatchAccess(
        self, request: access_pb2.WatchAccessRequest, context: Context
    ) -> AsyncIterator[access_pb2.WatchAccessResponse]:
        """A stream keeps nothing but a revision; a slow reader makes the log be read later, and no queue grow."""
        with self._metrics.watchers.track_inprogress():
            revision = await self._store.revision()
            async for entries in self._store.everything():
                yield access_pb2.WatchAccessResponse(revision=revision, granted=entries)
            yield access_pb2.WatchAccessResponse(revision=revision, snapshot_complete=True)
            while not self._bell.silenced:
                ring = self._bell.next_ring()  # before the look, so that no change falls between look and wait
                changes = await self._store.changes_after(revision)
                yield access_pb2.WatchAccessResponse(
                    revision=changes.revision, granted=changes.granted, revoked=changes.revoked
                )
                if changes.revision == revision:
                    await ring.wait(timeout_s=LOOK_EVERY_S)
                revision = changes.revision

    async def LookUpAccess(
        self, request: access_pb2.LookUpAccessRequest, context: Context
    ) -> access_pb2.LookUpAccessResponse:
        """See the contract."""
        for field in ("user_ids", "server_ids", "key_ids", "organization_ids"):
            if len(getattr(request, field)) > MAX_IDS:
                raise invalid(field, f"names more than {MAX_IDS}; ask several times.")
        return await self._store.look_up(request)

    async def ListRetentions(
        self, request: access_pb2.ListRetentionsRequest, context: Context
    ) -> access_pb2.ListRetentionsResponse:
        """See the contract."""
        if not 0 <= request.page_size <= MAX_IDS:
            raise invalid("page_size", f"is {request.page_size}; give 0 to {MAX_IDS}.")
        after = parse_id(request.page_token) if request.page_token else FIRST
        if after is None:
            raise invalid("page_token", "is not of the page before.")
        limit = request.page_size or MAX_IDS
        servers = await self._store.retentions(after=after, limit=limit)
        more = len(servers) == limit
        return access_pb2.ListRetentionsResponse(servers=servers, next_page_token=servers[-1].server_id if more else "")

    async def FindServers(
        self, request: access_pb2.FindServersRequest, context: Context
    ) -> access_pb2.FindServersResponse:
        """See the contract."""
        user_id, wanted = parse_id(request.user_id), condition(request.filter, first=FIRST_FREE)
        if user_id is None or (request.organization_id and parse_id(request.organization_id) is None):
            return access_pb2.FindServersResponse()
        found = await self._store.find_servers(
            user_id=user_id,
            organization_id=parse_id(request.organization_id),
            condition=wanted,
            limit=MAX_FOUND + 1,
        )
        if len(found) > MAX_FOUND:
            raise FlickError(
                Kind.RESOURCE_EXHAUSTED, f"The filter matches more than {MAX_FOUND} servers; ask for fewer."
            )
        return access_pb2.FindServersResponse(server_ids=found)

    async def ReportHosts(
        self, request: access_pb2.ReportHostsRequest, context: Context
    ) -> access_pb2.ReportHostsResponse:
        """See the contract."""
        if len(request.reports) > MAX_REPORTS:
            raise invalid("reports", f"has more than {MAX_REPORTS}; report several times.")
        told: dict[UUID, ToldHost] = {}
        refused = []
        for report in request.reports:
            server_id = parse_id(report.server_id)
            try:
                one = _told(report)
            except FlickError as error:
                refused.append(access_pb2.HostRefusal(server_id=report.server_id, detail=error.public))
            else:
                if server_id is not None:
                    told[server_id] = one
        changed = await self._hosts.update(told, now=utc(self._clock))
        if changed:
            logger.info("hosts changed", extra={"servers": changed})
        return access_pb2.ReportHostsResponse(refused=refused)


def _told(report: access_pb2.HostReport) -> ToldHost:
    return ToldHost(host=checked_host(report.host), agent_version=checked_agent_version(report.agent_version))
