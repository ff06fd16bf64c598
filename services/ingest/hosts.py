"""What agents know of their hosts, on its way to auth, which keeps the registry: behind the streams, many at once."""

import asyncio
import logging
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import islice

from flick.clock import Clock
from flick.errors import FlickError, Kind
from flick.lifecycle import background
from flick.v1 import access_pb2, ingest_pb2, servers_pb2
from services.ingest.ledger.streams import Stream
from services.ingest.metrics import HostMetrics

AT_ONCE = 200  # flick.v1.ReportHostsRequest.reports
MAX_BYTES = 16 * 1024  # of a host: four times one whose texts are as long as auth takes them
TOGETHER_S = 1.0  # what comes meanwhile goes in the same call; an agent can't have auth write more often than that
RETRY_S = 10.0

Report = Callable[[Sequence[access_pb2.HostReport]], Awaitable[Sequence[access_pb2.HostRefusal]]]

logger = logging.getLogger(__name__)


class Hosts:
    """Tells auth. Of each stream the last word waits, as long as the stream lives: the next Hello tells it anew.

    Args:
        report: auth's method. Raises FlickError.
        together_s: how long to wait for others before a call.
        retry_s: about when to try again while auth does not answer.
    """

    def __init__(
        self,
        *,
        report: Report,
        metrics: HostMetrics,
        clock: Clock,
        rng: random.Random,
        together_s: float = TOGETHER_S,
        retry_s: float = RETRY_S,
    ) -> None:
        self._report = report
        self._metrics = metrics
        self._clock = clock
        self._rng = rng
        self._together_s = together_s
        self._retry_s = retry_s
        self._waiting: dict[uuid.UUID, access_pb2.HostReport] = {}  # by stream
        self._told = asyncio.Event()
        self._failing = False

    @contextmanager
    def heard(self, stream: Stream, hello: ingest_pb2.Hello) -> Iterator[None]:
        """Have auth know what Hello says of the host; what is not told yet on leaving is forgotten."""
        if hello.HasField("host"):
            self.tell(stream, hello.host)
        del hello  # a stream may be idle for long
        try:
            yield
        finally:
            self._waiting.pop(stream.stream_id, None)

    def tell(self, stream: Stream, host: servers_pb2.Host) -> None:
        """Have auth know what the stream's agent says; returns at once."""
        if host.ByteSize() > MAX_BYTES:
            self._refuse(str(stream.server_id), f"host: has more than {MAX_BYTES} bytes.")
            return
        self._waiting[stream.stream_id] = access_pb2.HostReport(
            server_id=str(stream.server_id), host=host, agent_version=stream.agent_version
        )
        self._told.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Hosts"]:
        """Tell auth while entered."""
        async with background(self._run(), name="hosts"):
            yield self

    async def _run(self) -> None:
        while True:
            await self._told.wait()
            await self._clock.sleep(self._together_s)
            self._told.clear()
            while some := dict(islice(self._waiting.items(), AT_ONCE)):
                if not await self._pass_on(some):
                    await self._clock.sleep(self._retry_s * self._rng.uniform(0.5, 1.5))

    async def _pass_on(self, some: dict[uuid.UUID, access_pb2.HostReport]) -> bool:
        """Whether auth answered, whatever it said."""
        try:
            refused = await self._report(list(some.values()))
        except FlickError as error:
            if not self._failing:
                logger.warning("hosts can't be told now", extra={"why": error.private or error.public})
            self._failing = True
            self._metrics.reports.labels("failed").inc(len(some))
            if error.kind is Kind.UNAVAILABLE:
                return False
            refused = ()  # it would say the same again, and hold up the others
        else:
            self._failing = False
            self._metrics.reports.labels("taken").inc(len(some) - len(refused))
        for refusal in refused:
            self._refuse(refusal.server_id, refusal.detail)
        for stream_id, report in some.items():
            if self._waiting.get(stream_id) is report:
                del self._waiting[stream_id]
        return True

    def _refuse(self, server_id: str, why: str) -> None:
        self._metrics.reports.labels("refused").inc()
        logger.warning("a host is not taken", extra={"server_id": server_id, "why": why})
