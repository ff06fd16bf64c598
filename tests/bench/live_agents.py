"""The agents of the live benchmark: `python -m tests.bench.live_agents ADDRESS CA KEYS WATCHED`.

KEYS is a file with an agent's key in each line; the first WATCHED of them are watched. Each agent has a stream on a
connection of its own and sends when the real one does: every 5 s a sample to be stored, spread over a second unless it
is watched, and while it is watched one every second for the eyes. All watched agents share one grid and
send at once. A sample's time is that of its sending. Says `ready` when every stream is open, and runs until ended.
"""

import asyncio
import random
import sys
import time
from pathlib import Path

import grpc
import uvloop

from agent.sampler.orders import Wanted
from agent.uplink.spread import SPREAD_S, held_back_s
from flick.ids import new_id
from flick.rpc.client import open_channel
from flick.v1 import ingest_pb2, ingest_pb2_grpc, telemetry_pb2
from tests.bench.storage.day import INTERVAL_S, Host

LIVE_INTERVAL_S = 1
OPENING_AT_ONCE = 50  # handshakes

_Request = ingest_pb2.StreamTelemetryRequest
_OWN_CONNECTION: list[tuple[str, int | str]] = [("grpc.use_local_subchannel_pool", 1)]


class LiveAgent:
    """One agent."""

    def __init__(self, *, key: str, watched: bool, rng: random.Random) -> None:
        self._key = key
        self._watched = watched
        self._rng = rng
        host = Host(rng=rng, start_time_ns=0)
        self._layouts = [host.layout]
        (self._sample,) = host.samples(1)
        self._seq = 0

    async def run(self, address: str, *, ca_pem: bytes, gate: asyncio.Semaphore, opened: asyncio.Event) -> None:
        """Stream until cancelled; `opened` is set once ingest has said Welcome."""
        async with open_channel(address, ca_pem=ca_pem, options=_OWN_CONNECTION) as channel:
            stub: ingest_pb2_grpc.IngestServiceAsyncStub = ingest_pb2_grpc.IngestServiceStub(channel)
            call = stub.StreamTelemetry(metadata=(("authorization", f"Bearer {self._key}"),))
            async with gate:
                await call.write(_Request(hello=self._hello()))
                welcome = await call.read()
            assert isinstance(welcome, ingest_pb2.StreamTelemetryResponse), "the stream was refused"
            assert welcome.HasField("welcome"), welcome
            opened.set()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._answer(call))
                tasks.create_task(self._send(call))

    async def _send(self, call: "grpc.aio.StreamStreamCall[_Request, ingest_pb2.StreamTelemetryResponse]") -> None:
        step_s = LIVE_INTERVAL_S if self._watched else INTERVAL_S
        wanted = Wanted(interval_s=INTERVAL_S, live_interval_s=LIVE_INTERVAL_S if self._watched else None)
        held_s = held_back_s(server_id=self._key, wanted=wanted, spread_s=SPREAD_S)
        while True:
            now_s = time.time()
            tick_s = ((now_s - held_s) // step_s + 1) * step_s
            await asyncio.sleep(tick_s + held_s - now_s)
            await call.write(self._frame(stored=tick_s % INTERVAL_S == 0))

    async def _answer(self, call: "grpc.aio.StreamStreamCall[_Request, ingest_pb2.StreamTelemetryResponse]") -> None:
        while isinstance(response := await call.read(), ingest_pb2.StreamTelemetryResponse):
            kind = response.WhichOneof("frame")
            assert kind not in ("retry_after", "fatal", "drain"), response
            if kind == "ping":
                await call.write(_Request(pong=ingest_pb2.Pong(ping_id=response.ping.ping_id)))
        raise AssertionError(f"the stream ended: {await call.code()}")

    def _frame(self, *, stored: bool) -> _Request:
        layouts, self._layouts = self._layouts, []
        self._sample.core[0] = self._rng.random()
        self._sample.time_unix_nano = time.time_ns() // 1000 * 1000
        if not stored:
            return _Request(live_batch=ingest_pb2.LiveBatch(samples=[self._sample], layouts=layouts))
        self._seq += 1
        return _Request(
            metric_batch=ingest_pb2.MetricBatch(
                lane=ingest_pb2.LANE_LIVE, seq=self._seq, samples=[self._sample], layouts=layouts
            )
        )

    def _hello(self) -> ingest_pb2.Hello:
        hello = ingest_pb2.Hello(
            agent_version="0.0.0",
            spool_id=str(new_id()),
            lanes=[
                ingest_pb2.LanePosition(lane=lane, seq=1) for lane in (ingest_pb2.LANE_LIVE, ingest_pb2.LANE_BACKFILL)
            ],
        )
        hello.send_time.FromNanoseconds(time.time_ns())
        return hello


def sent_ns(frame: bytes) -> int:
    """When the sample of a frame was sent, in nanoseconds since the Unix epoch; 0 where the frame has none."""
    request = _Request.FromString(frame)
    samples: list[telemetry_pb2.Sample] = [*request.live_batch.samples, *request.metric_batch.samples]
    return samples[0].time_unix_nano if samples else 0


async def main(address: str, *, ca_pem: bytes, keys: list[str], watched: int) -> None:
    """Play every agent until this program is ended, or a stream breaks."""
    gate = asyncio.Semaphore(OPENING_AT_ONCE)
    opened = [asyncio.Event() for _ in keys]
    async with asyncio.TaskGroup() as tasks:
        for number, key in enumerate(keys):
            agent = LiveAgent(key=key, watched=number < watched, rng=random.Random(number))
            tasks.create_task(agent.run(address, ca_pem=ca_pem, gate=gate, opened=opened[number]))
        for one in opened:
            await one.wait()
        print("ready", flush=True)


if __name__ == "__main__":
    uvloop.run(
        main(
            sys.argv[1],
            ca_pem=Path(sys.argv[2]).read_bytes(),
            keys=Path(sys.argv[3]).read_text().split(),
            watched=int(sys.argv[4]),
        )
    )
