"""Hello, and what follows from Welcome."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent.collectors.failure import Failure
from agent.network.diagnosis import clock_off
from agent.sampler.orders import Orders
from agent.sampler.timeline import Timeline
from agent.spool.frame import BACKFILL, LIVE
from agent.spool.spool import Spool
from agent.uplink.flow import Flow
from flick.clock import Clock
from flick.v1 import ingest_pb2, servers_pb2

_NS = 1_000_000_000
_CLOCK_OFF_S = 5.0
_FAILURES_AT_MOST = 50  # flick.v1.SpoolStatus.failing_collectors
_REASON_LENGTH = 400  # flick.v1.CollectorStatus.reason
_SLOW_ANSWER_S = 5.0  # half of a longer round trip says nothing about ingest's clock

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Greeting:
    """How this agent opens a stream.

    Args:
        spool: whose lanes go on here.
        orders, timeline: what Welcome sets.
        clock: this machine's.
        host: what is known of this machine now.
        version: the agent's.
        failing: the collectors that can't measure now.
        held_back_s: for how many seconds a new sample waits on purpose while nobody watches.
    """

    spool: Spool
    orders: Orders
    timeline: Timeline
    clock: Clock
    host: Callable[[], servers_pb2.Host]
    version: str
    failing: Callable[[], Sequence[Failure]]
    held_back_s: Callable[[], float]

    def hello(self) -> ingest_pb2.StreamTelemetryRequest:
        """The first frame."""
        hello = ingest_pb2.Hello(agent_version=self.version, spool_id=self.spool.spool_id)
        host = self.host()
        if host.ByteSize():  # else what was told once would be forgotten
            hello.host.CopyFrom(host)
        hello.spool.CopyFrom(self.spool_status())
        hello.send_time.FromNanoseconds(self.clock.time_unix_nano())
        for lane in (LIVE, BACKFILL):
            hello.lanes.add(lane=lane, seq=self.spool.position(lane))
        return ingest_pb2.StreamTelemetryRequest(hello=hello)

    def spool_status(self) -> ingest_pb2.SpoolStatus:
        """How the spool stands, how long a new sample waits in it on purpose, and what can't be measured."""
        status = self.spool.status()
        status.held_back.FromNanoseconds(round(self.held_back_s() * _NS))
        for failure in self.failing()[:_FAILURES_AT_MOST]:
            told = status.failing_collectors.add(collector=failure.collector, reason=failure.reason[:_REASON_LENGTH])
            told.since_time.FromNanoseconds(self.timeline.mark.offset_ns + round(failure.since_s * _NS))
        return status

    def accept(self, welcome: ingest_pb2.Welcome, *, round_trip_s: float) -> Flow:
        """Take ingest's time, settings and credits. What was measured without a stream becomes backlog."""
        way_back_s = round_trip_s / 2 if round_trip_s < _SLOW_ANSWER_S else 0.0
        server_time_ns = welcome.server_time.ToNanoseconds() + round(way_back_s * _NS)
        self._compare_clocks((self.clock.time_unix_nano() - server_time_ns) / _NS)
        moved_ns = self.timeline.correct(server_time_ns=server_time_ns)
        before_ns = max(self.timeline.now_ns(), self.timeline.last_ns + 1)
        self.spool.settle(self.timeline.mark, moved_ns=moved_ns, now_ns=before_ns)
        if moved_ns:
            self.timeline.last_ns = self.spool.last_ns
        self.spool.demote()
        if welcome.settings.HasField("server"):
            self.orders.settings(welcome.settings.server)
        self.orders.live_mode(welcome.live_mode)
        self.orders.clock_moved()
        logger.info("streaming", extra={"server_id": welcome.server_id, "held_samples": self.spool.held()})
        return Flow(
            spool=self.spool,
            clock=self.clock,
            max_batches=welcome.max_unacked_batches,
            max_bytes=welcome.max_unacked_bytes,
        )

    def _compare_clocks(self, ahead_s: float) -> None:
        if abs(ahead_s) >= _CLOCK_OFF_S:
            logger.warning("%s; until then samples carry FLick's time", clock_off(ahead_s))
