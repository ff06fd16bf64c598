"""Streams to ingest that carry bytes, whether or not they are frames of the contract."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from flick.v1 import ingest_pb2
from tests.fuzz.material import Response

METHOD = "/flick.v1.IngestService/StreamTelemetry"
WITHIN_S = 30.0
TELLING = ("Traceback", 'File "', ".py", "asyncpg", "google.protobuf", "services.")  # of a program's inside
_OUR_OWN = "Internal error from Core"
CLEAR = {  # what a stream may end with; each carries a text that says what is wrong
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.ABORTED,  # superseded
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a stream went: every frame that ingest sent, and the status at its end."""

    heard: Sequence[Response]
    code: grpc.StatusCode
    details: str

    def acked(self, lane: int = ingest_pb2.LANE_LIVE) -> int:
        """The last seq of a lane that was acked; 0: none."""
        return max((one.ack.seq for one in self.heard if one.HasField("ack") and one.ack.lane == lane), default=0)

    @property
    def acks(self) -> list[ingest_pb2.Ack]:
        """All acks."""
        return [one.ack for one in self.heard if one.HasField("ack")]

    @property
    def rejected(self) -> set[str]:
        """The reasons for which samples were refused for good."""
        reasons = (ingest_pb2.RejectionReason.Name(each.reason) for ack in self.acks for each in ack.rejected)
        return {reason.removeprefix("REJECTION_REASON_") for reason in reasons}

    @property
    def left_out(self) -> set[str]:
        """The reasons for which parts of samples were left out."""
        kinds = (ingest_pb2.OverflowKind.Name(each.kind) for ack in self.acks for each in ack.overflows)
        return {kind.removeprefix("OVERFLOW_KIND_") for kind in kinds}

    @property
    def fatal(self) -> str:
        """The code of Fatal; empty: there was none."""
        codes = [one.fatal.code for one in self.heard if one.HasField("fatal")]
        return ingest_pb2.FatalCode.Name(codes[0]).removeprefix("FATAL_CODE_") if codes else ""

    @property
    def texts(self) -> list[str]:
        """Everything that it says in words."""
        said = [one.fatal.message for one in self.heard if one.HasField("fatal")]
        said += [each.detail for ack in self.acks for each in ack.rejected]
        said += [each.detail for ack in self.acks for each in ack.overflows]
        return [*said, self.details] if self.code is not grpc.StatusCode.OK else said

    @property
    def unheard(self) -> bool:
        """Whether the status is not ingest's: grpc.aio gives its own to a call that was writing when it ended."""
        return self.code is grpc.StatusCode.INTERNAL and self.details == _OUR_OWN

    @property
    def fault(self) -> str:
        """Why this is no answer that an agent may get; empty when it is one."""
        if self.code not in CLEAR and not self.unheard:
            return f"it ended with {self.code.name}: {self.details}"
        if not all(self.texts):
            return f"it ended with {self.code.name}, or refused, without a word"
        telling = [text for text in self.texts if any(word in text for word in TELLING)]
        return f"it tells of its inside: {telling[0]}" if telling else ""


async def speak(channel: grpc.aio.Channel, *, key: str, frames: Sequence[bytes]) -> Outcome:
    """Open a stream, send these bytes frame by frame, say that this was all, and hear the stream to its end."""
    call: Any = channel.stream_stream(METHOD, request_serializer=None, response_deserializer=Response.FromString)(
        metadata=(("authorization", f"Bearer {key}"),)
    )
    heard: list[Response] = []
    sending = asyncio.create_task(_send(call, frames))
    try:
        async with asyncio.timeout(WITHIN_S):
            with contextlib.suppress(grpc.aio.AioRpcError):
                while isinstance(response := await call.read(), Response):
                    heard.append(response)
            return Outcome(heard=heard, code=await call.code(), details=await call.details() or "")
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        call.cancel()


async def speak_until_heard(channel: grpc.aio.Channel, *, key: str, frames: Sequence[bytes]) -> Outcome:
    """As `speak`, again when its status was not heard."""
    async with asyncio.timeout(WITHIN_S):
        while (outcome := await speak(channel, key=key, frames=frames)).unheard:
            continue
    return outcome


async def _send(call: Any, frames: Sequence[bytes]) -> None:
    with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):  # it ended; how, the reader hears
        for frame in frames:
            await call.write(frame)
        await call.done_writing()
