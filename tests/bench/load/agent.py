"""One agent as the load generator plays it: a stream, its credits, and frames at the moments when they are due."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from flick.ids import new_id
from flick.v1 import ingest_pb2
from tests.bench.load.messages import declaration, frame, hello, pong

METHOD = "/flick.v1.IngestService/StreamTelemetry"
CREDITS = 8
ACK_WITHIN_S = 180.0  # the first frames of thousands of agents wait until their layouts are stored

_SAMPLE_STEP_NS = 1_000  # PostgreSQL keeps microseconds; the samples of a frame lie as close as that allows
_RESPONSE = ingest_pb2.StreamTelemetryResponse.FromString


@dataclass(slots=True)
class Tally:
    """What was sent and answered. `held_back`: how often a frame was due and no credit left."""

    frames: int = 0
    samples: int = 0
    acks: int = 0
    held_back: int = 0
    refused: int = 0

    @staticmethod
    def sum(tallies: Iterable["Tally"]) -> "Tally":
        """All of them together."""
        total = Tally()
        for one in tallies:
            total.frames += one.frames
            total.samples += one.samples
            total.acks += one.acks
            total.held_back += one.held_back
            total.refused += one.refused
        return total


class LoadError(Exception):
    """The server does not take the load; a figure would mean nothing."""


class LoadAgent:
    """A stream on a connection of its own.

    Args:
        key: the agent's key.
        contents: what its samples hold, in turn.
        samples: how many each frame has.
    """

    def __init__(self, *, key: str, contents: Sequence[bytes], samples: int) -> None:
        self._key = key
        self._samples = samples
        # Doubled, so that any slice of `samples` in a row is there.
        self._contents = [contents[index % len(contents)] for index in range(len(contents) + samples)]
        self._variants = len(contents)
        self._declaration = declaration()
        self._seq = 0
        self._acked = 0
        self._acks = 0
        self._refused = 0
        self._ended = ""
        self._writing = asyncio.Lock()  # gRPC takes one message at a time
        self._heard = asyncio.Event()
        self._last_ns = 0
        self._call: Any = None
        self._channel: grpc.aio.Channel | None = None
        self._reader: asyncio.Task[None] | None = None

    async def open(self, address: str, *, ca_pem: bytes | None) -> None:
        """Connect, say Hello and wait for Welcome."""
        options = [("grpc.use_local_subchannel_pool", 1)]
        if ca_pem is None:
            self._channel = grpc.aio.insecure_channel(address, options=options)
        else:
            self._channel = grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(ca_pem), options=options)
        self._call = self._channel.stream_stream(METHOD)(metadata=(("authorization", f"Bearer {self._key}"),))
        await self._call.write(hello(str(new_id())))
        welcome = _RESPONSE(await self._call.read())
        assert welcome.HasField("welcome"), welcome
        self._reader = asyncio.create_task(self._read())

    async def send(self, *, interval_s: float, first_s: float, until_s: float) -> Tally:
        """Send a frame every `interval_s` from `first_s` on, until `until_s` (monotonic), then wait for every ack.

        With an interval of 0 it sends as fast as its credits allow.
        """
        tally, acks, refused = Tally(), self._acks, self._refused
        due_s = first_s
        while (now_s := time.monotonic()) < until_s and due_s < until_s:
            if due_s > now_s:
                await asyncio.sleep(due_s - now_s)
            due_s += interval_s
            if self._seq - self._acked >= CREDITS:
                tally.held_back += 1
                await self._acked_up_to(self._seq - CREDITS + 1)
            self._check()
            async with self._writing:
                await self._call.write(self._next_frame())
            tally.frames += 1
        await self._acked_up_to(self._seq)
        tally.samples = tally.frames * self._samples
        tally.acks, tally.refused = self._acks - acks, self._refused - refused
        return tally

    def cancel(self) -> None:
        """End the stream."""
        assert self._reader is not None
        self._reader.cancel()
        self._call.cancel()

    def _next_frame(self) -> bytes:
        self._seq += 1
        first_ns = max(time.time_ns(), self._last_ns + _SAMPLE_STEP_NS)
        times = [first_ns + index * _SAMPLE_STEP_NS for index in range(self._samples)]
        self._last_ns = times[-1]
        start = self._seq % self._variants
        declared, self._declaration = self._declaration, b""
        return frame(
            seq=self._seq, times_ns=times, samples=self._contents[start : start + self._samples], layouts=declared
        )

    async def _acked_up_to(self, seq: int) -> None:
        while self._acked < seq:
            self._check()
            self._heard.clear()
            await asyncio.wait_for(self._heard.wait(), timeout=ACK_WITHIN_S)

    def _check(self) -> None:
        if self._ended:
            raise LoadError(self._ended)

    async def _read(self) -> None:
        try:
            while (data := await self._call.read()) is not grpc.aio.EOF:
                response = _RESPONSE(data)
                if response.HasField("ping"):
                    async with self._writing:
                        await self._call.write(pong(response.ping.ping_id))
                else:
                    self._hear(response)
            self._ended = "the stream ended"
        except grpc.aio.AioRpcError as error:
            self._ended = f"the stream ended: {error.code().name} {error.details()}"
        finally:
            self._heard.set()

    def _hear(self, response: ingest_pb2.StreamTelemetryResponse) -> None:
        if response.HasField("ack"):
            self._acks += 1
            self._acked = response.ack.seq
            self._refused += sum(one.count for one in response.ack.rejected)
            self._heard.set()
        elif response.HasField("retry_after") or response.HasField("fatal"):
            self._ended = f"the load is not taken: {response}"
            self._heard.set()
