"""What the ledger's rows say of agents, as the contract tells it. Pure."""

from collections.abc import Sequence
from datetime import timedelta

from flick.db.pool import Row
from flick.v1 import ingest_pb2, stats_pb2
from services.query.stats.database import AgentRows


def tell_agents(found: AgentRows) -> stats_pb2.AgentStats:
    """Agents, connected or not, how late their samples come and what waits in their spools."""
    answer = stats_pb2.AgentStats(
        known_count=found.counts["known"],
        connected_count=found.counts["connected"],
        versions=[
            stats_pb2.AgentVersionCount(version=row["agent_version"], count=row["count"]) for row in found.versions
        ],
        spools=tell_spools(found.spools),
    )
    if found.lags["count"]:
        answer.lag.agent_count = found.lags["count"]
        for lag, lag_s in zip((answer.lag.p50, answer.lag.p99, answer.lag.max), found.lags["lags_s"], strict=True):
            lag.FromTimedelta(timedelta(seconds=lag_s))
    return answer


def tell_spools(rows: Sequence[Row]) -> stats_pb2.AgentSpools:
    """What waits in the agents' spools, as they told last."""
    answer = stats_pb2.AgentSpools(agent_count=len(rows))
    oldest_ns = 0
    for row in rows:
        spool = ingest_pb2.SpoolStatus.FromString(row["spool"])
        answer.held_samples += spool.held_samples
        answer.held_bytes += spool.held_bytes
        answer.degraded_count += bool(spool.degraded_reason)
        waits_since_ns = spool.oldest_time.ToNanoseconds() if spool.HasField("oldest_time") else 0
        if waits_since_ns and (not oldest_ns or waits_since_ns < oldest_ns):
            oldest_ns = waits_since_ns
            answer.oldest_time.CopyFrom(spool.oldest_time)
            answer.oldest_server_id = str(row["server_id"])
    return answer
