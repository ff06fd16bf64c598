"""A simulated agent: measures, keeps what is not acked, comes back after every loss, logs what it was promised."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc

from flick.backoff import Backoff
from flick.ids import new_id
from flick.rpc.client import open_channel
from flick.v1 import ingest_pb2, ingest_pb2_grpc
from tests.chaos.load.lanes import Batch, Held
from tests.chaos.load.log import AgentLog
from tests.chaos.load.past import LATE_EVERY_S, late_times
from tests.chaos.load.samples import Instrument, Measured
from tests.chaos.load.stream import Ending, LoadStream
from tests.waiting import until

# Without a pool of its own every channel to one address shares one connection, and no herd is a herd.
_OWN_CONNECTION: list[tuple[str, int | str]] = [("grpc.use_local_subchannel_pool", 1)]


def real_backoff(rng: random.Random, *, cap_s: float = 120.0) -> Backoff:
    """As the agent has it; a storm of faults within minutes needs a lower cap, else it is the cap that is measured."""
    return Backoff(rng=rng, base_s=1.0, factor=1.6, cap_s=cap_s)


@dataclass(kw_only=True)
class LoadAgent:
    """One agent.

    Args:
        address, key, server_id: where it streams to, and as whom.
        ca_pem: the authority to trust there; None: plaintext.
        interval_s: between two batches.
        samples_per_batch: of full size each.
        rng: makes its samples and spreads its returns.
        log: where it writes down what it sent and what was acked.
        backoff_cap_s: the longest wait before it comes back.
        silent_s: after how much silence it gives a stream up.
        backfill_every_s: between two batches of its backlog.
        past_s: how far back that reaches which it hands in late, beside what it measures now; 0: it is never late.

    `failures` counts, by reason, the streams that ended, or never began, without ingest having asked for it.
    """

    address: str
    key: str
    server_id: str
    interval_s: float
    rng: random.Random
    ca_pem: bytes | None = None
    samples_per_batch: int = 1
    log: AgentLog = field(default_factory=AgentLog)
    backoff_cap_s: float = 120.0
    silent_s: float = 30.0
    backfill_every_s: float = 0.5
    past_s: float = 0.0

    measured_total: int = field(default=0, init=False)
    acked_total: int = field(default=0, init=False)
    acked_bytes: int = field(default=0, init=False)
    refused: int = field(default=0, init=False)
    connects: int = field(default=0, init=False)
    streams: int = field(default=0, init=False)
    failures: Counter[str] = field(default_factory=Counter, init=False)
    fatals: int = field(default=0, init=False)
    acked_at_s: float = field(default=0.0, init=False)
    open: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._held = Held()
        self._instrument = Instrument(rng=self.rng)
        self._backoff = real_backoff(self.rng, cap_s=self.backoff_cap_s)
        self._hello = ingest_pb2.Hello(agent_version="0.0.0", spool_id=str(new_id()))
        self._stream: LoadStream | None = None
        self._last_us = 0
        self._welcomed_at_s = 0.0

    @property
    def settled(self) -> bool:
        """Whether everything that was measured is acked."""
        return self._held.empty

    @property
    def sent(self) -> dict[int, int]:
        """The checksum of every sample that was sent, by its time in microseconds; read from the log."""
        return self.log.read().sent()

    @property
    def acked(self) -> dict[int, int]:
        """The same of every sample that was acked."""
        return self.log.read().acked()

    async def measure(self) -> None:
        """Make a batch every `interval_s` seconds until cancelled, beginning at a moment of its own."""
        next_s = time.monotonic() + self.rng.uniform(0, self.interval_s)
        while True:
            await asyncio.sleep(max(0.0, next_s - time.monotonic()))
            next_s += self.interval_s
            self._put([self._measure() for _ in range(self.samples_per_batch)])

    async def recall(self) -> None:
        """Hand in samples of the past, one every so often, until there are no more or cancelled."""
        await asyncio.sleep(self.rng.uniform(0, LATE_EVERY_S))
        for time_us in late_times(now_us=time.time_ns() // 1000, past_s=self.past_s):
            await asyncio.sleep(LATE_EVERY_S)
            self.measured_total += 1
            dropped = self._held.dropped
            self._held.put_late(self._instrument.measure(time_us))
            self._dropped(since=dropped)

    async def deliver(self) -> None:
        """Send and come back until cancelled."""
        while True:
            ending = await self._stream_once()
            await asyncio.sleep(self._pause_s(ending))

    def _measure(self) -> Measured:
        self._last_us = max(self._last_us + 1, time.time_ns() // 1000)
        self.measured_total += 1
        return self._instrument.measure(self._last_us)

    def _put(self, samples: list[Measured]) -> None:
        dropped = self._held.dropped
        self._held.put(samples)
        self._dropped(since=dropped)

    def _dropped(self, *, since: int) -> None:
        if self._held.dropped > since:
            self.log.dropped(self._held.dropped - since)
        if self._stream is not None:
            self._stream.wake()

    async def _stream_once(self) -> Ending:
        self.connects += 1
        self._welcomed_at_s = 0.0
        async with open_channel(self.address, ca_pem=self.ca_pem, options=_OWN_CONNECTION) as channel:
            self._stream = LoadStream(
                call=self._call(channel),
                hello=self._new_hello(),
                layout=self._instrument.layout,
                held=self._held,
                listener=self,
                silent_s=self.silent_s,
                backfill_every_s=self.backfill_every_s,
            )
            try:
                return await self._stream.run()
            finally:
                self._stream = None
                self.open = False

    def _call(self, channel: grpc.aio.Channel) -> object:
        stub = ingest_pb2_grpc.IngestServiceStub(channel)
        return stub.StreamTelemetry(metadata=(("authorization", f"Bearer {self.key}"),))

    def _new_hello(self) -> ingest_pb2.Hello:
        hello = ingest_pb2.Hello()
        hello.CopyFrom(self._hello)
        return hello

    def _pause_s(self, ending: Ending) -> float:
        if self._welcomed_at_s:
            self._backoff.healthy(time.monotonic() - self._welcomed_at_s)
        if ending.come_back_s is not None:
            return ending.come_back_s
        self.failures[f"{ending.error.kind.name}: {ending.error.public}" if ending.error else "no answer"] += 1
        return self._backoff.next_s()

    def welcomed(self) -> None:
        """See `Listener`."""
        self.streams += 1
        self.open = True
        self._welcomed_at_s = time.monotonic()

    def sending(self, batch: Batch) -> None:
        """See `Listener`."""
        self.log.sent(batch)

    def heard(self, ack: ingest_pb2.Ack, batches: list[Batch]) -> None:
        """See `Listener`."""
        self.acked_at_s = time.monotonic()
        for rejection in ack.rejected:
            self.refused += rejection.count
            self.log.rejected(ack.lane, rejection)
        for batch in batches:
            self.acked_total += len(batch.samples)
            self.acked_bytes += sum(len(one.payload) for one in batch.samples)
            self.log.acked(batch)

    def fatal(self, fatal: ingest_pb2.Fatal) -> None:
        """See `Listener`."""
        self.fatals += 1
        self.log.fatal(f"{ingest_pb2.FatalCode.Name(fatal.code)}: {fatal.message}")


@asynccontextmanager
async def under_load(agents: list[LoadAgent], *, settle_s: float = 60.0) -> AsyncIterator[None]:
    """Measure and deliver while entered; on leaving nothing more is measured, and everything is delivered.

    Raises TimeoutError when not everything is acked within `settle_s` seconds.
    """
    delivering = [asyncio.create_task(agent.deliver()) for agent in agents]
    measuring = [asyncio.create_task(work()) for agent in agents for work in (agent.measure, agent.recall)]
    try:
        yield
        await _cancel(measuring)
        await until(
            lambda: all(agent.settled for agent in agents) or any(task.done() for task in delivering), within_s=settle_s
        )
    finally:
        await _cancel([*measuring, *delivering])
        for task in [*measuring, *delivering]:
            if not task.cancelled():
                task.result()  # it ended by an error of its own


async def _cancel(tasks: "list[asyncio.Task[None]]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
