"""Answers what FLick knows of itself, to those to whom it belongs."""

import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from flick.clock import Clock
from flick.db.failures import LOST
from flick.errors import FlickError, Kind
from flick.lifecycle import background
from flick.rpc.access.caller import Caller
from flick.rpc.access.watch import AccessWatch
from flick.v1 import options_pb2, stats_pb2
from services.query.stats.agents import tell_agents
from services.query.stats.database import DatabaseReader
from services.query.stats.installation import SIZE_KEPT_S, Installation
from services.query.stats.kept import Kept

KEPT_S = 5.0
KEPT_ANSWERS = 100  # of different sets of organizations

logger = logging.getLogger(__name__)


class Stats:
    """Agents of an admin's organizations, and the installation for its operators.

    Args:
        database: PostgreSQL.
        installation: everything else.
        watch: knows who administers what.
        operator_id: the organization that operates the installation; empty: none, and nobody sees the installation.
        clock: tells the time.
    """

    def __init__(
        self,
        *,
        database: DatabaseReader,
        installation: Installation,
        watch: AccessWatch,
        operator_id: str,
        clock: Clock,
    ) -> None:
        self._database = database
        self._house = installation
        self._watch = watch
        self._operator_id = operator_id
        self._clock = clock
        self._installation = Kept(find=installation.find, for_s=KEPT_S, clock=clock)
        self._agents: OrderedDict[frozenset[str], Kept[stats_pb2.AgentStats]] = OrderedDict()

    async def answer(self, caller: Caller, organization_id: str) -> stats_pb2.GetStatsResponse:
        """The figures of one organization, which the caller is known to administer, or of all that they administer.

        Raises PERMISSION_DENIED when they administer none.
        """
        organization_ids = [organization_id] if organization_id else await self._administered(caller)
        answer = stats_pb2.GetStatsResponse()
        answer.time.FromNanoseconds(self._clock.time_unix_nano())
        try:
            answer.agents.CopyFrom(await self._agents_of(organization_ids))
        except (FlickError, *LOST) as error:  # who looks for what is wrong sees the rest
            logger.warning("agents can't be counted", extra={"why": str(error)})
        if self._operator_id and self._operator_id in organization_ids:
            answer.installation.CopyFrom(await self._installation.get())
        return answer

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Stats"]:
        """Keep query's own metrics of agents, database and Redis fresh while entered."""
        async with background(self._keep_looking(), name="sizes"):
            yield self

    async def _keep_looking(self) -> None:
        while True:
            try:
                await self._house.size()
                await self._house.agents()
            except (FlickError, *LOST) as error:
                logger.warning("the database can't be looked at", extra={"why": str(error)})
            await self._house.look_at_redis()
            await self._clock.sleep(SIZE_KEPT_S)

    async def _administered(self, caller: Caller) -> Sequence[str]:
        found = await self._watch.organizations_where(user_id=caller.user_id, role=options_pb2.ROLE_ADMIN)
        if not found:
            raise FlickError(Kind.PERMISSION_DENIED, "This needs the role admin in an organization.")
        return found

    async def _agents_of(self, organization_ids: Sequence[str]) -> stats_pb2.AgentStats:
        key = frozenset(organization_ids)
        if key not in self._agents:
            self._agents[key] = Kept(find=partial(self._count, sorted(key)), for_s=KEPT_S, clock=self._clock)
        self._agents.move_to_end(key)
        while len(self._agents) > KEPT_ANSWERS:
            self._agents.popitem(last=False)
        return await self._agents[key].get()

    async def _count(self, organization_ids: Sequence[str]) -> stats_pb2.AgentStats:
        return tell_agents(await self._database.agents(organization_ids))
