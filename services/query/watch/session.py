"""One viewer's stream: the newest values first, then whatever comes, until the viewer goes or may see no more."""

from collections.abc import AsyncIterator, Sequence

from flick.clock import Clock
from flick.errors import unauthenticated, unavailable
from flick.rpc.access.caller import Caller
from flick.v1 import query_pb2
from services.query.access import Access
from services.query.answers.latest import Latest
from services.query.rules.catalog import Wanted
from services.query.watch.backlog import Backlog, Update
from services.query.watch.forms import Forms
from services.query.watch.times import WatchTimes


class Sessions:
    """Follows servers for viewers.

    Args:
        latest: the newest samples there are.
        access: whether a viewer may still see.
        forms: makes the messages.
        clock: tells when a credential ends.
        times: how often things happen.
    """

    def __init__(self, *, latest: Latest, access: Access, forms: Forms, clock: Clock, times: WatchTimes) -> None:
        self._latest = latest
        self._access = access
        self._forms = forms
        self._clock = clock
        self._times = times

    async def follow(
        self, *, caller: Caller, server_ids: Sequence[str], wanted: Wanted, backlog: Backlog
    ) -> AsyncIterator[query_pb2.WatchMetricsResponse]:
        """The values of the metrics that are `wanted` of some servers, each server's in the order of time.

        `backlog` is filled by the hub meanwhile. Ends only by an error: UNAUTHENTICATED when the caller's token expires
        or it may not see a server any more, UNAVAILABLE when this process stops or access can't be checked.
        """
        sent_us: dict[str, int] = {}
        sent_at_s = self._clock.monotonic_s()
        async for update in self._updates(caller, server_ids, backlog):
            response = self._respond(update, wanted, sent_us) if update else None
            quiet_s = self._clock.monotonic_s() - sent_at_s
            if response is None and quiet_s >= self._times.sign_of_life_s:
                response = query_pb2.WatchMetricsResponse()
            if response is not None:
                yield response
                sent_at_s = self._clock.monotonic_s()

    async def _updates(
        self, caller: Caller, server_ids: Sequence[str], backlog: Backlog
    ) -> AsyncIterator[Update | None]:
        """The newest samples, then live ones; None at least as often as something must be checked."""
        for server_id, measured in (await self._latest.newest(server_ids)).items():
            yield Update(server_id, measured)
        confirmed_at_s = self._clock.monotonic_s()
        while True:
            update = await backlog.take(timeout_s=min(self._times.confirm_s, self._times.sign_of_life_s))
            if backlog.closed:
                raise unavailable("This service is stopping; watch again.")
            self._refuse_expired(caller)
            if self._clock.monotonic_s() - confirmed_at_s >= self._times.confirm_s:
                await self._access.confirm(caller, server_ids)
                confirmed_at_s = self._clock.monotonic_s()
            yield update

    def _refuse_expired(self, caller: Caller) -> None:
        if caller.expire_time_s and self._clock.time_unix_nano() >= caller.expire_time_s * 1_000_000_000:
            raise unauthenticated("The token has expired. Refresh it and watch again.", reason="TOKEN_EXPIRED")

    def _respond(
        self, update: Update, wanted: Wanted, sent_us: dict[str, int]
    ) -> query_pb2.WatchMetricsResponse | None:
        """The message of an update; None when the viewer has it or a newer one, or it holds nothing that is wanted."""
        server_id, measured, pushed = update
        if pushed:
            return self._forms.message(update, wanted)
        if measured.time_us <= sent_us.get(server_id, 0):
            return None
        response = self._forms.message(update, wanted)
        if response is not None:
            sent_us[server_id] = measured.time_us
        return response
