"""What query asks of access beyond the check of each call: which servers a caller sees, and whether it still may."""

from collections.abc import Mapping, Sequence

from flick.errors import unauthenticated
from flick.rpc.access.caller import Caller
from flick.rpc.access.watch import AccessWatch
from flick.v1 import options_pb2
from services.query.rules.fleet import DEFAULT_INTERVAL_US


class Access:
    """Answers from the copy of auth's grants, or from auth itself while the copy is stale."""

    def __init__(self, *, watch: AccessWatch) -> None:
        self._watch = watch

    async def servers_of(self, caller: Caller, *, organization_id: str) -> list[str]:
        """The servers that the caller may see, all or those of one organization."""
        return await self._watch.servers_of(user_id=caller.user_id, organization_id=organization_id)

    async def find_servers(self, caller: Caller, *, organization_id: str, filter_text: str) -> Sequence[str]:
        """Those of the servers that the caller may see that a filter matches. Raises INVALID_ARGUMENT for `filter`."""
        return await self._watch.find_servers(
            user_id=caller.user_id, organization_id=organization_id, filter_text=filter_text
        )

    async def intervals_us(self, server_ids: Sequence[str]) -> Mapping[str, int]:
        """The time between stored samples of each server, in microseconds; the default where it is not known."""
        settings = await self._watch.settings_of(server_ids=server_ids)
        return {
            server_id: settings[server_id].metric_interval.ToMicroseconds() or DEFAULT_INTERVAL_US
            if server_id in settings
            else DEFAULT_INTERVAL_US
            for server_id in server_ids
        }

    async def confirm(self, caller: Caller, server_ids: Sequence[str]) -> None:
        """Raise UNAUTHENTICATED when the caller may no longer see one of the servers.

        Raises UNAVAILABLE when auth can't be asked: who can't be checked is not served.
        """
        if not await self._sees(caller, server_ids):
            raise unauthenticated(
                "A server of this stream may no longer be seen. Ask for the servers anew.", reason="ACCESS_LOST"
            )

    async def _sees(self, caller: Caller, server_ids: Sequence[str]) -> bool:
        if not self._watch.fresh:  # one look-up for all instead of two for each
            return set(server_ids) <= set(await self._watch.servers_of(user_id=caller.user_id))
        owners = await self._watch.organizations_of(server_ids=server_ids)
        return owners.keys() >= set(server_ids) and all(
            [await self._role(caller, owner) >= options_pb2.ROLE_VIEWER for owner in set(owners.values())]
        )

    async def _role(self, caller: Caller, organization_id: str) -> int:
        return await self._watch.role(user_id=caller.user_id, organization_id=organization_id)
