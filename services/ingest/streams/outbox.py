"""What one agent is still to be sent. Acks of a lane are cumulative, so waiting ones become one."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable

from flick.errors import unavailable
from flick.v1 import ingest_pb2

MAX_WAITING = 256  # an agent that reads has hardly ever more than a handful
MAX_REMARKS = 4096  # in one ack that waits: more than its credits can bring about in many commits

Response = ingest_pb2.StreamTelemetryResponse


class Outbox:
    """A queue of responses that ends with the stream."""

    def __init__(self) -> None:
        self._waiting: deque[Response] = deque()
        self._acks: dict[int, ingest_pb2.Ack] = {}
        self._changed = asyncio.Event()
        self._closed = False
        self._error: Exception | None = None

    @property
    def closed(self) -> bool:
        """Whether nothing more can be sent."""
        return self._closed

    def put(self, response: Response) -> None:
        """Send a response, unless the stream ends already. An agent that reads nothing is given up."""
        if self._closed:
            return
        self._waiting.append(response)
        self._changed.set()
        if len(self._waiting) > MAX_WAITING:
            self._give_up()

    def put_ack(
        self,
        *,
        lane: ingest_pb2.Lane.ValueType,
        seq: int,
        rejected: Iterable[ingest_pb2.Rejection] = (),
        overflows: Iterable[ingest_pb2.Overflow] = (),
    ) -> None:
        """Ack everything of a lane up to `seq`."""
        waiting = self._acks.get(lane)
        if waiting is None:
            response = Response(ack=ingest_pb2.Ack(lane=lane))
            waiting = self._acks[lane] = response.ack
            self.put(response)
        waiting.seq = seq
        waiting.rejected.extend(rejected)
        waiting.overflows.extend(overflows)
        if len(waiting.rejected) + len(waiting.overflows) > MAX_REMARKS:
            self._give_up()

    def _give_up(self) -> None:
        self._waiting.clear()
        self._acks.clear()
        self.close(unavailable("The agent does not read what it is sent.", private="outbox full"))

    def close(self, error: Exception | None = None) -> None:
        """End the stream once everything that waits is sent: with `error`, or well."""
        if not self._closed:
            self._closed = True
            self._error = error
            self._changed.set()

    async def responses(self) -> AsyncIterator[Response]:
        """What is to be sent, until the stream ends; then raises the error that it ends with, if any."""
        while True:
            while self._waiting:
                response = self._waiting.popleft()
                if response.HasField("ack"):
                    del self._acks[response.ack.lane]
                yield response
            if self._closed:
                break
            self._changed.clear()
            await self._changed.wait()
        if self._error is not None:
            raise self._error
