"""The StatsService: requests in, answers out."""

from flick.rpc.access.caller import current_caller
from flick.rpc.aspect import Context
from flick.v1 import stats_pb2, stats_pb2_grpc
from services.query.stats.stats import Stats


class StatsServicer(stats_pb2_grpc.StatsServiceServicer):
    """Answers the contract's calls."""

    def __init__(self, *, stats: Stats) -> None:
        self._stats = stats

    async def GetStats(self, request: stats_pb2.GetStatsRequest, context: Context) -> stats_pb2.GetStatsResponse:
        """See the contract."""
        return await self._stats.answer(current_caller(), request.organization_id)
