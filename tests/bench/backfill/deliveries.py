"""When samples were measured, sent and acked, over all agents of a program."""

import time
from dataclasses import dataclass, field

from agent.spool.frame import Entry, Frame, Lane
from agent.spool.lanes.laned import LanedSpool
from agent.spool.lanes.state import State
from agent.spool.limits import SpoolLimits
from tests.bench.backfill.past import Past, PastShelf


@dataclass(frozen=True, slots=True)
class Delivered:
    """A sample of now: its time, and how many seconds later it was acked and was to be sent."""

    time_ns: int
    lag_s: float
    held_back_s: float


@dataclass(slots=True)
class Deliveries:
    """What agents have so far. `unacked` has each agent's times of samples of now."""

    delivered: list[Delivered] = field(default_factory=list)
    backlog_acked: int = 0
    unacked: list[set[int]] = field(default_factory=list)

    def complete(self, *, until_ns: int) -> bool:
        """Whether every sample that was measured before a moment is acked."""
        return all(time_ns >= until_ns for times in self.unacked for time_ns in times)

    def within(self, start_ns: int, end_ns: int) -> list[Delivered]:
        """Those that were measured within a span."""
        return [one for one in self.delivered if start_ns <= one.time_ns < end_ns]


class ToldSpool(LanedSpool):
    """The agent's spool over a past. It tells `deliveries` what becomes of samples.

    Args:
        held_back_s: how long the agent waits on purpose before it sends what is new.
    """

    def __init__(
        self, *, past: Past, state: State, limits: SpoolLimits, deliveries: Deliveries, held_back_s: float
    ) -> None:
        super().__init__(shelf=PastShelf(past), state=state, limits=limits)
        self._deliveries = deliveries
        self._held_back_s = held_back_s
        self._sent: dict[tuple[Lane, int], list[int]] = {}
        self._unacked = set[int]()
        deliveries.unacked.append(self._unacked)

    def put(self, entry: Entry) -> None:
        """See `Spool`."""
        self._unacked.add(entry.time_ns)
        super().put(entry)

    def frame(self, lane: Lane, seq: int) -> Frame | None:
        """See `Spool`."""
        frame = super().frame(lane, seq)
        if frame is not None:
            self._sent[lane, seq] = [entry.time_ns for entry in frame.entries]
        return frame

    def ack(self, lane: Lane, seq: int) -> None:
        """See `Spool`."""
        now_ns = time.time_ns()
        for acked in range(self.position(lane), seq + 1):
            for time_ns in self._sent.pop((lane, acked), ()):
                self._note(time_ns, now_ns)
        super().ack(lane, seq)

    def _note(self, time_ns: int, now_ns: int) -> None:
        if time_ns not in self._unacked:
            self._deliveries.backlog_acked += 1
            return
        self._unacked.remove(time_ns)
        self._deliveries.delivered.append(Delivered(time_ns, (now_ns - time_ns) / 1e9, self._held_back_s))
