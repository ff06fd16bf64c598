"""What a stream costs that carries nothing just now: little memory, and almost no processor time."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import psutil

from flick.v1 import ingest_pb2, ingest_pb2_grpc
from tests.databases import DatabaseServer
from tests.integration.ingest.agent import LIVE, Call
from tests.integration.ingest.process import IngestProcess, ingest_process
from tests.report import report
from tests.tiny_auth import Enrolled
from tests.waiting import eventually

MAX_KIB_PER_STREAM = 64
AT_ONCE = 50  # connections that are opened side by side
WARM = 50  # streams that are open before anything is measured


def _resident_kib(pid: int) -> int:
    return psutil.Process(pid).memory_info().rss // 1024


async def _open(process: IngestProcess, enrolled: Enrolled, stack: AsyncExitStack) -> None:
    """A stream on a connection of its own, up to its Welcome."""
    channel = grpc.aio.insecure_channel(process.address, options=[("grpc.use_local_subchannel_pool", 1)])
    await stack.enter_async_context(channel)
    stub: ingest_pb2_grpc.IngestServiceAsyncStub = ingest_pb2_grpc.IngestServiceStub(channel)
    call: Call = stub.StreamTelemetry(metadata=(("authorization", f"Bearer {enrolled.key}"),))
    hello = ingest_pb2.Hello(spool_id=enrolled.key_id, lanes=[ingest_pb2.LanePosition(lane=LIVE, seq=1)])
    await call.write(ingest_pb2.StreamTelemetryRequest(hello=hello))
    assert isinstance(await call.read(), ingest_pb2.StreamTelemetryResponse)
    stack.push_async_callback(_cancel, call)


async def _cancel(call: Call) -> None:
    call.cancel()


async def test_an_idle_stream_takes_at_most_64_kib(
    postgres: DatabaseServer, telemetry: str, redis_url: str, tmp_path: Path, long_form: bool
) -> None:
    count = 5000 if long_form else 400
    log = tmp_path / "ingest.log"
    async with (
        ingest_process(postgres=postgres, database=telemetry, redis_url=redis_url, log=log) as process,
        AsyncExitStack() as stack,
    ):
        enrolled = [process.auth.enroll() for _ in range(WARM + count)]

        async def known() -> bool:
            try:
                async with AsyncExitStack() as trial:
                    await _open(process, enrolled[-1], trial)
            except grpc.aio.AioRpcError:
                return False
            return True

        assert await eventually(known, bool, within_s=10, every_s=0.1)
        for one in enrolled[:WARM]:
            await _open(process, one, stack)
        before_kib = _resident_kib(process.program.process.pid)
        for first in range(WARM, WARM + count, AT_ONCE):
            await asyncio.gather(*(_open(process, one, stack) for one in enrolled[first : first + AT_ONCE]))
        after_kib = _resident_kib(process.program.process.pid)

    report(f"{count} idle streams", kib_per_stream=round((after_kib - before_kib) / count, 1))

    assert (after_kib - before_kib) / count <= MAX_KIB_PER_STREAM
