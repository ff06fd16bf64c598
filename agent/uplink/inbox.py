"""What ingest says after Welcome, and what follows from it."""

import contextlib
import logging
from collections import deque
from collections.abc import Callable

from agent.sampler.orders import Orders
from agent.spool.spool import Spool, UnknownSeqError
from agent.uplink.ending import Ending, EndKind, StreamEndedError, ending_by_fatal
from agent.uplink.flow import Flow
from flick.clock import Clock
from flick.v1 import ingest_pb2, servers_pb2

_NS = 1_000_000_000
_ANSWERS_AT_MOST = 64  # pongs and refusals that wait; ingest asks far less

logger = logging.getLogger(__name__)


class Inbox:
    """Takes one stream's frames from ingest. `drain` is set when ingest asks to leave.

    Args:
        spool_status: how the spool stands, as ingest is told.
        host: what is known of this machine now.
        told_host: what of it ingest was told by Hello.
        overflows: the kinds of overflow that were logged, on earlier streams as well.
    """

    def __init__(
        self,
        *,
        flow: Flow,
        spool: Spool,
        orders: Orders,
        clock: Clock,
        spool_status: Callable[[], ingest_pb2.SpoolStatus],
        host: Callable[[], servers_pb2.Host],
        told_host: servers_pb2.Host,
        overflows: set[ingest_pb2.OverflowKind.ValueType],
    ) -> None:
        self._overflows = overflows
        self._flow = flow
        self._spool = spool
        self._orders = orders
        self._clock = clock
        self._spool_status = spool_status
        self._host = host
        self._told_host = told_host
        self._answers: deque[ingest_pb2.StreamTelemetryRequest] = deque(maxlen=_ANSWERS_AT_MOST)
        self.drain: ingest_pb2.Drain | None = None

    def answer(self) -> ingest_pb2.StreamTelemetryRequest | None:
        """What is to be sent now in answer, each once; None when nothing is."""
        if not self._answers:
            return None
        answer = self._answers.popleft()
        if answer.HasField("pong"):  # only now: it may have waited for the frames before it
            answer.pong.send_time.FromNanoseconds(self._clock.time_unix_nano())
        return answer

    def take(self, frame: ingest_pb2.StreamTelemetryResponse) -> None:
        """Take a frame. Raises StreamEndedError when it ends the stream."""
        match frame.WhichOneof("frame"):
            case "ack":
                self._take_ack(frame.ack)
            case "retry_after":
                self._take_retry_after(frame.retry_after)
            case "fatal":
                self._take_fatal(frame.fatal)
            case "settings" if frame.settings.HasField("server"):
                self._orders.settings(frame.settings.server)
            case "live_mode":
                self._orders.live_mode(frame.live_mode)
            case "command":
                refusal = "this agent runs no commands"
                output = ingest_pb2.CommandOutput(command_id=frame.command.command_id, refusal=refusal)
                self._answers.append(ingest_pb2.StreamTelemetryRequest(command_output=output))
            case "drain":
                self.drain = frame.drain
            case "ping":
                self._answers.append(ingest_pb2.StreamTelemetryRequest(pong=self._pong(frame.ping)))
            case _:  # of a later version of the contract; it means nothing to this agent
                pass

    def _pong(self, ping: ingest_pb2.Ping) -> ingest_pb2.Pong:
        pong = ingest_pb2.Pong(ping_id=ping.ping_id, spool=self._spool_status())
        host = self._host()
        if host != self._told_host:
            self._told_host = host
            pong.host.CopyFrom(host)
        return pong

    def _take_ack(self, ack: ingest_pb2.Ack) -> None:
        try:
            self._flow.acked(ack.lane, ack.seq)
        except UnknownSeqError as error:
            raise _protocol_broken(error) from error
        for rejection in ack.rejected:
            logger.warning(
                "ingest did not store %d samples: %s",
                rejection.count,
                rejection.detail,
                extra={"reason": ingest_pb2.RejectionReason.Name(rejection.reason), "seq": rejection.seq},
            )
        for overflow in ack.overflows:
            if overflow.kind not in self._overflows:
                self._overflows.add(overflow.kind)
                kind = ingest_pb2.OverflowKind.Name(overflow.kind)
                logger.warning("ingest leaves parts of samples out: %s", overflow.detail, extra={"kind": kind})

    def _take_retry_after(self, again: ingest_pb2.RetryAfter) -> None:
        try:
            self._flow.retry_after(again.lane, again.seq, again.delay.ToNanoseconds() / _NS)
        except UnknownSeqError as error:
            raise _protocol_broken(error) from error

    def _take_fatal(self, fatal: ingest_pb2.Fatal) -> None:
        too_large = fatal.code == ingest_pb2.FATAL_CODE_TOO_LARGE
        named = (fatal.lane, fatal.seq) if fatal.lane != ingest_pb2.LANE_UNSPECIFIED else None
        at_fault = named or (self._flow.largest if too_large else None)
        if at_fault is not None and not self._flow.stale:
            lane, seq = at_fault
            with contextlib.suppress(UnknownSeqError):
                if too_large:
                    self._spool.split(lane, seq)
                else:
                    self._spool.refuse(lane, seq)
        raise StreamEndedError(ending_by_fatal(fatal))


def _protocol_broken(error: UnknownSeqError) -> StreamEndedError:
    return StreamEndedError(Ending(EndKind.FAILED, f"ingest breaks the protocol: {error}"))
