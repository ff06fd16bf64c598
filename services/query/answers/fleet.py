"""Answers which state each server is in, and why one is not online."""

from collections.abc import Sequence

from flick.clock import Clock
from flick.rpc.access.caller import Caller
from flick.v1 import query_pb2
from services.query.access import Access
from services.query.answers.latest import Latest
from services.query.rules import fleet
from services.query.streams import Streams


class Fleet:
    """The state of servers.

    Args:
        access: tells which servers a caller sees, and how often each sends.
        latest: tells when each sent last.
        streams: tell why one does not send.
        clock: tells which moment `now` is.
    """

    def __init__(self, *, access: Access, latest: Latest, streams: Streams, clock: Clock) -> None:
        self._access = access
        self._latest = latest
        self._streams = streams
        self._clock = clock

    async def summarize(
        self, caller: Caller, request: query_pb2.SummarizeServersRequest
    ) -> query_pb2.SummarizeServersResponse:
        """The state of the servers that a request means. Raises INVALID_ARGUMENT for a filter that is none."""
        server_ids = await self._meant(caller, request)
        intervals = await self._access.intervals_us(server_ids)
        times = await self._latest.newest_times(server_ids)
        now_us = self._clock.time_unix_nano() // 1000
        states = {
            one: fleet.state(last_us=times.get(one), now_us=now_us, interval_us=intervals[one]) for one in server_ids
        }
        silent = [one for one, state in states.items() if state != query_pb2.SERVER_STATE_ONLINE]
        streams = await self._streams.newest(silent) if silent else {}
        reasons = {one: fleet.reason(last_us=times.get(one), now_us=now_us, stream=streams.get(one)) for one in silent}
        statuses = {
            one: fleet.Status(state=state, last_us=times.get(one), reason=reasons.get(one, ""))
            for one, state in states.items()
        }
        return fleet.summarize(statuses, listed=frozenset(request.states))

    async def _meant(self, caller: Caller, request: query_pb2.SummarizeServersRequest) -> Sequence[str]:
        organization_id = request.organization_id
        if not request.filter.strip():
            return await self._access.servers_of(caller, organization_id=organization_id)
        return await self._access.find_servers(caller, organization_id=organization_id, filter_text=request.filter)
