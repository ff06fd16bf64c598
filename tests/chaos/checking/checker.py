"""Compares what agents were promised with what is stored, as Jepsen does."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Protocol

from flick.db.pool import Connection
from tests.chaos.checking.stored import Stored, read_stored
from tests.chaos.load.log import AgentLog, History


class Logged(Protocol):
    """Who has a log: an agent, or what is left of one."""

    @property
    def server_id(self) -> str:
        """Whose samples they are."""
        ...

    @property
    def log(self) -> AgentLog:
        """What was sent and acked."""
        ...


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Samples that should not be as they are. All zero: every promise was kept.

    Attributes:
        acked_not_stored: acked and not rejected, but not there.
        stored_not_sent: there, but no agent sent them.
        changed: there with other content than was sent.
        duplicated: rows that are there twice.
        not_acked: sent, but neither acked nor rejected when everything had settled.
        miscounted: by how many samples the acked batches' holes and the rejections that were told differ.
        fatal: streams that ingest ended by Fatal.
        sent, acked, stored, rejected, dropped: how many there were, for the report; `dropped` were never sent.
    """

    acked_not_stored: int = 0
    stored_not_sent: int = 0
    changed: int = 0
    duplicated: int = 0
    not_acked: int = 0
    miscounted: int = 0
    fatal: int = 0
    sent: int = 0
    acked: int = 0
    stored: int = 0
    rejected: int = 0
    dropped: int = 0

    @property
    def clean(self) -> bool:
        """Whether every promise was kept."""
        lost = (self.acked_not_stored, self.changed, self.not_acked, self.miscounted)
        return not any((*lost, self.stored_not_sent, self.duplicated, self.fatal))

    def __add__(self, other: "Findings") -> "Findings":
        return Findings(**{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(Findings)})


async def check(database: Connection, agents: Iterable[Logged]) -> Findings:
    """Compare every agent's log with the tables. To be asked when everything has settled."""
    found = Findings()
    for agent in agents:
        found += compare(agent.log.read(), await read_stored(database, agent.server_id))
    return found


def compare(history: History, stored: Stored) -> Findings:
    """Compare one agent's log with what is stored of its server."""
    lost = not_acked = miscounted = rejected = acked = 0
    for batch in history.batches:
        missing = len(batch.checksums.keys() - stored.checksums.keys())
        rejected += batch.rejected
        if batch.acked:
            acked += len(batch.checksums) - batch.rejected
            lost += max(0, missing - batch.rejected)
            miscounted += abs(missing - batch.rejected)
        else:
            not_acked += len(batch.checksums)
    sent = history.sent()
    return Findings(
        acked_not_stored=lost,
        stored_not_sent=len(stored.checksums.keys() - sent.keys()),
        changed=sum(sent[at] != value for at, value in stored.checksums.items() if at in sent),
        duplicated=stored.duplicated,
        not_acked=not_acked,
        miscounted=miscounted,
        fatal=len(history.fatals),
        sent=len(sent),
        acked=acked,
        stored=len(stored.checksums),
        rejected=rejected,
        dropped=history.dropped,
    )
