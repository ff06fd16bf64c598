"""Notices moments of stored samples that passed without one, and has the spool tell them as gaps."""

from agent.sampler.timeline import Timeline
from agent.spool.spool import Spool
from flick.clock import Clock
from flick.v1 import ingest_pb2

_NS = 1_000_000_000
TOO_LATE_S = 1.0  # a sample that is later than this does not belong to its moment any more
_ROUNDING_S = 0.001
_ASLEEP_S = 1.0


class Holes:
    """Knows which stored sample is due, by the boot clock: corrections of the time are no holes."""

    def __init__(self, *, clock: Clock, timeline: Timeline, spool: Spool) -> None:
        self._clock = clock
        self._timeline = timeline
        self._spool = spool
        self._due_ns: int | None = None
        self._due_s = 0.0
        self._asleep_s = 0.0

    def expect(self, time_ns: int) -> None:
        """The next stored sample is due then."""
        self._due_ns = time_ns
        self._due_s = self._clock.boottime_s() + (time_ns - self._timeline.now_ns()) / _NS
        self._asleep_s = self._clock.boottime_s() - self._clock.monotonic_s()

    @property
    def expecting(self) -> bool:
        """Whether one is due."""
        return self._due_ns is not None

    def look(self) -> None:
        """To be asked before the next moment is chosen: what was due and has not come, never comes."""
        self._tell_if_late_by(_ROUNDING_S)

    def forget(self) -> None:
        """Something else is wanted now; what is too late already is told all the same."""
        self._tell_if_late_by(TOO_LATE_S)
        self._due_ns = None

    def begin(self, *, from_ns: int, interval_ns: int) -> None:
        """Measuring begins at `from_ns`: tell what an earlier run, by this interval, would have had before that."""
        last_ns = self._spool.last_ns
        if last_ns and self._timeline.new_boot:
            # By a clock that is not corrected yet nobody knows how long the system was down.
            self._spool.lose(ingest_pb2.GAP_REASON_AGENT_STOPPED)
        elif last_ns and last_ns + interval_ns <= from_ns:
            self._spool.lose(ingest_pb2.GAP_REASON_AGENT_STOPPED, start_ns=last_ns + interval_ns)

    def _tell_if_late_by(self, late_s: float) -> None:
        now_s = self._clock.boottime_s()
        if self._due_ns is None or now_s - self._due_s < late_s:
            return
        slept = now_s - self._clock.monotonic_s() - self._asleep_s > _ASLEEP_S
        reason = ingest_pb2.GAP_REASON_AGENT_STOPPED if slept else ingest_pb2.GAP_REASON_OVERLOADED
        self._spool.lose(reason, start_ns=self._due_ns)
        self._due_ns = None
