"""Compares what agents were promised with what is stored, as Jepsen does."""

from collections.abc import Iterable
from dataclasses import dataclass

from flick.db.pool import Connection
from tests.chaos.load import LoadAgent


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Samples that should not be as they are. All zero: every promise was kept."""

    acked_not_stored: int
    stored_not_sent: int
    changed: int
    duplicated: int
    not_acked: int

    @property
    def clean(self) -> bool:
        """Whether every promise was kept."""
        return not any((self.acked_not_stored, self.stored_not_sent, self.changed, self.duplicated, self.not_acked))


async def check(database: Connection, agents: Iterable[LoadAgent]) -> Findings:
    """Compare every agent's memory with the table."""
    lost = unknown = changed = duplicated = not_acked = 0
    for agent in agents:
        rows = await database.fetch(
            "select (extract(epoch from time) * 1000000)::bigint * 1000 as at, cpu_utilization as value"
            " from telemetry.metrics where server_id = $1",
            agent.server_id,
        )
        stored = {row["at"]: row["value"] for row in rows}
        lost += len(agent.acked.keys() - stored.keys())
        unknown += len(stored.keys() - agent.sent.keys())
        changed += sum(agent.sent[at] != value for at, value in stored.items() if at in agent.sent)
        duplicated += len(rows) - len(stored)
        not_acked += len(agent.sent.keys() - agent.acked.keys())
    return Findings(
        acked_not_stored=lost, stored_not_sent=unknown, changed=changed, duplicated=duplicated, not_acked=not_acked
    )
