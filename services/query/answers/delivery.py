"""Answers how a server's samples were delivered: reads the ledger and puts it into words of the contract."""

from flick.clock import Clock
from flick.db.pool import Row
from flick.v1 import delivery_pb2, ingest_pb2
from services.query.answers.advice import advice_on_timeout
from services.query.answers.gate import Gate
from services.query.deliveries import Deliveries, Ledger
from services.query.rules.delivery import plan_delivery_span
from services.query.rules.plan import Span

MAX_LISTED = 100  # the contract: so many gaps and events are listed, the newest
_ADVICE = "Reading this delivery takes too long. Ask for a shorter span."


class Delivery:
    """The delivery of servers' samples.

    Args:
        deliveries: the ledger.
        gate: bounds how many questions are answered at once: this one reads as much as one about history.
        clock: tells which moment `now` is.
    """

    def __init__(self, *, deliveries: Deliveries, gate: Gate, clock: Clock) -> None:
        self._deliveries = deliveries
        self._gate = gate
        self._clock = clock

    async def query(
        self, *, server_id: str, start_us: int | None, end_us: int | None
    ) -> delivery_pb2.GetServerDeliveryResponse:
        """The delivery of a span. Raises INVALID_ARGUMENT naming the field, RESOURCE_EXHAUSTED when too busy."""
        span = plan_delivery_span(start_us=start_us, end_us=end_us, now_us=self._clock.time_unix_nano() // 1000)
        async with self._gate.entered(), advice_on_timeout(_ADVICE):
            ledger = await self._deliveries.read(server_id, span, limit=MAX_LISTED)
        return _answer(span, ledger)


def _answer(span: Span, ledger: Ledger) -> delivery_pb2.GetServerDeliveryResponse:
    answer = delivery_pb2.GetServerDeliveryResponse(
        committed_count=ledger.delivered.count,
        gaps=[_gap(row) for row in ledger.gaps],
        gap_count=ledger.gaps[0]["total"] if ledger.gaps else 0,
        stream=None if ledger.stream is None else _stream(ledger.stream),
        events=[_event(row) for row in ledger.events],
    )
    answer.start_time.FromMicroseconds(span.start_us)
    answer.end_time.FromMicroseconds(span.end_us)
    for row in ledger.outcomes:
        _count(answer, row)
    rejected = sum(one.count for one in answer.rejected)
    answer.received_count = answer.committed_count + answer.duplicate_count + answer.conflict_count + rejected
    if ledger.delivered.count:
        answer.lag.p50.FromMicroseconds(ledger.delivered.p50_us)
        answer.lag.p99.FromMicroseconds(ledger.delivered.p99_us)
        answer.lag.max.FromMicroseconds(ledger.delivered.max_us)
    return answer


def _count(answer: delivery_pb2.GetServerDeliveryResponse, row: Row) -> None:
    match row["outcome"]:
        case "duplicate":
            answer.duplicate_count += row["count"]
        case "conflict":
            answer.conflict_count += row["count"]
        case "rejected":
            answer.rejected.add(reason=row["reason"], count=row["count"])
        case "overflow":
            answer.overflowed.add(kind=row["reason"], count=row["count"])


def _gap(row: Row) -> delivery_pb2.DeliveryGap:
    gap = delivery_pb2.DeliveryGap(reason=row["reason"], dropped_samples=row["dropped_samples"])
    gap.start_time.FromDatetime(row["start_time"])
    gap.end_time.FromDatetime(row["end_time"])
    gap.received_time.FromDatetime(row["received_at"])
    return gap


def _stream(row: Row) -> delivery_pb2.DeliveryStream:
    stream = delivery_pb2.DeliveryStream(
        stream_id=str(row["stream_id"]),
        ingest_id=str(row["instance_id"]),
        agent=delivery_pb2.DeliveryAgent(spool_id=row["spool_id"], version=row["agent_version"]),
        connected=row["connected"],
        end_reason=row["end_reason"] or "",
    )
    stream.open_time.FromDatetime(row["opened_at"])
    if row["ended_at"] is not None:
        stream.end_time.FromDatetime(row["ended_at"])
    if row["clock_offset_s"] is not None:
        stream.clock_offset.FromMicroseconds(round(row["clock_offset_s"] * 1e6))
    if row["spool"] is not None:
        stream.spool.CopyFrom(ingest_pb2.SpoolStatus.FromString(row["spool"]))
        stream.spool_time.FromDatetime(row["spool_at"])
    return stream


def _event(row: Row) -> delivery_pb2.DeliveryEvent:
    event = delivery_pb2.DeliveryEvent(
        kind=row["kind"],
        count=row["count"],
        agent=delivery_pb2.DeliveryAgent(spool_id=row["spool_id"], version=row["agent_version"]),
        detail=row["detail"],
    )
    event.time.FromDatetime(row["time"])
    if row["former_spool_id"] is not None:
        event.superseded.spool_id = row["former_spool_id"]
        event.superseded.version = row["former_agent_version"]
    return event
