"""`PushService`: proto in, proto out, and who may push to which server how often."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from flick.clock import Clock
from flick.errors import FlickError, Kind, not_found
from flick.rpc.access.caller import current_caller
from flick.rpc.aspect import Context
from flick.v1 import options_pb2, push_pb2, push_pb2_grpc, servers_pb2
from services.ingest.intake.admission import Admission, AdmissionFullError
from services.ingest.intake.reading import DEFAULT_RETENTION_DAYS
from services.ingest.push.pace import Pace
from services.ingest.push.push import Push

DESCRIPTOR = push_pb2.DESCRIPTOR.services_by_name["PushService"]
BUSY_RETRY_S = 1.0


class Access(Protocol):
    """What is known of servers; `flick.rpc.access.watch.AccessWatch` is one. Its methods raise UNAVAILABLE."""

    async def organizations_of(self, *, server_ids: Sequence[str]) -> Mapping[str, str]:
        """The organizations that own some servers, by server id; those that do not exist are left out."""
        ...

    async def settings(self, *, server_id: str) -> servers_pb2.ServerSettings | None:
        """The server's settings, or None when there is no such server."""
        ...


class PushServicer(push_pb2_grpc.PushServiceServicer):
    """Answers who pushes."""

    def __init__(self, *, push: Push, access: Access, admission: Admission, pace: Pace, clock: Clock) -> None:
        self._push = push
        self._access = access
        self._admission = admission
        self._pace = pace
        self._clock = clock

    async def PushMetrics(self, request: push_pb2.PushMetricsRequest, context: Context) -> push_pb2.PushMetricsResponse:
        """See the contract."""
        caller = current_caller()
        if caller.kind == options_pb2.CALLER_KIND_AGENT:
            request.server_id = request.server_id or caller.server_id
            if request.server_id != caller.server_id:
                raise not_found("server")
        organization_id = (await self._access.organizations_of(server_ids=[request.server_id])).get(request.server_id)
        settings = await self._access.settings(server_id=request.server_id)
        if organization_id is None or settings is None:
            raise not_found("server")
        wait_s = self._pace.take(request.server_id, self._clock.monotonic_s())
        if wait_s:
            raise _busy("This server is pushed to more than once a second. Push more values in one call.", wait_s)
        size_bytes = request.ByteSize()
        try:
            await self._admission.acquire(size_bytes)
        except AdmissionFullError as error:
            raise _busy("Too much waits to be stored here. Try again.", BUSY_RETRY_S) from error
        try:
            return await self._push.take(
                request,
                organization_id=organization_id,
                retention_days=settings.retention_days or DEFAULT_RETENTION_DAYS,
            )
        finally:
            self._admission.release(size_bytes)


def _busy(public: str, retry_after_s: float) -> FlickError:
    return FlickError(Kind.RESOURCE_EXHAUSTED, public, reason="TOO_MANY_PUSHES", retry_after_s=retry_after_s)
