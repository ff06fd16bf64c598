"""Answers what took the most of a server over a span."""

from flick.clock import Clock
from flick.v1 import query_pb2
from services.query.answers.advice import advice_on_timeout
from services.query.answers.gate import Gate
from services.query.rules.plan import plan_span, too_much
from services.query.rules.top import MAX_SNAPSHOTS, Tally, check_limit, check_order
from services.query.store import Store

_ADVICE = "Reading these processes takes too long. Ask for a shorter span."


class Top:
    """The processes of servers.

    Args:
        store: where snapshots are read.
        gate: bounds how many questions are answered at once: this one reads as much as one about history.
        clock: tells which moment `now` is.
    """

    def __init__(self, *, store: Store, gate: Gate, clock: Clock) -> None:
        self._store = store
        self._gate = gate
        self._clock = clock

    async def query(
        self,
        *,
        server_id: str,
        start_us: int | None,
        end_us: int | None,
        order_by: query_pb2.ProcessOrder.ValueType,
        limit: int,
    ) -> query_pb2.ListTopProcessesResponse:
        """The processes of a span. Raises INVALID_ARGUMENT naming the field, RESOURCE_EXHAUSTED when too busy."""
        now_us = self._clock.time_unix_nano() // 1000
        span = plan_span(start_us=start_us, end_us=end_us, now_us=now_us)
        tally, most = Tally(by_memory=check_order(order_by)), check_limit(limit)
        async with self._gate.entered(), advice_on_timeout(_ADVICE):
            found = await self._store.count_processes(server_id, span)
            if found > MAX_SNAPSHOTS:
                held_us = min(span.end_us, now_us) - span.start_us
                raise too_much(f"about {held_us * MAX_SNAPSHOTS / found / 3_600_000_000:.0f} hours")
            count = await self._store.each_processes(server_id, span, tally.add)
        answer = query_pb2.ListTopProcessesResponse(
            snapshot_count=count, processes=tally.most(most), incomplete=tally.incomplete
        )
        answer.start_time.FromMicroseconds(span.start_us)
        answer.end_time.FromMicroseconds(span.end_us)
        return answer
