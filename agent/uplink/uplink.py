"""Keeps a stream to ingest: opens it, and opens it again after every end."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from agent.collectors.failure import Failure
from agent.identity import Identity
from agent.network.probe_process import probe_apart
from agent.sampler.orders import Orders
from agent.sampler.timeline import Timeline
from agent.spool.spool import Spool
from agent.uplink.ending import Ending, EndKind
from agent.uplink.greeting import Greeting
from agent.uplink.spread import SPREAD_S, held_back_s, unwatched_s
from agent.uplink.stream import SILENT_S, Stream
from flick.backoff import Backoff
from flick.clock import Clock, utc
from flick.rpc.client import open_channel
from flick.v1 import ingest_pb2, ingest_pb2_grpc, servers_pb2, telemetry_pb2

MAX_COME_BACK_S = 120.0  # ingest may ask for less; no agent stays away longer than the backoff's cap

logger = logging.getLogger(__name__)


class Uplink:
    """Runs until `stop` or until it is cancelled.

    Args:
        identity: whom this agent is and where ingest is.
        backoff: how long to wait after a stream that failed.
        host: what is known of this machine now; asked at every Hello, and once a minute.
        failing: the collectors that can't measure now.
        silent_s: how long ingest may say nothing before its stream is given up.
        spread_s: over how long the sending of new samples is spread among all servers; 0: all is sent at once.
    """

    def __init__(
        self,
        *,
        identity: Identity,
        spool: Spool,
        orders: Orders,
        timeline: Timeline,
        clock: Clock,
        backoff: Backoff,
        host: Callable[[], servers_pb2.Host],
        version: str,
        failing: Callable[[], Sequence[Failure]] = tuple,
        silent_s: float = SILENT_S,
        spread_s: float = SPREAD_S,
    ) -> None:
        self._identity = identity
        self._spool = spool
        self._orders = orders
        self._clock = clock
        self._backoff = backoff
        self._silent_s = silent_s
        self._spread_s = spread_s
        self._greeting = Greeting(
            spool=spool,
            orders=orders,
            timeline=timeline,
            clock=clock,
            host=host,
            version=version,
            failing=failing,
            held_back_s=lambda: unwatched_s(server_id=identity.server_id, wanted=orders.wanted, spread_s=spread_s),
        )
        self._overflows: set[ingest_pb2.OverflowKind.ValueType] = set()
        self._stream: Stream | None = None
        self._stopping = asyncio.Event()
        self._said = ""

    def wake(self) -> None:
        """There is a new sample in the spool. It is sent at this server's moment."""
        wait_s = held_back_s(server_id=self._identity.server_id, wanted=self._orders.wanted, spread_s=self._spread_s)
        if wait_s:
            asyncio.get_running_loop().call_later(wait_s, self._wake_stream)
        else:
            self._wake_stream()

    def show(self, sample: telemetry_pb2.Sample, layout: telemetry_pb2.Layout | None) -> None:
        """Send a sample that is for viewers only, if there is a stream."""
        if self._stream is not None:
            self._stream.show(sample, layout)

    def stop(self) -> None:
        """Send what waits and let `run` end. Without a stream it ends at once."""
        self._stopping.set()
        if self._stream is not None:
            self._stream.finish()

    async def run(self) -> None:
        """Hold a stream until `stop`."""
        while not self._stopping.is_set():
            ending = await self._stream_once()
            if ending.kind is EndKind.STOPPED:
                return
            await self._tell(ending)
            await self._wait(self._pause_s(ending))

    def _wake_stream(self) -> None:
        if self._stream is not None:
            self._stream.wake()

    async def _stream_once(self) -> Ending:
        channel = open_channel(self._identity.ingest_address, ca_pem=self._identity.ca_pem.encode() or None, tls=True)
        async with channel:
            stub = ingest_pb2_grpc.IngestServiceStub(channel)
            call = stub.StreamTelemetry(metadata=(("authorization", f"Bearer {self._identity.agent_key}"),))
            self._stream = stream = Stream(
                call=call,
                greeting=self._greeting,
                spool=self._spool,
                orders=self._orders,
                clock=self._clock,
                overflows=self._overflows,
                silent_s=self._silent_s,
            )
            try:
                ending = await stream.run()
            finally:
                self._stream = None
        if stream.welcomed_at_s is not None:
            self._backoff.healthy(self._clock.monotonic_s() - stream.welcomed_at_s)
            if ending.kind is not EndKind.REFUSED:
                self._said = ""
        return ending

    def _pause_s(self, ending: Ending) -> float:
        if ending.kind is EndKind.DRAINED:
            return min(ending.come_back_s, MAX_COME_BACK_S)
        if ending.kind is EndKind.REFUSED:
            return self._backoff.longest_s()
        return self._backoff.next_s()

    async def _wait(self, seconds: float) -> None:
        waits = [
            asyncio.ensure_future(self._clock.sleep(seconds)),
            asyncio.ensure_future(self._stopping.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _tell(self, ending: Ending) -> None:
        """Log why a stream ended: once, as long as it is the same reason."""
        if ending.kind is EndKind.DRAINED:
            logger.info("ingest moves this agent's stream")
            return
        text = ending.text
        if ending.kind is EndKind.UNREACHABLE:
            where = self._identity
            found = await probe_apart(address=where.ingest_address, ca_pem=where.ca_pem, now=utc(self._clock))
            text = found.text if found is not None else f"ingest does not take streams now: {text}"
        elif ending.kind is EndKind.REFUSED:
            text = f"ingest refuses this agent: {text} To join again run `flick-agent enroll` with a new join token"
        if text != self._said:
            self._said = text
            logger.warning("%s; samples are kept meanwhile", text)
