"""What one agent is still to be sent. Acks of a lane are cumulative, so waiting ones become one."""

import asyncio
from collections.abc import Sequence

from flick.errors import unavailable
from flick.v1 import ingest_pb2

MAX_WAITING = 256  # an agent that reads has hardly ever more than a handful
MAX_REMARKS = 4096  # in one ack that waits: more than its credits can bring about in many commits

Response = ingest_pb2.StreamTelemetryResponse


class Outbox:
    """A queue of responses that ends with the stream. It has one reader.

    Attributes:
        error: what the stream ends with; None: it ends well, or has not ended.
    """

    def __init__(self) -> None:
        self._waiting: list[Response] = []
        self._acks: dict[int, ingest_pb2.Ack] = {}
        self._news: asyncio.Future[None] | None = None  # while the reader waits
        self._closed = False
        self.error: Exception | None = None

    @property
    def closed(self) -> bool:
        """Whether nothing more can be sent."""
        return self._closed

    def put(self, response: Response) -> None:
        """Send a response, unless the stream ends already. An agent that reads nothing is given up."""
        if self._closed:
            return
        self._waiting.append(response)
        self._tell()
        if len(self._waiting) > MAX_WAITING:
            self._give_up()

    def put_ack(
        self,
        *,
        lane: ingest_pb2.Lane.ValueType,
        seq: int,
        rejected: Sequence[ingest_pb2.Rejection] = (),
        overflows: Sequence[ingest_pb2.Overflow] = (),
    ) -> None:
        """Ack everything of a lane up to `seq`."""
        waiting = self._acks.get(lane)
        if waiting is None:
            response = Response(ack=ingest_pb2.Ack(lane=lane))
            waiting = self._acks[lane] = response.ack
            self.put(response)
        waiting.seq = seq
        if not rejected and not overflows:
            return
        waiting.rejected.extend(rejected)
        waiting.overflows.extend(overflows)
        if len(waiting.rejected) + len(waiting.overflows) > MAX_REMARKS:
            self._give_up()

    def close(self, error: Exception | None = None) -> None:
        """End the stream once everything that waits is sent: with `error`, or well."""
        if not self._closed:
            self._closed = True
            self.error = error
            self._tell()

    async def take(self) -> Response | None:
        """What is to be sent next; None when the stream ends."""
        while not self._waiting:
            if self._closed:
                return None
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        response = self._waiting.pop(0)
        if response.HasField("ack"):
            del self._acks[response.ack.lane]
        return response

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def _give_up(self) -> None:
        self._waiting.clear()
        self._acks.clear()
        self.close(unavailable("The agent does not read what it is sent.", private="outbox full"))
