"""An agent that measures nothing: the real one's spool, flow and stream, over a past and contents that are given."""

import asyncio
import itertools
import random
import time
import uuid
from collections.abc import Sequence

from agent.sampler.grid import multiple_after
from agent.sampler.orders import Orders, Wanted
from agent.sampler.timeline import Timeline
from agent.spool.epochs import Mark
from agent.spool.frame import Entry
from agent.spool.limits import SpoolLimits
from agent.uplink.ending import EndKind
from agent.uplink.greeting import Greeting
from agent.uplink.spread import SPREAD_S, unwatched_s
from agent.uplink.stream import Stream
from flick.clock import SystemClock
from flick.rpc.client import open_channel
from flick.v1 import ingest_pb2, ingest_pb2_grpc, servers_pb2
from tests.bench.backfill.deliveries import Deliveries, ToldSpool
from tests.bench.backfill.past import Past
from tests.bench.storage.day import INTERVAL_S, LAYOUT_ID

# A day's backlog is not to lose its beginning while a hundred agents connect; everything else is as agents have it.
LIMITS = SpoolLimits(max_age_ns=25 * 3600 * 10**9)

_BOOT_ID = "the boot of all of them"
_CONNECTING_AT_ONCE = 50
_OWN_CONNECTION: list[tuple[str, int | str]] = [("grpc.use_local_subchannel_pool", 1)]


class BacklogAgent:
    """One agent.

    Args:
        address, key: where it streams to, and as whom.
        past: what it measured before, which is its backlog.
        contents: of what it measures from now on, in turn.
        deliveries: told what becomes of all of it.
        gate: how many may connect at once.
        interval_s: between two samples.
    """

    def __init__(
        self,
        *,
        address: str,
        key: str,
        past: Past,
        contents: Sequence[bytes],
        deliveries: Deliveries,
        gate: asyncio.Semaphore,
        interval_s: int = INTERVAL_S,
    ) -> None:
        self._address = address
        self._key = key
        self.past = past
        self._contents = itertools.cycle(contents)
        self._gate = gate
        self._interval_s = interval_s
        self._held_back_s = unwatched_s(server_id=key, wanted=Wanted(interval_s=interval_s), spread_s=SPREAD_S)
        self._clock = SystemClock()
        offset_ns = self._clock.time_unix_nano() - round(self._clock.boottime_s() * 1e9)
        mark = Mark(_BOOT_ID, offset_ns, corrected=True)
        self.spool = ToldSpool(
            past=past,
            state=past.state(spool_id=str(uuid.uuid4()), mark=mark),
            limits=LIMITS,
            deliveries=deliveries,
            held_back_s=self._held_back_s,
        )
        self._timeline = Timeline(clock=self._clock, boot_id=_BOOT_ID, mark=mark, last_ns=self.spool.last_ns)
        self._orders = Orders()
        self._stream: Stream | None = None

    @property
    def welcomed(self) -> bool:
        """Whether it has a stream."""
        return self._stream is not None and self._stream.welcomed_at_s is not None

    async def run(self) -> None:
        """Measure and send until cancelled. Raises AssertionError when a stream ends that ingest did not ask to."""
        # No TaskGroup: before Python 3.13 it loses a cancellation that meets the failure of one of its tasks.
        tasks = [asyncio.create_task(self._measure()), asyncio.create_task(self._deliver())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _measure(self) -> None:
        step_ns = self._interval_s * 10**9
        while True:
            now_ns = time.time_ns()
            tick_ns = multiple_after(max(now_ns, self.spool.last_ns), step_ns)
            # Put down when it is to be sent: a thousand at the very tick, in one process, would hold each other up.
            await asyncio.sleep((tick_ns - now_ns) / 1e9 + self._held_back_s)
            self.spool.put(Entry(tick_ns, LAYOUT_ID, next(self._contents)))
            if self._stream is not None:
                self._stream.wake()

    async def _deliver(self) -> None:
        while True:
            async with open_channel(self._address, options=_OWN_CONNECTION) as channel:
                stub = ingest_pb2_grpc.IngestServiceStub(channel)
                async with self._gate:
                    await channel.channel_ready()
                call = stub.StreamTelemetry(metadata=(("authorization", f"Bearer {self._key}"),))
                self._stream = Stream(
                    call=call,
                    greeting=self._greeting(),
                    spool=self.spool,
                    orders=self._orders,
                    clock=self._clock,
                    overflows=set[ingest_pb2.OverflowKind.ValueType](),
                )
                ending = await self._stream.run()
            assert ending.kind is EndKind.DRAINED, f"a stream broke: {ending}"
            await asyncio.sleep(ending.come_back_s)

    def _greeting(self) -> Greeting:
        return Greeting(
            spool=self.spool,
            orders=self._orders,
            timeline=self._timeline,
            clock=self._clock,
            host=servers_pb2.Host,
            version="0.0.0",
            failing=tuple,
            held_back_s=lambda: self._held_back_s,
        )


def agents(
    *,
    address: str,
    keys: Sequence[str],
    backlog: int,
    hours: Sequence[Sequence[bytes]],
    deliveries: Deliveries,
    interval_s: int = INTERVAL_S,
) -> list[BacklogAgent]:
    """An agent for each key, each with so many samples of backlog; the contents of `hours` are shared out."""
    gate, rng = asyncio.Semaphore(_CONNECTING_AT_ONCE), random.Random(0)
    end_ns = multiple_after(time.time_ns(), INTERVAL_S * 10**9) - INTERVAL_S * 10**9
    made = []
    for number, key in enumerate(keys):
        contents, start = hours[number % len(hours)], rng.randrange(len(hours[0]))
        turned = [*contents[start:], *contents[:start]]
        past = Past(end_ns=end_ns, count=backlog, contents=turned)
        made.append(
            BacklogAgent(
                address=address,
                key=key,
                past=past,
                contents=turned,
                deliveries=deliveries,
                gate=gate,
                interval_s=interval_s,
            )
        )
    return made
